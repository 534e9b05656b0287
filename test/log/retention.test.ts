import { describe, expect, onTestFinished, test, vi } from "vitest";
import type { SeglogError } from "../../src/errors.js";
import type { CommitLog, OpenLogOptions } from "../../src/log/commit-log.js";
import { kill, leaveUnclean } from "../support/crash.js";
import { cut, flipBit } from "../support/damage.js";
import { codeOf } from "../support/failure.js";
import { FaultyFileSystem } from "../support/faulty-file-system.js";
import {
  appendEach,
  expectedValues,
  headerOf,
  openLog,
  segmentPath,
  valueAt,
  valuesOf,
} from "../support/log-builder.js";
import { newPath } from "../support/temporary-directory.js";

/** Four records to a segment. */
const SMALL_SEGMENTS = { segmentBytes: 480 };
const DAY = 24 * 3600 * 1000;

/** A log whose clock the test sets. */
class ClockedLog {
  now = Date.UTC(2026, 0, 1);
  readonly told: string[] = [];
  log!: CommitLog;

  static async open(directory: string, options: OpenLogOptions): Promise<ClockedLog> {
    const clocked = new ClockedLog();
    const onError = (error: SeglogError) => clocked.told.push(error.code);
    const setting = { now: () => clocked.now };
    clocked.log = await openLog(directory, { ...SMALL_SEGMENTS, onError, ...options }, setting);
    return clocked;
  }

  /** Appends `count` records, each of them `stepMs` after the one before. */
  async append(count: number, stepMs = 0): Promise<void> {
    for (let index = 0; index < count; index++) {
      this.now += stepMs;
      await this.log.append(valueAt(this.log.endOffset));
    }
    // Retention comes after the acknowledgement, but before what is asked next.
    await this.log.flush();
  }
}

describe("deleteBefore", () => {
  for (const [offset, segments] of [
    [-5, [0, 4, 8]],
    [0, [0, 4, 8]],
    [1, [0, 4, 8]],
    [3, [0, 4, 8]],
    [4, [4, 8]],
    [7, [4, 8]],
    [8, [8]],
    [10, [8]],
  ] as const) {
    test(`${offset} of 10 leaves the segments ${segments.join(", ")}`, async () => {
      const directory = newPath();
      const log = await openLog(directory, SMALL_SEGMENTS);
      await appendEach(log, 10);
      await log.deleteBefore(offset);
      const start = Math.max(offset, 0);
      const check = async (each: CommitLog) => {
        expect(each.startOffset).toBe(start);
        expect(each.segments().map(({ baseOffset }) => baseOffset)).toEqual(segments);
        expect(await valuesOf(each)).toEqual(expectedValues(start, 10));
        if (start > 0) expect(await codeOf(each.read(start - 1))).toBe("OFFSET_OUT_OF_RANGE");
      };
      await check(log);
      await log.close();
      await check(await openLog(directory, SMALL_SEGMENTS));
    });
  }

  test("past the end is refused; twice is once", async () => {
    const log = await openLog(newPath());
    await appendEach(log, 3);
    expect(await codeOf(log.deleteBefore(4))).toBe("OFFSET_OUT_OF_RANGE");
    await log.deleteBefore(2);
    await log.deleteBefore(2);
    await log.deleteBefore(1);
    expect(log.startOffset).toBe(2);
  });

  test("makes the new start durable before a file goes, and syncs the data before that", async () => {
    const system = new FaultyFileSystem();
    const options = { ...SMALL_SEGMENTS, durability: "os" } as const;
    const log = await openLog(newPath(), options, { fileSystem: system });
    await appendEach(log, 10);
    system.forget();
    await log.deleteBefore(10);
    const steps = system
      .matching({ kind: ["datasync", "syncDirectory", "unlink"] })
      .map(({ kind, path }) => `${kind} ${path.slice(log.directory.length + 1)}`);
    const name = (base: number) => String(base).padStart(20, "0");
    expect(steps).toEqual([
      `datasync ${name(8)}.log`,
      "datasync log.meta.tmp",
      "syncDirectory ",
      ...[0, 4].flatMap((base) =>
        [".timeindex", ".index", ".log"].map((suffix) => `unlink ${name(base)}${suffix}`),
      ),
    ]);
  });

  test("to the end of a log that then loses its tail is damage, not an end before the start", async () => {
    const directory = newPath();
    await leaveUnclean(directory, {}, async (log) => {
      await appendEach(log, 5);
      await log.deleteBefore(5);
    });
    cut(segmentPath(directory, 0), -1);
    expect(await codeOf(openLog(directory))).toBe("CORRUPTION");
  });

  test("whose files cannot be removed holds all the same, says so, and is finished later", async () => {
    const told: string[] = [];
    const onError = (error: SeglogError) => told.push(error.code);
    const system = new FaultyFileSystem();
    const options = { ...SMALL_SEGMENTS, onError };
    const log = await openLog(newPath(), options, { fileSystem: system });
    await appendEach(log, 10);
    // Reading opens the files.
    expect(await valuesOf(log)).toEqual(expectedValues(0, 10));
    system.fail({ kind: "unlink" }, { errno: "EIO" });
    await log.deleteBefore(9);
    expect(told).toEqual(["IO_ERROR"]);
    expect(log.startOffset).toBe(9);
    expect(await valuesOf(log)).toEqual(expectedValues(9, 10));
    system.forget();
    await log.deleteBefore(9);
    expect(system.countOf("unlink", /\.log$/)).toBe(2);
    await appendEach(log, 1);
    system.fail({ kind: "unlink", path: /index$/ }, { errno: "EIO" });
    await log.deleteBefore(11);
    await log.close();
    expect(system.openPaths).toEqual([]);
  });

  test("that was interrupted is finished at the next open", async () => {
    const directory = newPath();
    const system = new FaultyFileSystem();
    const log = await openLog(directory, SMALL_SEGMENTS, { fileSystem: system });
    await appendEach(log, 10);
    const hold = system.hold({ kind: "unlink", path: /\.log$/ });
    const deleting = log.deleteBefore(9);
    await hold.reached;
    await kill(log, system);
    // The new start is on stable storage; only files were left to remove.
    await deleting;
    const again = await openLog(directory, SMALL_SEGMENTS);
    expect(again.startOffset).toBe(9);
    expect(again.segments().map(({ baseOffset }) => baseOffset)).toEqual([8]);
    expect(again.recovery.removedFiles.length).toBeGreaterThan(0);
    expect(await valuesOf(again)).toEqual(expectedValues(9, 10));
  });
});

