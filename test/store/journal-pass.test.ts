import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { SeglogError } from "../../src/errors.js";
import { CommitLog } from "../../src/log/commit-log.js";
import type { LogStore } from "../../src/store/log-store.js";
import { FaultyFileSystem } from "../support/faulty-file-system.js";
import { newPath } from "../support/temporary-directory.js";
import {
  appendTo,
  expectAll,
  expected,
  growUntil,
  JOURNAL,
  KEYS,
  openJournaling,
  type Setting,
} from "./journaling.js";
import { kill, textsIn } from "./stores.js";

const MANY = Array.from({ length: 20 }, (_, index) => `key-${index}`);

const FILLER = "x".repeat(1000);

/** Lets the journal grow until all that it held is in the logs' segments, and its start moves. */
async function fillAndEmpty(store: LogStore, fileSystem: FaultyFileSystem): Promise<void> {
  const hold = fileSystem.hold({ kind: "rename", path: /\.journal\/log\.meta/ });
  await growUntil(store, hold, "filler", FILLER);
  hold.release();
}

describe("what is moved from the journal", () => {
  it("is gathered for all logs by one pass, however their records lie between each other", async () => {
    const fileSystem = new FaultyFileSystem();
    const setting: Setting = { fileSystem, settleBytes: 100_000, smallWriteBytes: 0 };
    const store = await openJournaling(newPath(), {}, setting);
    await appendTo(store, MANY, 40);
    fileSystem.forget();
    await fillAndEmpty(store, fileSystem);
    // Of groups, each with a record of each log, there are forty and more.
    expect(fileSystem.countOf("read", JOURNAL)).toBeLessThan(20);
    await expectAll(store, MANY, 40);
  });

  it("keeps keys, headers and timestamps", async () => {
    const directory = newPath();
    const fileSystem = new FaultyFileSystem();
    const store = await openJournaling(directory, {}, { fileSystem, settleBytes: 20_000 });
    const headers = { type: "b" };
    const inputs = [
      { value: "plain" },
      { value: "with a key", key: "k", timestamp: 5 },
      { value: "with headers", headers },
      { value: "with both", key: "", headers, timestamp: 7 },
    ];
    for (const input of inputs) {
      await Promise.all([store.append("a", input), store.append("b", input.value)]);
    }
    const before = await store.read("a", 0);
    await fillAndEmpty(store, fileSystem);
    expect((await store.read("a", 0)).records).toEqual(before.records);
    await store.close();
    const log = await CommitLog.open(join(directory, "logs", "a"), { readOnly: true });
    expect(await log.readFrom(0)).toEqual(before.records);
    await log.close();
  });

  it("goes there in pieces that fit into segments", async () => {
    const directory = newPath();
    const fileSystem = new FaultyFileSystem();
    const options = { segmentBytes: 2000 };
    const store = await openJournaling(directory, options, { fileSystem, settleBytes: 40_000 });
    await appendTo(store, KEYS, 150);
    await fillAndEmpty(store, fileSystem);
    await expectAll(store, KEYS, 150);
    const log = await store.log("a");
    expect(log.segments().length).toBeGreaterThan(1);
    for (const { bytes } of log.segments()) expect(bytes).toBeLessThanOrEqual(2000);
  });

  it("is read log by log where the pass fails", async () => {
    const directory = newPath();
    const fileSystem = new FaultyFileSystem();
    const told: SeglogError[] = [];
    const onError = (error: SeglogError) => told.push(error);
    const store = await openJournaling(directory, { onError }, { fileSystem, settleBytes: 20_000 });
    await appendTo(store, KEYS, 30);
    const fault = fileSystem.fail({ kind: "read", path: JOURNAL }, { errno: "EIO" });
    await fillAndEmpty(store, fileSystem);
    expect([fault.hits, told]).toEqual([1, []]);
    await expectAll(store, KEYS, 30);
    await kill(store, fileSystem);
    await expectAll(await openJournaling(directory), KEYS, 30);
  });

  it("does not come back where the log was cut meanwhile", async () => {
    const directory = newPath();
    const fileSystem = new FaultyFileSystem();
    const setting: Setting = { fileSystem, settleBytes: 4000, smallWriteBytes: 0 };
    const store = await openJournaling(directory, {}, setting);
    await appendTo(store, ["a", "d"], 3);
    // The log is about to be cut where its segments end now.
    const writing = fileSystem.hold({ kind: "write", path: /\/d\/\d+\.log$/ });
    const cut = (await store.log("d")).truncateTo(0);
    await writing.reached;
    // What it has in the journal is gathered, and waits for its turn.
    const syncing = fileSystem.hold({ kind: "datasync", path: /\/a\/\d+\.log$/ });
    await growUntil(store, syncing);
    writing.release();
    await cut;
    syncing.release();
    await (await store.log("d")).flush();
    expect(await textsIn(store, "d")).toEqual([]);
    await appendTo(store, ["d"], 2);
    await store.close();
    const again = await openJournaling(directory);
    expect(await textsIn(again, "d")).toEqual(expected("d", 2));
    await expectAll(again, ["a"], 3);
  });

  it("keeps no append to the same log waiting", async () => {
    const directory = newPath();
    const fileSystem = new FaultyFileSystem();
    const store = await openJournaling(directory, {}, { fileSystem, settleBytes: 4000 });
    await appendTo(store, ["a", "b"], 10);
    const hold = fileSystem.hold({ kind: "datasync", path: /\/a\/\d+\.log$/ });
    await growUntil(store, hold, "filler");
    let isAnswered = false;
    const appending = store.append("a", "a 10").then(() => {
      isAnswered = true;
    });
    // Its record is synced with those of other logs, while the log's own file still is.
    await store.append("filler", "x");
    const wasAnswered = isAnswered;
    hold.release();
    await appending;
    expect(wasAnswered).toBe(true);
    await (await store.log("a")).flush();
    await appendTo(store, ["a"], 12);
    await expectAll(store, ["a"], 12);
    await kill(store, fileSystem);
    await expectAll(await openJournaling(directory), ["a"], 12);
  });

  it("is found by its time while it moves", async () => {
    const directory = newPath();
    let clock = 1000;
    const first = new FaultyFileSystem();
    const now = () => clock;
    const options = { segmentBytes: 1000 };
    const before = await openJournaling(directory, options, { fileSystem: first, now });
    await appendTo(before, ["a"], 200);
    await before.close();
    const fileSystem = new FaultyFileSystem();
    const setting: Setting = { fileSystem, now, settleBytes: 20_000 };
    const store = await openJournaling(directory, options, setting);
    const log = await store.log("a");
    clock = 2000;
    // So long that it goes to a segment of its own.
    await store.append("a", FILLER);
    const hold = fileSystem.hold({ kind: "read", path: /\/a\/0{20}\.log$/ });
    const search = log.offsetForTimestamp(2000);
    await hold.reached;
    await fillAndEmpty(store, fileSystem);
    hold.release();
    expect(await search).toBe(200);
  });

  it("makes room by retention where there was none for it", async () => {
    const fileSystem = new FaultyFileSystem();
    const options = { segmentBytes: 1000, retention: { bytes: 500 }, onError: () => {} };
    const setting: Setting = { fileSystem, settleBytes: 20_000 };
    const store = await openJournaling(newPath(), options, setting);
    await appendTo(store, ["a"], 300);
    const log = await store.log("a");
    // The first pieces of its tail fill segments; then the disk is full.
    const full = fileSystem.fail(
      { kind: "write", path: /\/a\/\d+\.log$/ },
      { errno: "ENOSPC", after: 4, times: Number.POSITIVE_INFINITY },
    );
    const removing = fileSystem.hold({ kind: "unlink", path: /\/a\// });
    await growUntil(store, removing, "filler", FILLER);
    removing.release();
    expect(full.hits).toBe(1);
    expect(log.startOffset).toBeGreaterThan(0);
  });

  it("lets retention act on what it has made old", async () => {
    const fileSystem = new FaultyFileSystem();
    const options = { segmentBytes: 1000, retention: { bytes: 2000 } };
    const setting: Setting = { fileSystem, settleBytes: 40_000 };
    const store = await openJournaling(newPath(), options, setting);
    await appendTo(store, KEYS, 300);
    const log = await store.log("a");
    expect(log.segments().length).toBe(1);
    await fillAndEmpty(store, fileSystem);
    await log.flush();
    expect(log.startOffset).toBeGreaterThan(0);
    expect(log.endOffset).toBe(300);
  });

  it("leaves what came after the pass began, for the next one", async () => {
    const directory = newPath();
    const fileSystem = new FaultyFileSystem();
    const setting: Setting = { fileSystem, settleBytes: 20_000 };
    const store = await openJournaling(directory, {}, setting);
    await appendTo(store, KEYS, 10);
    const hold = fileSystem.hold({ kind: "datasync", path: /\/a\/\d+\.log$/ });
    await growUntil(store, hold, "filler", FILLER);
    await appendTo(store, ["b", "c", "d"], 20);
    hold.release();
    await (await store.log("a")).flush();
    await expectAll(store, ["b", "c", "d"], 20);
    await kill(store, fileSystem);
    const again = await openJournaling(directory);
    await expectAll(again, ["a"], 10);
    await expectAll(again, ["b", "c", "d"], 20);
  });
});
