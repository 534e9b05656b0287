import { existsSync } from "node:fs";
import { join } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import type { SeglogError } from "../../src/errors.js";
import type { RecordInput } from "../../src/format/record.js";
import { CommitLog } from "../../src/log/commit-log.js";
import { LogStore } from "../../src/store/log-store.js";
import { codeOf } from "../support/failure.js";
import { FaultyFileSystem } from "../support/faulty-file-system.js";
import { newPath } from "../support/temporary-directory.js";
import {
  appendTo,
  expectAll,
  expected,
  JOURNAL,
  KEYS,
  leaveJournaled,
  openJournaling,
  SEGMENT,
} from "./journaling.js";
import { kill, textsIn, textsOf } from "./stores.js";

const DAY = 24 * 3600 * 1000;

describe("the logs of a store, when many of them take appends at once", () => {
  it("share one sync of their journal", async () => {
    const fileSystem = new FaultyFileSystem();
    const keys = Array.from({ length: 50 }, (_, index) => `k${index}`);
    const store = await openJournaling(newPath(), {}, { fileSystem, journalFrom: 8 });
    for (const key of keys) await store.append(key, `${key} 0`);
    expect(fileSystem.countOf("write", JOURNAL)).toBe(0);
    // Now they see that they are many; soon there is a journal.
    let count = 2;
    while (fileSystem.countOf("write", JOURNAL) < 2) await appendTo(store, keys, count++);
    fileSystem.forget();
    await appendTo(store, keys, count);
    expect(fileSystem.countOf("datasync")).toBe(1);
    expect(fileSystem.countOf("datasync", JOURNAL)).toBe(1);
    await expectAll(store, keys, count);
    await store.close();
    const again = await LogStore.open(store.directory);
    await expectAll(again, keys, count);
    await again.close();
  });

  it("write to their own segments when there is one alone", async () => {
    const fileSystem = new FaultyFileSystem();
    const store = await openJournaling(newPath(), {}, { fileSystem, journalFrom: 8 });
    await Promise.all(Array.from({ length: 100 }, (_, index) => store.append("a", `${index}`)));
    expect(existsSync(join(store.directory, "logs", ".journal"))).toBe(false);
  });

  it("write to their own again when one is left", async () => {
    const fileSystem = new FaultyFileSystem();
    const keys = Array.from({ length: 20 }, (_, index) => `k${index}`);
    const store = await openJournaling(newPath(), {}, { fileSystem, journalFrom: 8 });
    let count = 1;
    while (fileSystem.countOf("write", JOURNAL) < 2) await appendTo(store, keys, count++);
    // Appends of one log count once: the first goes where the others went.
    await store.append("k0", "x");
    fileSystem.forget();
    await Promise.all(Array.from({ length: 50 }, () => store.append("k0", "x")));
    expect(fileSystem.countOf("write", JOURNAL)).toBe(0);
  });

  it.each(["os", "interval"] as const)("write to their own under %s", async (durability) => {
    const store = await openJournaling(newPath(), { durability });
    await appendTo(store, KEYS, 5);
    expect(existsSync(join(store.directory, "logs", ".journal"))).toBe(false);
  });

  it("answer when the journal is synced, not before", async () => {
    const fileSystem = new FaultyFileSystem();
    const store = await openJournaling(newPath(), {}, { fileSystem });
    await appendTo(store, ["a"], 3);
    const hold = fileSystem.hold({ kind: "datasync", path: JOURNAL });
    let isAnswered = false;
    const append = store.append("a", "a 3").then(() => {
      isAnswered = true;
    });
    await hold.reached;
    expect(isAnswered).toBe(false);
    expect((await store.bounds("a"))?.endOffset).toBe(3);
    hold.release();
    await append;
    await expectAll(store, ["a"], 4);
  });

  it("keep the order of appends that go either way", async () => {
    const store = await openJournaling(newPath());
    const long = "x".repeat(50_000);
    const values = Array.from({ length: 60 }, (_, index) =>
      index % 7 === 0 ? `${index} ${long}` : `${index}`,
    );
    const offsets = await Promise.all(values.map((value) => store.append("a", value)));
    expect(offsets).toEqual(values.map((_, index) => index));
    expect(await textsIn(store, "a")).toEqual(values);
  });

  it("keep the order of a long one behind short ones", async () => {
    const directory = newPath();
    const fileSystem = new FaultyFileSystem();
    const store = await openJournaling(directory, {}, { fileSystem });
    await store.log("a");
    const values = ["short", "x".repeat(50_000), "short again"];
    expect(await Promise.all(values.map((value) => store.append("a", value)))).toEqual([0, 1, 2]);
    values.push("last");
    await nextTurn();
    fileSystem.forget();
    expect(await store.append("a", "last")).toBe(3);
    expect(fileSystem.countOf("write", JOURNAL)).toBe(1);
    expect(await textsIn(store, "a")).toEqual(values);
    await kill(store, fileSystem);
    expect(await textsIn(await openJournaling(directory), "a")).toEqual(values);
  });

  it("keep the order of batches that follow each other", async () => {
    const store = await openJournaling(newPath());
    await store.log("a");
    const [first, second, last] = await Promise.all([
      store.appendBatch("a", ["0", "1", "2"]),
      store.appendBatch("a", ["3", "4"]),
      store.append("a", "5"),
    ]);
    expect([first.baseOffset, second.baseOffset, last]).toEqual([0, 3, 5]);
    expect(await textsIn(store, "a")).toEqual(["0", "1", "2", "3", "4", "5"]);
  });

  it.each(["log", "store"] as const)("are answered before their %s is closed", async (what) => {
    const directory = newPath();
    const fileSystem = new FaultyFileSystem();
    const store = await openJournaling(directory, {}, { fileSystem });
    await appendTo(store, ["a", "b"], 3);
    const log = await store.log("a");
    const hold = fileSystem.hold({ kind: "datasync", path: JOURNAL });
    const events: string[] = [];
    const append = store.append("a", "a 3").then((offset) => events.push(`appended ${offset}`));
    await hold.reached;
    const closing = (what === "log" ? log : store).close().then(() => events.push("closed"));
    // It goes to whatever log is opened next.
    const next = what === "log" ? store.append("a", "a 4") : undefined;
    // As much work, and more, as to close the log and open it again.
    await (await openJournaling(newPath())).close();
    expect(events).toEqual([]);
    hold.release();
    await Promise.all([append, closing]);
    expect(events).toEqual(["appended 3", "closed"]);
    if (next !== undefined) expect(await next).toBe(4);
    await store.close();
    const again = await LogStore.open(directory);
    onTestFinished(() => again.close());
    await expectAll(again, ["a"], what === "log" ? 5 : 4);
    await expectAll(again, ["b"], 3);
  });

  it("are answered before their log is closed, also when that is given up meanwhile", async () => {
    const directory = newPath();
    const fileSystem = new FaultyFileSystem();
    let isGivenUp = false;
    const onError = () => {
      isGivenUp = true;
    };
    const store = await openJournaling(directory, { maxOpenFiles: 16, onError }, { fileSystem });
    await appendTo(store, ["a"], 3);
    const log = await store.log("a");
    // A full disk leaves files with a cut that is not synced.
    const failure = { errno: "ENOSPC", times: Number.POSITIVE_INFINITY };
    const full = fileSystem.fail({ kind: "write", path: SEGMENT }, failure);
    const long = "x".repeat(20_000);
    expect(await codeOf(store.append("a", long))).toBe("NO_SPACE");
    await nextTurn();
    const hold = fileSystem.hold({ kind: "datasync", path: JOURNAL });
    const events: string[] = [];
    const append = store.append("a", "a 3").then((offset) => events.push(`appended ${offset}`));
    await hold.reached;
    // Other logs need its handle, which is synced before it is closed.
    fileSystem.fail({ kind: "datasync", path: /\/a\/\d+\.log$/ }, { errno: "EIO" });
    for (let count = 0; !isGivenUp; count++) {
      expect(await codeOf(store.append(`k${count}`, long))).toBe("NO_SPACE");
    }
    full.remove();
    const closing = codeOf(log.close()).then((code) => events.push(code));
    const next = store.append("a", "a 4");
    await (await openJournaling(newPath())).close();
    expect(events).toEqual([]);
    hold.release();
    await Promise.all([append, closing]);
    expect(events).toEqual(["appended 3", "LOG_POISONED"]);
    expect(await next).toBe(4);
    await store.close();
    const again = await LogStore.open(directory);
    onTestFinished(() => again.close());
    await expectAll(again, ["a"], 5);
  });

  it("give a batch its offsets, and keys and headers back", async () => {
    const store = await openJournaling(newPath());
    await appendTo(store, ["a"], 2);
    const records: RecordInput[] = [
      "plain",
      { value: "keyed", key: "k", timestamp: 5 },
      { value: "", headers: { h: "v" } },
      { value: "both", key: "", headers: [] },
    ];
    expect(await store.appendBatch("a", records)).toMatchObject({ baseOffset: 2, lastOffset: 5 });
    const look = async () => {
      const { records: read } = await store.read("a", 2);
      expect(read.map(({ offset }) => offset)).toEqual([2, 3, 4, 5]);
      expect(Buffer.from(read[1]!.key!).toString()).toBe("k");
      expect(read[1]!.timestamp).toBe(5);
      expect(read[0]).not.toHaveProperty("key");
      expect(read[2]!.headers!.map(([name, value]) => [name, `${Buffer.from(value)}`])).toEqual([
        ["h", "v"],
      ]);
      expect(read[3]).toMatchObject({ key: new Uint8Array(0), headers: [] });
    };
    await look();
    await (await store.log("a")).flush();
    await store.close();
    const again = await LogStore.open(store.directory);
    onTestFinished(() => again.close());
    expect((await again.read("a", 2)).records.map(({ value }) => `${Buffer.from(value)}`)).toEqual([
      "plain",
      "keyed",
      "",
      "both",
    ]);
  });
});

