import { existsSync, renameSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import type { LogRecord } from "../../src/format/record.js";
import { CommitLog } from "../../src/log/commit-log.js";
import { JournalFollower } from "../../src/log/follow/journal-follower.js";
import type { LogStore } from "../../src/store/log-store.js";
import { codeOf, failureOf } from "../support/failure.js";
import { FaultyFileSystem } from "../support/faulty-file-system.js";
import { newPath } from "../support/temporary-directory.js";
import {
  appendTo,
  expectAll,
  expected,
  JOURNAL,
  KEYS,
  openJournaling,
  openReader,
} from "./journaling.js";
import { textsIn, textsOf } from "./stores.js";

async function allOf(log: CommitLog): Promise<LogRecord[]> {
  const records: LogRecord[] = [];
  for await (const record of log.records()) records.push(record);
  return records;
}

/** Resolves when a log of a reader next asks for a look at the journal. */
function nextQuestion(): Promise<void> {
  const { refresh } = JournalFollower.prototype;
  const spy = vi.spyOn(JournalFollower.prototype, "refresh");
  onTestFinished(() => spy.mockRestore());
  return new Promise((resolve) => {
    spy.mockImplementationOnce(function (this: JournalFollower) {
      const answer = refresh.call(this);
      resolve();
      return answer;
    });
  });
}

/**
 * A log of which a reader knows six records in its segments and four in the journal. The writer has
 * moved those since, and removed the journal's file, of which the reader has no handle.
 */
async function leaveBehind(): Promise<{ log: CommitLog; texts: readonly string[] }> {
  const directory = newPath();
  const setting = { settleBytes: 60_000, journalSegmentBytes: 20_000 };
  const store = await openJournaling(directory, {}, setting);
  // Too long for the journal, so these move what stands there.
  const others = Array.from({ length: 20 }, (_, index) => `other${index}`);
  await appendTo(store, ["a"], 5);
  for (const key of ["a", ...others]) await store.append(key, "x".repeat(20_000));
  await appendTo(store, ["a"], 10);
  const texts = await textsIn(store, "a");
  const fileSystem = new FaultyFileSystem();
  const reader = await openReader(directory, fileSystem, 16);
  const log = await reader.log("a");
  expect([log.segments().at(-1)!.endOffset, log.endOffset]).toEqual([6, 10]);
  const first = fileSystem.matching({ kind: "open", path: JOURNAL })[0]!.path;
  for (const key of others) await reader.read(key, 0);
  expect(fileSystem.openPaths).not.toContain(first);
  while (existsSync(first)) await store.append("b", "x".repeat(4000));
  return { log, texts };
}

describe("records that stand in the journal", () => {
  it("are read by every door", async () => {
    const directory = newPath();
    const fileSystem = new FaultyFileSystem();
    const store = await openJournaling(directory, {}, { fileSystem });
    await appendTo(store, KEYS, 40);
    expect(fileSystem.matching({ kind: "write", path: /\/logs\/[abcd]\/\d+\.log$/ })).toEqual([]);
    const reader = await openReader(directory);
    const alone = await CommitLog.open(join(directory, "logs", "b"), { readOnly: true });
    onTestFinished(() => alone.close());
    for (const log of [await store.log("b"), await reader.log("b"), alone]) {
      expect(log.endOffset).toBe(40);
      expect(textsOf(await allOf(log))).toEqual(expected("b", 40));
      const batched: number[] = [];
      for await (const batch of log.batches({ from: 7, to: 33 })) {
        for (const { offset } of batch) batched.push(offset);
      }
      expect(batched).toEqual(Array.from({ length: 26 }, (_, index) => index + 7));
      expect(`${Buffer.from((await log.read(39)).value)}`).toBe("b 39");
      expect(`${Buffer.from(log.readSync(20).value)}`).toBe("b 20");
      const some = await log.readFrom(35, { maxRecords: 3 });
      expect(some.map(({ offset }) => offset)).toEqual([35, 36, 37]);
      const { timestamp } = await log.read(30);
      const found = await log.offsetForTimestamp(timestamp);
      expect(found).toBeLessThanOrEqual(30);
      expect((await log.read(found)).timestamp).toBe(timestamp);
      expect(await log.offsetForTimestamp(timestamp + 100_000)).toBe(40);
      expect(await codeOf(log.read(40))).toBe("OFFSET_OUT_OF_RANGE");
    }
  });

  it("are followed, here and elsewhere, while they move to the segments", async () => {
    const directory = newPath();
    const store = await openJournaling(directory, {}, { settleBytes: 2000 });
    await appendTo(store, KEYS, 1);
    const reader = await openReader(directory);
    const follow = async (from: LogStore) => {
      const texts: string[] = [];
      for await (const { value } of from.follow("c", { from: 0 })) {
        texts.push(`${Buffer.from(value)}`);
        if (texts.length === 200) break;
      }
      return texts;
    };
    const followed = Promise.all([follow(store), follow(reader)]);
    await appendTo(store, KEYS, 200);
    for (const texts of await followed) expect(texts).toEqual(expected("c", 200));
  });

  it("are not put behind the end of a log that is cut while a reader looks", async () => {
    const directory = newPath();
    const store = await openJournaling(directory);
    await appendTo(store, ["a"], 20);
    const reader = await openReader(directory);
    const log = await reader.log("a");
    // When it has looked at the journal, and is about to look at the log.
    const { refresh } = JournalFollower.prototype;
    const spy = vi.spyOn(JournalFollower.prototype, "refresh");
    onTestFinished(() => spy.mockRestore());
    spy.mockImplementationOnce(async function (this: JournalFollower) {
      await refresh.call(this);
      await (await store.log("a")).truncateTo(12);
    });
    const refreshed = codeOf(log.refresh());
    expect(await refreshed).toBe("LOG_TRUNCATED");
    expect([log.epoch, log.endOffset]).toEqual([1, 12]);
  });

  it("are not missed when they move while a reader is about to look", async () => {
    const directory = newPath();
    const store = await openJournaling(directory);
    await appendTo(store, KEYS, 20);
    const reader = await openReader(directory);
    const log = await reader.log("a");
    // What it looks at before the journal is of the time before, what comes after of the time after.
    const { refresh } = JournalFollower.prototype;
    const spy = vi.spyOn(JournalFollower.prototype, "refresh");
    onTestFinished(() => spy.mockRestore());
    spy.mockImplementationOnce(async function (this: JournalFollower) {
      await store.close();
      await refresh.call(this);
    });
    await log.refresh();
    expect(log.endOffset).toBe(20);
    await expectAll(reader, KEYS, 20);
  });

  it("are not shown to a log that was cut while the reader looked at the journal", async () => {
    const directory = newPath();
    const store = await openJournaling(directory);
    await appendTo(store, ["a", "b"], 20);
    const fileSystem = new FaultyFileSystem();
    const reader = await openReader(directory, fileSystem);
    const hold = fileSystem.hold({ kind: "read", path: JOURNAL });
    const other = reader.log("b");
    await hold.reached;
    await (await store.log("a")).truncateTo(12);
    const asked = nextQuestion();
    const opening = reader.log("a");
    await asked;
    hold.release();
    await other;
    const log = await opening;
    expect([log.epoch, log.endOffset]).toEqual([1, 12]);
    for (let offset = 12; offset < 15; offset++) await store.append("a", `new ${offset}`);
    const texts: string[] = [];
    for await (const { value } of log.records({ follow: true })) {
      texts.push(`${Buffer.from(value)}`);
      if (texts.length === 15) break;
    }
    expect(texts).toEqual([...expected("a", 12), "new 12", "new 13", "new 14"]);
  });

  it("are seen by a reader that asks when they are acknowledged", async () => {
    const directory = newPath();
    const store = await openJournaling(directory);
    await appendTo(store, ["a", "b"], 5);
    const fileSystem = new FaultyFileSystem();
    const reader = await openReader(directory, fileSystem);
    const [a, b] = [await reader.log("a"), await reader.log("b")];
    await appendTo(store, ["b"], 6);
    // It has seen already how far the journal goes.
    const hold = fileSystem.hold({ kind: "read", path: JOURNAL });
    const other = b.refresh();
    await hold.reached;
    await appendTo(store, ["a"], 6);
    const asked = nextQuestion();
    const mine = a.refresh();
    await asked;
    hold.release();
    await Promise.all([other, mine]);
    expect([a.endOffset, b.endOffset]).toEqual([6, 6]);
    await expectAll(reader, ["a", "b"], 6);
  });

  it.each([
    ["read", async (log: CommitLog) => [await log.read(9)]],
    ["readFrom", (log: CommitLog) => log.readFrom(0)],
    ["readFrom behind the segments", (log: CommitLog) => log.readFrom(6)],
    ["records", (log: CommitLog) => allOf(log)],
  ] as const)("are found by %s where they have gone", async (_, read) => {
    const { log, texts } = await leaveBehind();
    const records = await read(log);
    expect(records.at(-1)!.offset).toBe(9);
    expect(textsOf(records)).toEqual(texts.slice(records[0]!.offset));
  });

  it("are found by time where they have gone", async () => {
    const { log } = await leaveBehind();
    expect(await log.offsetForTimestamp(Number.MAX_SAFE_INTEGER)).toBe(10);
  });

  it("are not taken for damage by a read that cannot wait until they are found", async () => {
    const { log, texts } = await leaveBehind();
    expect(await failureOf(() => log.readSync(9))).toMatchObject({
      code: "IO_ERROR",
      message: expect.stringContaining("refresh()"),
    });
    await log.refresh();
    expect(textsOf([log.readSync(9)])).toEqual([texts[9]]);
  });

  it("are not missed when the journal is made between two looks at its directory", async () => {
    const directory = newPath();
    const store = await openJournaling(directory, {}, { journalFrom: 2 });
    await store.append("a", "a 0");
    const fileSystem = new FaultyFileSystem();
    const reader = await openReader(directory, fileSystem);
    const log = await reader.log("a");
    const hold = fileSystem.hold({ kind: "kindOf", path: /\.journal$/ });
    const refreshed = log.refresh();
    await hold.reached;
    while (!existsSync(join(directory, "logs", ".journal"))) {
      await Promise.all([store.append("b", ""), store.append("c", "")]);
    }
    hold.release();
    await refreshed;
    await appendTo(store, ["a", "b", "c"], 20);
    await log.refresh();
    await expectAll(reader, ["a"], 20);
  });

  it("are not looked for behind a symbolic link", async () => {
    const directory = newPath();
    const store = await openJournaling(directory);
    await appendTo(store, KEYS, 5);
    const journal = join(directory, "logs", ".journal");
    renameSync(journal, join(directory, "elsewhere"));
    symlinkSync(join(directory, "elsewhere"), journal);
    const path = join(directory, "logs", "a");
    expect(await codeOf(CommitLog.open(path, { readOnly: true }))).toBe("UNSAFE_PATH");
    expect(await codeOf(openReader(directory))).toBe("UNSAFE_PATH");
  });
});