describe("retention by bytes", () => {
  for (const [bytes, kept] of [
    [0, 1],
    [400, 1],
    [1000, 2],
    [1_000_000, 6],
  ] as const) {
    test(`${bytes} keeps ${kept} of 6 segments`, async () => {
      const log = await openLog(newPath(), { ...SMALL_SEGMENTS, retention: { bytes } });
      await appendEach(log, 21);
      await log.flush();
      expect(log.segments().length).toBe(kept);
      expect(log.startOffset).toBe(20 - (kept - 1) * 4);
      expect(await valuesOf(log)).toEqual(expectedValues(log.startOffset, 21));
    });
  }
});

test("retention by bytes keeps a log that is just as long as allowed", async () => {
  const unbounded = await openLog(newPath(), SMALL_SEGMENTS);
  await appendEach(unbounded, 21);
  const total = unbounded.segments().reduce((sum, { bytes }) => sum + bytes, 0);
  for (const [bytes, kept] of [
    [total, 6],
    [total - 1, 5],
  ] as const) {
    const log = await openLog(newPath(), { ...SMALL_SEGMENTS, retention: { bytes } });
    await appendEach(log, 21);
    await log.flush();
    expect(log.segments().length).toBe(kept);
  }
});

describe("retention by time", () => {
  test("deletes segments whose latest record is old enough, and no other", async () => {
    const clocked = await ClockedLog.open(newPath(), { retention: { ms: DAY } });
    await clocked.append(8);
    clocked.now += DAY;
    await clocked.append(4);
    // The first two segments are a day old, not older.
    expect(clocked.log.startOffset).toBe(0);
    clocked.now += 1;
    await clocked.append(4);
    expect(clocked.log.startOffset).toBe(8);
    expect(clocked.told).toEqual([]);
  });

  test("counts from the latest record of a segment, not from its first", async () => {
    const clocked = await ClockedLog.open(newPath(), { retention: { ms: DAY } });
    await clocked.append(4, DAY);
    await clocked.append(4);
    clocked.now += DAY / 2;
    await clocked.append(4);
    expect(clocked.log.segments().length).toBe(3);
    expect(clocked.log.startOffset).toBe(0);
  });

  test("never deletes the active segment; segmentMs seals it so that it can go", async () => {
    const clocked = await ClockedLog.open(newPath(), { retention: { ms: DAY }, segmentMs: DAY });
    await clocked.append(2);
    clocked.now += 10 * DAY;
    await clocked.append(1);
    expect(clocked.log.startOffset).toBe(2);
    expect(clocked.log.segments().length).toBe(1);
    expect(await valuesOf(clocked.log)).toEqual(expectedValues(2, 3));
  });

  test("happens without an append, by a timer", async () => {
    const directory = newPath();
    const system = new FaultyFileSystem();
    let now = Date.UTC(2026, 0, 1);
    const options = { ...SMALL_SEGMENTS, retention: { ms: 20 }, segmentMs: 20 };
    const setting = { fileSystem: system, now: () => now };
    const log = await openLog(directory, options, setting);
    await appendEach(log, 6);
    const removed = system.hold({ kind: "unlink", path: /00004\.log$/ });
    now += DAY;
    await removed.reached;
    removed.release();
    await log.flush();
    expect([log.startOffset, log.endOffset]).toEqual([6, 6]);
  });

  test("pauses for records ahead of the clock, and does not keep them for ever", async () => {
    const clocked = await ClockedLog.open(newPath(), { retention: { ms: DAY } });
    await clocked.append(4);
    const real = clocked.now;
    // The clock jumps half a day ahead for four records, then comes back.
    clocked.now = real + 12 * 3600 * 1000;
    await clocked.append(4);
    clocked.now = real + 1000;
    await clocked.append(5);
    expect(clocked.told).toEqual(["CLOCK_STEPPED_BACK"]);
    expect(clocked.log.startOffset).toBe(0);
    // All of it is older than a day by every clock.
    clocked.now = real + 3 * DAY;
    await clocked.append(8);
    expect(clocked.log.startOffset).toBeGreaterThanOrEqual(12);
  });

  test("a segment of records far ahead of the clock goes when it is old, by the next one's making", async () => {
    const clocked = await ClockedLog.open(newPath(), { retention: { ms: DAY } });
    const record = (offset: number) => ({ value: valueAt(offset), timestamp: clocked.now * 10 });
    for (let offset = 0; offset < 9; offset++) await clocked.log.append(record(offset));
    expect(clocked.log.startOffset).toBe(0);
    clocked.now += 2 * DAY;
    await clocked.append(4);
    expect(clocked.log.startOffset).toBe(8);
  });

  test("that meets a damaged segment tells, and the log goes on", async () => {
    const directory = newPath();
    const before = await ClockedLog.open(directory, {});
    await before.append(10);
    await before.log.close();
    flipBit(segmentPath(directory, 0), 30);
    const clocked = await ClockedLog.open(directory, { retention: { ms: DAY } });
    clocked.now += 2 * DAY;
    await clocked.append(8);
    expect(clocked.told).toContain("CORRUPTION");
    expect(clocked.log.endOffset).toBe(18);
  });

  test("that comes due while the log closes leaves it alone", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    onTestFinished(() => {
      vi.useRealTimers();
    });
    const directory = newPath();
    const system = new FaultyFileSystem();
    let now = Date.UTC(2026, 0, 1);
    const options = { ...SMALL_SEGMENTS, retention: { ms: DAY }, segmentMs: DAY };
    const log = await openLog(directory, options, { fileSystem: system, now: () => now });
    await appendEach(log, 5);
    const hold = system.hold({ kind: "datasync", path: /\.log$/ });
    const append = log.append(valueAt(5));
    await hold.reached;
    const closing = log.close();
    // The timer's work queues behind the close, and then would find everything to be too old.
    now += 10 * DAY;
    vi.advanceTimersByTime(DAY);
    hold.release();
    await append;
    await closing;
    for (let turn = 0; turn < 10; turn++) await new Promise((resolve) => setImmediate(resolve));
    expect(system.openPaths).toEqual([]);
    expect(system.operations.at(-1)).toMatchObject({ kind: "close", path: `${directory}/LOCK` });
    const again = await openLog(directory, SMALL_SEGMENTS);
    expect(again.recovery.kind).toBe("clean");
    expect(await valuesOf(again)).toEqual(expectedValues(0, 6));
  });
});