describe("records that stand in the journal", () => {
  it("are there after the process was killed", async () => {
    const directory = newPath();
    await leaveJournaled(directory, 30);
    const reader = await LogStore.open(directory, { readOnly: true });
    await expectAll(reader, KEYS, 30);
    await reader.close();
    for (const durability of ["os", "always"] as const) {
      const store = await openJournaling(directory, { durability });
      await expectAll(store, KEYS.slice(0, 2), 30);
      await store.close();
    }
    const last = await openJournaling(directory);
    await expectAll(last, KEYS, 30);
    await appendTo(last, KEYS, 35);
    await last.close();
    const again = await LogStore.open(directory, { readOnly: true });
    await expectAll(again, KEYS, 35);
    await again.close();
  });

  it("are there after a power cut took what no sync has covered", async () => {
    const directory = newPath();
    await leaveJournaled(directory, 30);
    // The journal alone has what was acknowledged there; segments hold what was synced.
    for (const key of KEYS) {
      const before = await CommitLog.open(join(directory, "logs", key), { readOnly: true });
      expect(before.segments().at(-1)!.endOffset).toBeLessThan(30);
      expect(before.endOffset).toBe(30);
      await before.close();
    }
  });

  it("do not come back when the log was cut behind them", async () => {
    const directory = newPath();
    const fileSystem = new FaultyFileSystem();
    const store = await openJournaling(directory, {}, { fileSystem });
    await appendTo(store, KEYS, 20);
    await (await store.log("a")).truncateTo(12);
    const beside = await LogStore.open(directory, { readOnly: true });
    await expectAll(beside, KEYS.slice(1), 20);
    await expectAll(beside, ["a"], 12);
    await beside.close();
    await kill(store, fileSystem);
    const again = await openJournaling(directory);
    await expectAll(again, ["a"], 12);
    await appendTo(again, ["a"], 15);
    await expectAll(again, KEYS.slice(1), 20);
    await again.close();
    const reader = await LogStore.open(directory, { readOnly: true });
    await expectAll(reader, ["a"], 15);
    await reader.close();
  });

  it("do not come back when the log was closed in between, and then cut", async () => {
    const directory = newPath();
    const fileSystem = new FaultyFileSystem();
    const store = await openJournaling(directory, {}, { fileSystem });
    await appendTo(store, KEYS, 20);
    await (await store.log("a")).close();
    await (await store.log("a")).truncateTo(12);
    await kill(store, fileSystem);
    const again = await openJournaling(directory);
    await expectAll(again, ["a"], 12);
  });

  it("keep the clock of their log from going back", async () => {
    const directory = newPath();
    const fileSystem = new FaultyFileSystem();
    const made = Date.UTC(2026, 0, 1);
    let time = made;
    const store = await openJournaling(directory, {}, { fileSystem, now: () => time });
    await store.log("a");
    time += 60_000;
    await appendTo(store, ["a"], 3);
    await kill(store, fileSystem);
    const again = await openJournaling(directory, {}, { now: () => made });
    await appendTo(again, ["a"], 4);
    const { records } = await again.read("a", 0);
    expect(records.map(({ timestamp }) => timestamp)).toEqual([time, time, time, time]);
  });

  it("go with their key", async () => {
    const directory = newPath();
    const fileSystem = new FaultyFileSystem();
    const store = await openJournaling(directory, {}, { fileSystem });
    await appendTo(store, KEYS, 20);
    await store.deleteKey("a");
    await appendTo(store, ["a"], 3);
    await kill(store, fileSystem);
    const again = await openJournaling(directory);
    await expectAll(again, ["a"], 3);
    await expectAll(again, ["b"], 20);
  });
});

