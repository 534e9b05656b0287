import { createHash } from "node:crypto";
import {
  appendFileSync,
  cpSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { CommitLog, LogStore } from "seglog";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { describeLog, describeStore } from "./describe.js";
import { hasPython, readIndependently } from "./independent-reader.js";

const GOLDEN = fileURLToPath(new URL("../../fixtures/golden/v0", import.meta.url));
const LOGS = ["clean-log", "killed-log", "crafted-log"];

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
    const wasKilled = name === "killed-log";
    expect(log.recovery.kind).toBe(wasKilled ? "unclean" : "clean");
    // Bytes were cut, which may have been accepted records.
    expect(log.epoch).toBe(epoch + (wasKilled ? 1 : 0));
    expect(await log.append("another")).toBe(content.endOffset);
    await log.truncateTo(content.endOffset);
    await log.close();
    expect(await describeLog(copy)).toMatchObject(content);
  });
});

describe("golden store", () => {
  it("reads as expected, and reading changes nothing", async () => {
    const before = digest(join(GOLDEN, "store"));
    expect(await describeStore(join(GOLDEN, "store", "store"))).toEqual(expected("store"));
    expect(digest(join(GOLDEN, "store"))).toBe(before);
  });

  it("opens for writing, and its groups go on", async () => {
    const copy = copyOf("store", "store");
    expect(await describeStore(copy, {})).toEqual(expected("store"));
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
  it.each([...LOGS, "store"])("reads golden %s", (name) => {
    const kind = name === "store" ? "store" : "log";
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