describe("timestamps", () => {
  test("never go back; a large step is told once", async () => {
    const clocked = await ClockedLog.open(newPath(), { maxClockStepMs: 1000 });
    const start = clocked.now;
    await clocked.append(1);
    clocked.now = start - 1000;
    await clocked.append(1);
    expect(clocked.told).toEqual([]);
    clocked.now = start - 1001;
    await clocked.append(2);
    expect(clocked.told).toEqual(["CLOCK_STEPPED_BACK"]);
    clocked.now = start + 5;
    await clocked.append(1);
    clocked.now = start - 5000;
    await clocked.append(1);
    expect(clocked.told).toEqual(["CLOCK_STEPPED_BACK", "CLOCK_STEPPED_BACK"]);
    const records = await clocked.log.readFrom(0);
    expect(records.map(({ timestamp }) => timestamp - start)).toEqual([0, 0, 0, 0, 5, 5]);
  });

  test("go on after a crash that left no record, though the clock is behind", async () => {
    const directory = newPath();
    await leaveUnclean(directory, {}, async () => undefined);
    const { createdAt } = headerOf(directory, 0);
    const now = createdAt - DAY;
    const log = await openLog(directory, {}, { now: () => now });
    await log.append("value");
    expect(log.readSync(0).timestamp).toBe(createdAt);
  });

  test("go on from the last record after a reopen", async () => {
    const directory = newPath();
    const before = await ClockedLog.open(directory, {});
    before.now += 5000;
    await before.append(1);
    await before.log.close();
    const after = await ClockedLog.open(directory, {});
    await after.append(1);
    const records = await after.log.readFrom(0);
    expect(records[1]!.timestamp).toBe(records[0]!.timestamp);
  });
});