describe("a log whose end stands in the journal", () => {
  it.each([5, 15, 20])("begins where deleteBefore(%s) of 20 says", async (offset) => {
    const directory = newPath();
    const fileSystem = new FaultyFileSystem();
    const store = await openJournaling(directory, {}, { fileSystem });
    await appendTo(store, KEYS, 10);
    // Up to here, the segments have it.
    await (await store.log("a")).truncateTo(10);
    await appendTo(store, KEYS, 20);
    await (await store.log("a")).deleteBefore(offset);
    const look = async (from: LogStore) => {
      expect(await from.bounds("a")).toEqual({ startOffset: offset, endOffset: 20 });
      const { records } = await from.read("a", offset);
      expect(records.map(({ offset: each, value }) => `${each}: ${Buffer.from(value)}`)).toEqual(
        expected("a", 20).flatMap((text, at) => (at < offset ? [] : [`${at}: ${text}`])),
      );
      expect(await codeOf((await from.log("a")).read(offset - 1))).toBe("OFFSET_OUT_OF_RANGE");
      await expectAll(from, ["b", "c", "d"], 20);
    };
    await look(store);
    await kill(store, fileSystem);
    const reader = await LogStore.open(directory, { readOnly: true });
    await look(reader);
    await reader.close();
    const again = await openJournaling(directory);
    await look(again);
    expect(await again.append("a", "next")).toBe(20);
  });

  it("refuses to begin behind its end", async () => {
    const store = await openJournaling(newPath());
    await appendTo(store, ["a"], 20);
    const log = await store.log("a");
    expect(await codeOf(log.deleteBefore(21))).toBe("OFFSET_OUT_OF_RANGE");
    await expectAll(store, ["a"], 20);
  });

  it("loses its oldest segments, and nothing else, when it is longer than allowed", async () => {
    const directory = newPath();
    const fileSystem = new FaultyFileSystem();
    const options = { segmentBytes: 1000, retention: { bytes: 3000 } };
    const store = await openJournaling(directory, options, { fileSystem });
    await appendTo(store, ["a"], 400);
    // Retention takes whole segments, so nothing yet.
    await expectAll(store, ["a"], 400);
    await (await store.log("a")).truncateTo(400);
    const { startOffset } = (await store.bounds("a"))!;
    expect(startOffset).toBeGreaterThan(0);
    expect(startOffset).toBeLessThan(400);
    const segments = (await store.log("a")).segments();
    expect(segments[0]!.baseOffset).toBe(startOffset);
    const bytes = segments.reduce((sum, segment) => sum + segment.bytes, 0);
    // What came into the last segment is counted when that is full.
    expect(bytes).toBeLessThanOrEqual(3000 + 1000);
    const look = async (from: LogStore) => {
      expect(await from.bounds("a")).toEqual({ startOffset, endOffset: 400 });
      const { records } = await from.read("a", startOffset);
      expect(records.map(({ value }) => `${Buffer.from(value)}`)).toEqual(
        expected("a", 400).slice(startOffset),
      );
    };
    await look(store);
    await kill(store, fileSystem);
    await look(await openJournaling(directory, options));
  });

  it("loses what is older than retention allows", async () => {
    const directory = newPath();
    const fileSystem = new FaultyFileSystem();
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    onTestFinished(() => {
      vi.useRealTimers();
    });
    let time = Date.UTC(2026, 0, 1);
    const options = { segmentBytes: 1000, retention: { ms: DAY } };
    const store = await openJournaling(directory, options, { fileSystem, now: () => time });
    await appendTo(store, ["a"], 400);
    time += 2 * DAY;
    // More than one segment holds: the last of the old records must share none with these.
    const young = Array.from({ length: 30 }, (_, index) => `young ${index}`);
    for (const each of young) await store.append("a", each);
    const log = await store.log("a");
    expect(log.segments()).toHaveLength(1);
    vi.advanceTimersByTime(DAY);
    await log.flush();
    expect(log.startOffset).toBeGreaterThan(350);
    expect(log.endOffset).toBe(430);
    const look = async (from: LogStore) => {
      const { startOffset } = (await from.bounds("a"))!;
      const { records } = await from.read("a", startOffset);
      expect(records.map(({ value }) => `${Buffer.from(value)}`)).toEqual(
        [...expected("a", 400), ...young].slice(startOffset),
      );
    };
    await look(store);
    await kill(store, fileSystem);
    await look(await openJournaling(directory, options, { now: () => time }));
  });

  it("loses what is older than retention allows, too, when the disk is full", async () => {
    const directory = newPath();
    const fileSystem = new FaultyFileSystem();
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    onTestFinished(() => {
      vi.useRealTimers();
    });
    let time = Date.UTC(2026, 0, 1);
    const told: string[] = [];
    const onError = ({ code }: SeglogError) => told.push(code);
    const options = { segmentBytes: 30_000, retention: { ms: DAY }, onError };
    const store = await openJournaling(directory, options, { fileSystem, now: () => time });
    // Each has a segment of its own.
    for (let count = 0; count < 5; count++) await store.append("a", "x".repeat(20_000));
    const log = await store.log("a");
    await log.flush();
    await nextTurn();
    fileSystem.forget();
    await store.append("a", "in the journal");
    expect(fileSystem.countOf("write", JOURNAL)).toBe(1);
    expect(log.segments().map(({ baseOffset }) => baseOffset)).toEqual([0, 1, 2, 3, 4]);
    const failure = { errno: "ENOSPC", times: Number.POSITIVE_INFINITY };
    const full = fileSystem.fail({ kind: "write", path: /\/a\/\d+\.log$/ }, failure);
    time += 2 * DAY;
    vi.advanceTimersByTime(DAY);
    await log.flush();
    expect(told).toEqual(["NO_SPACE"]);
    expect([log.startOffset, log.endOffset]).toEqual([4, 6]);
    full.remove();
    await store.close();
    const again = await openJournaling(directory);
    expect(textsOf((await again.read("a", 5)).records)).toEqual(["in the journal"]);
  });
});
