import { createHash } from "node:crypto";
import {
  appendFileSync,
  cpSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { CommitLog, LogStore } from "seglog";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { cut, flipBit } from "../support/damage.js";
import { leaveJournaled } from "../support/journaled-store.js";
import { blocksOf, segmentPath } from "../support/log-builder.js";
import { describeLog, describeStore } from "./describe.js";
import { hasPython, readIndependently } from "./independent-reader.js";
import { PRODUCER_ID } from "./producers-store.js";
import { DELETED_PRODUCER, KEPT_PRODUCER } from "./truncating-store.js";

const GOLDEN = fileURLToPath(new URL("../../fixtures/golden/v0", import.meta.url));
const LOGS = ["clean-log", "killed-log", "crafted-log", "room-log"];
const KILLED = ["killed-log", "room-log"];
const STORES = ["store", "journaled-store", "producers-store", "truncating-store"];

let work: string;
beforeEach(() => {
  work = mkdtempSync(join(tmpdir(), "seglog-golden-"));
});
afterEach(() => rmSync(work, { recursive: true, force: true }));

describe.each(LOGS)("golden %s", (name) => {
  it("reads as expected, and reading changes nothing", async () => {
    const before = digest(join(GOLDEN, name));
    expect(await describeLog(join(GOLDEN, name, "log"))).toEqual(expected(name));
    expect(digest(join(GOLDEN, name))).toBe(before);
  });

  it("opens for writing, keeps its records and takes another", async () => {
    const copy = copyOf(name, "log");
    const { epoch, ...content } = expected(name);
    const log = await CommitLog.open(copy);
    expect(log.recovery.kind).toBe(KILLED.includes(name) ? "unclean" : "clean");
    // Of one of them bytes were cut, which may have been accepted records.
    const wasCut = name === "killed-log";
    expect(log.recovery.cutBytes > 0).toBe(wasCut);
    expect(log.epoch).toBe(epoch + (wasCut ? 1 : 0));
    expect(await log.append("another")).toBe(content.endOffset);
    await log.truncateTo(content.endOffset);
    await log.close();
    expect(await describeLog(copy)).toMatchObject(content);
  });
});

describe.each(STORES)("golden %s", (name) => {
  it("reads as expected, and reading changes nothing", async () => {
    const before = digest(join(GOLDEN, name));
    expect(await describeStore(join(GOLDEN, name, "store"))).toEqual(expected(name));
    expect(digest(join(GOLDEN, name))).toBe(before);
  });

  it("opens for writing, and again for reading", async () => {
    const copy = copyOf(name, "store");
    expect(await describeStore(copy, {})).toEqual(expected(name));
    expect(await describeStore(copy)).toEqual(expected(name));
  });
});

describe("golden producers-store", () => {
  it("tells what was stored of producers, in the segments and in the journal", async () => {
    const store = await LogStore.open(copyOf("producers-store", "store"));
    const known = () =>
      Promise.all(["orders", "mail"].map((key) => store.producer(key, PRODUCER_ID)));
    const before = await known();
    expect(before).toEqual([
      { epoch: 4, nextSequence: 1, lastOffset: 7 },
      { epoch: 3, nextSequence: 3, lastOffset: 3 },
    ]);
    const producer = { id: PRODUCER_ID, epoch: 3, sequence: 1 };
    expect(await store.appendBatch("mail", ["again", "again"], { producer })).toMatchObject({
      baseOffset: 2,
    });
    await (await store.log("orders")).close();
    await (await store.log("mail")).close();
    expect(await known()).toEqual(before);
    await store.close();
  });
});

describe("golden truncating-store", () => {
  it("tells what was stored of producers whose records are gone, and their epochs", async () => {
    const store = await LogStore.open(copyOf("truncating-store", "store"));
    const deleted = await store.openProducer(DELETED_PRODUCER);
    const kept = await store.openProducer(KEPT_PRODUCER);
    expect([deleted.epoch, kept.epoch]).toEqual([1, 1]);
    expect(await store.producer("orders", deleted.id)).toEqual({
      epoch: 0,
      nextSequence: 2,
      lastOffset: 1,
    });
    // What it had stored was cut off.
    expect(await store.producer("orders", kept.id)).toBeUndefined();
    await store.close();
  });
});

describe("golden store", () => {
  it("opens for writing, and its groups go on", async () => {
    const copy = copyOf("store", "store");
    const store = await LogStore.open(copy);
    await store.group("kitchen").commit({ Orders: 1 });
    await store.append("..", "another");
    await store.close();
    const after = await LogStore.open(copy, { readOnly: true });
    expect(await after.group("kitchen").committed(["Orders", "con"])).toEqual(
      new Map([
        ["Orders", 1],
        ["con", 1],
      ]),
    );
    expect((await after.read("..", 1)).records).toHaveLength(1);
    await after.close();
  });
});

describe.skipIf(!hasPython)("a reader written from docs/file-format.md (needs python3)", () => {
  it.each([...LOGS, ...STORES])("reads golden %s", (name) => {
    const kind = STORES.includes(name) ? "store" : "log";
    expect(readIndependently(kind, join(GOLDEN, name, kind))).toEqual(expected(name));
  });

  it("stops at the published end while the writer lives, and not when it is gone", async () => {
    const directory = join(work, "log");
    const log = await CommitLog.open(directory, { durability: "os" });
    await log.appendBatch(["one", "two"]);
    await log.append("three");
    const path = log.segments()[0]!.path;
    // What a writer has written and not yet published stands behind the end, whole or not.
    appendFileSync(path, "bytes on their way");
    expect(readIndependently("log", directory)).toMatchObject({ endOffset: 3 });
    await log.append("four");
    expect(readIndependently("log", directory)).toMatchObject({ endOffset: 4 });
    await log.truncateTo(1);
    expect(readIndependently("log", directory)).toMatchObject({ endOffset: 1, epoch: 1 });
    await log.close();
    expect(readIndependently("log", directory)).toMatchObject({ endOffset: 1, epoch: 1 });
  });

  it("finds the slots of a log of a store", async () => {
    const directory = join(work, "store");
    const store = await LogStore.open(directory);
    await store.append("first", "1");
    await store.appendBatch("second", ["1", "2"]);
    const [first, second] = readIndependently("store", directory).keys;
    expect([first.endOffset, second.endOffset]).toEqual([1, 2]);
    await store.close();
  });

  it("finds what stands in the journal and nowhere else", async () => {
    const directory = join(work, "store");
    await leaveJournaled(directory, ["a", "b", "c"], {
      count: 12,
      use: async (store) => {
        await store.appendBatch("a", [
          { value: "keyed", key: "k", timestamp: 5 },
          { value: "", key: "", headers: { h: "v" } },
          // Too long for the journal: all before it moves to the segments.
          "x".repeat(50_000),
        ]);
        await store.append("a", "behind it");
        await (await store.log("b")).truncateTo(7);
        await store.append("b", "another 7");
        await (await store.log("c")).truncateTo(5);
        await store.deleteKey("warm-up");
        await store.append("warm-up", "a new log of that name");
        // While its writer lives.
        expect(readIndependently("store", directory)).toEqual(await describeStore(directory));
      },
    });
    const described = await describeStore(directory);
    expect(described.directories).toContain(".journal");
    expect(described.keys.map(({ endOffset }) => endOffset)).toEqual([16, 8, 5, 1]);
    expect(readIndependently("store", directory)).toEqual(described);
    const [a] = described.keys;
    expect(readIndependently("log", join(directory, "logs", "a"))).toEqual({
      ...a,
      key: undefined,
    });
  });

  it.each<[string, (orders: string, journal: string) => void]>([
    ["the segment is missing that it goes through", (orders) => rmSync(segmentPath(orders, 7))],
    ["that segment has lost a record before it", (orders) => cut(segmentPath(orders, 7), 300)],
    [
      "a header does not tell whether it was carried out",
      (orders) => flipBit(segmentPath(orders, 13), 41),
    ],
    [
      "its mark in the journal is lost",
      (_, journal) => cut(segmentPath(journal, 0), blocksOf(journal, 0).at(-1)!.position),
    ],
    ["the journal has no log.meta", (_, journal) => rmSync(join(journal, "log.meta"))],
  ])("says of an interrupted truncation, as the library does, that %s", async (_, damage) => {
    const copy = copyOf("truncating-store", "store");
    damage(join(copy, "logs", "orders"), join(copy, "logs", ".journal"));
    expect(() => readIndependently("store", copy)).toThrow(/Damage/);
    await expect(describeStore(copy)).rejects.toMatchObject({ code: "CORRUPTION" });
  });

  it("misses what is missing between the segments and the journal", async () => {
    const directory = join(work, "store");
    await leaveJournaled(directory, ["a"], {
      count: 3,
      use: async (store) => {
        await store.append("a", "x".repeat(50_000));
        await nextTurn();
        await store.append("a", "behind it");
      },
    });
    const [name] = readdirSync(join(directory, "logs", "a")).filter((each) =>
      /^\d+\.log$/.test(each),
    );
    // The header of the segment, and no block.
    truncateSync(join(directory, "logs", "a", name!), 80);
    expect(() => readIndependently("store", directory)).toThrow(/the journal are missing/);
    await expect(describeStore(directory)).rejects.toMatchObject({ code: "CORRUPTION" });
  });
});

/** JSON of a golden directory; its shape is that of `describe.ts`. */
// biome-ignore lint/suspicious/noExplicitAny: what it holds is compared, not used.
function expected(name: string): any {
  return JSON.parse(readFileSync(join(GOLDEN, name, "expected.json"), "utf8"));
}

function copyOf(name: string, kind: "log" | "store"): string {
  const copy = join(work, kind);
  cpSync(join(GOLDEN, name, kind), copy, { recursive: true });
  return copy;
}

/** Of all names and contents below a directory. */
function digest(directory: string): string {
  const hash = createHash("sha256");
  for (const name of readdirSync(directory, { recursive: true, encoding: "utf8" }).sort()) {
    const path = join(directory, name);
    hash.update(name);
    if (statSync(path).isFile()) hash.update(readFileSync(path));
  }
  return hash.digest("hex");
}
