import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { SeglogError } from "../../src/errors.js";
import type { ProducerSequence } from "../../src/log/append-options.js";
import type { CommitLog, OpenLogOptions } from "../../src/log/commit-log.js";
import { createEnvironment } from "../../src/log/environment.js";
import { surveyLog } from "../../src/log/log-survey.js";
import { salvageLog } from "../../src/log/salvage.js";
import { kill, leaveUnclean } from "../support/crash.js";
import { cut, fileLength, flipBit } from "../support/damage.js";
import { codeOf, thrownBy } from "../support/failure.js";
import { FaultyFileSystem } from "../support/faulty-file-system.js";
import { blocksOf, openLog, segmentPath, valuesOf } from "../support/log-builder.js";
import { newPath } from "../support/temporary-directory.js";

/** A few records to a segment. */
const SMALL_SEGMENTS = { segmentBytes: 480 };
const DATA = /\.log$/;

/** Batch of producer `id` that begins with `sequence`. */
function by(id: bigint, sequence: number, epoch = 0): { readonly producer: ProducerSequence } {
  return { producer: { id, epoch, sequence } };
}

/** Appends records whose values are their sequences. */
async function append(
  log: CommitLog,
  id: bigint,
  sequence: number,
  count = 1,
  epoch = 0,
): Promise<[number, number]> {
  const values = Array.from({ length: count }, (_, index) => String(sequence + index));
  const { baseOffset, lastOffset } = await log.appendBatch(values, by(id, sequence, epoch));
  return [baseOffset, lastOffset];
}

/** Fills segments with records of nobody. */
async function fill(log: CommitLog, count: number): Promise<void> {
  for (let index = 0; index < count; index++) await log.append("x".repeat(100));
}

function producersFile(directory: string): string {
  return join(directory, "producers");
}

describe("a producer's batch", () => {
  test("that follows on the last one is stored, with who appended it", async () => {
    const directory = newPath();
    const log = await openLog(directory, { blockBytes: 256 });
    const id = 2n ** 64n - 1n;
    expect(await append(log, id, 0, 2, 7)).toEqual([0, 1]);
    await log.append("of nobody");
    await log.appendBatch(["a".repeat(200), "b".repeat(200)], by(id, 2, 7));
    await log.append("of nobody again");
    await log.close();
    const producers = blocksOf(directory, 0).map(({ producer }) => producer);
    expect(producers).toEqual([
      { id, epoch: 7, sequence: 0 },
      undefined,
      { id, epoch: 7, sequence: 2 },
      { id, epoch: 7, sequence: 3 },
      undefined,
    ]);
  });

  test("is not stored twice, and says where it is", async () => {
    const log = await openLog(newPath());
    await log.append("of nobody");
    expect(await append(log, 1n, 0, 3)).toEqual([1, 3]);
    expect(await append(log, 1n, 3, 2)).toEqual([4, 5]);
    expect(await append(log, 1n, 0, 3)).toEqual([1, 3]);
    expect(await append(log, 1n, 3, 2)).toEqual([4, 5]);
    expect(await append(log, 1n, 5)).toEqual([6, 6]);
    expect(await valuesOf(log)).toEqual(["of nobody", "0", "1", "2", "3", "4", "5"]);
  });

  test("is not stored twice where it comes again while it is on its way", async () => {
    const log = await openLog(newPath());
    const both = await Promise.all([
      append(log, 1n, 0, 2),
      append(log, 1n, 0, 2),
      append(log, 1n, 2),
      append(log, 1n, 0, 2),
    ]);
    expect(both).toEqual([
      [0, 1],
      [0, 1],
      [2, 2],
      [0, 1],
    ]);
    expect(await valuesOf(log)).toEqual(["0", "1", "2"]);
  });

  test("is found although all of a full window comes again, with more behind it", async () => {
    const log = await openLog(newPath());
    for (let sequence = 0; sequence < 5; sequence++) await append(log, 1n, sequence);
    const again = [0, 1, 2, 3, 4, 5].map((sequence) => append(log, 1n, sequence));
    expect((await Promise.all(again)).map(([offset]) => offset)).toEqual([0, 1, 2, 3, 4, 5]);
    const both = [6, 6, 7, 8, 9, 10, 11].map((sequence) => append(log, 1n, sequence));
    expect((await Promise.all(both)).map(([offset]) => offset)).toEqual([6, 6, 7, 8, 9, 10, 11]);
    expect(log.endOffset).toBe(12);
  });

  test("is found where it is part of a batch that is stored", async () => {
    const log = await openLog(newPath());
    await log.append("of nobody");
    await append(log, 1n, 0, 6);
    expect(await append(log, 1n, 2, 3)).toEqual([3, 5]);
    const both = await Promise.all([append(log, 1n, 6, 4), append(log, 1n, 8, 2)]);
    expect(both).toEqual([
      [7, 10],
      [9, 10],
    ]);
    expect(log.endOffset).toBe(11);
  });

  test("with a key, headers and a timestamp is like any other", async () => {
    const log = await openLog(newPath());
    const record = { value: "v", key: "k", headers: { h: "x" }, timestamp: 42 };
    expect(await log.append(record, by(9n, 0))).toBe(0);
    expect(await log.append(record, by(9n, 0))).toBe(0);
    const { key, timestamp } = await log.read(0);
    expect([Buffer.from(key!).toString(), timestamp]).toEqual(["k", 42]);
    expect(log.endOffset).toBe(1);
  });

  test("with LZ4 is read again", async () => {
    const directory = newPath();
    const log = await openLog(directory, { compression: "lz4" });
    await log.appendBatch(["a".repeat(3000), "b".repeat(3000)], by(1n, 0));
    await log.close();
    const again = await openLog(directory);
    expect((await valuesOf(again)).map((value) => value.length)).toEqual([3000, 3000]);
    expect(await again.producer(1n)).toEqual({ epoch: 0, nextSequence: 2, lastOffset: 1 });
  });

  test("that leaves a gap is refused, and nothing else is", async () => {
    const log = await openLog(newPath());
    expect(await codeOf(append(log, 1n, 1))).toBe("SEQUENCE_GAP");
    await append(log, 1n, 0, 2);
    const [first, second, third] = await Promise.all([
      codeOf(append(log, 1n, 3)),
      append(log, 1n, 2),
      append(log, 2n, 0),
    ]);
    expect([first, second, third]).toEqual(["SEQUENCE_GAP", [2, 2], [3, 3]]);
    // Some of it is stored, some is not: it is no batch that was sent before.
    expect(await codeOf(append(log, 1n, 1, 4))).toBe("SEQUENCE_GAP");
    expect(await valuesOf(log)).toEqual(["0", "1", "2", "0"]);
  });

  test("of an earlier epoch is refused; a later one begins anew", async () => {
    const log = await openLog(newPath());
    await append(log, 1n, 0, 1, 3);
    expect(await codeOf(append(log, 1n, 1, 1, 2))).toBe("PRODUCER_FENCED");
    expect(await codeOf(append(log, 1n, 1, 1, 4))).toBe("SEQUENCE_GAP");
    expect(await append(log, 1n, 0, 1, 4)).toEqual([1, 1]);
    expect(await codeOf(append(log, 1n, 0, 1, 3))).toBe("PRODUCER_FENCED");
    expect(await log.producer(1n)).toEqual({ epoch: 4, nextSequence: 1, lastOffset: 1 });
  });

  test("is remembered with its offsets for four further ones", async () => {
    const log = await openLog(newPath());
    for (let sequence = 0; sequence < 5; sequence++) await append(log, 1n, sequence);
    expect(await append(log, 1n, 0)).toEqual([0, 0]);
    await append(log, 1n, 5);
    expect(await codeOf(append(log, 1n, 0))).toBe("SEQUENCE_FORGOTTEN");
    expect(await append(log, 1n, 1)).toEqual([1, 1]);
    // The same records in other batches.
    expect(await codeOf(append(log, 1n, 2, 2))).toBe("SEQUENCE_FORGOTTEN");
    expect(log.endOffset).toBe(6);
  });

  test("ends with the highest sequence", async () => {
    const log = await openLog(newPath());
    await append(log, 1n, 0);
    expect(await thrownBy(append(log, 1n, 2 ** 32 - 1, 2))).toBeInstanceOf(RangeError);
    expect(await codeOf(append(log, 1n, 2 ** 32 - 1, 1))).toBe("SEQUENCE_GAP");
  });

  test.each<[string, unknown, typeof TypeError | typeof RangeError]>([
    ["a number as id", { id: 1, epoch: 0, sequence: 0 }, TypeError],
    ["a negative id", { id: -1n, epoch: 0, sequence: 0 }, RangeError],
    ["an id of 65 bits", { id: 2n ** 64n, epoch: 0, sequence: 0 }, RangeError],
    ["no epoch", { id: 1n, sequence: 0 }, TypeError],
    ["a half epoch", { id: 1n, epoch: 0.5, sequence: 0 }, RangeError],
    ["a negative sequence", { id: 1n, epoch: 0, sequence: -1 }, RangeError],
    ["a sequence of 33 bits", { id: 1n, epoch: 0, sequence: 2 ** 32 }, RangeError],
    ["null", null, TypeError],
    ["text", "me", TypeError],
  ])("of %s is misuse", async (_, producer, type) => {
    const log = await openLog(newPath());
    const options = { producer } as { producer: ProducerSequence };
    expect(await thrownBy(log.append("x", options))).toBeInstanceOf(type);
    expect(await thrownBy(log.appendBatch(["x"], options))).toBeInstanceOf(type);
    expect(log.endOffset).toBe(0);
  });
});

describe("what is known of producers", () => {
  test("is nothing of one that never appended", async () => {
    const log = await openLog(newPath());
    expect(await log.producer(1n)).toBeUndefined();
    await append(log, 2n, 0);
    expect(await log.producer(1n)).toBeUndefined();
    expect(await thrownBy(log.producer(1 as unknown as bigint))).toBeInstanceOf(TypeError);
  });

  for (const [name, end] of [
    ["a clean close", "close"],
    ["a kill", "kill"],
  ] as const) {
    test(`is the same after ${name}`, async () => {
      const directory = newPath();
      const system = new FaultyFileSystem();
      const log = await openLog(directory, SMALL_SEGMENTS, { fileSystem: system });
      for (let sequence = 0; sequence < 7; sequence++) {
        await append(log, 1n, sequence);
        await append(log, 2n, sequence * 3, 3);
        await fill(log, 1);
      }
      if (end === "close") await log.close();
      else await kill(log, system);
      const again = await openLog(directory, SMALL_SEGMENTS);
      expect(again.segments().length).toBeGreaterThan(3);
      expect(await again.producer(1n)).toEqual({ epoch: 0, nextSequence: 7, lastOffset: 30 });
      expect(await again.producer(2n)).toEqual({ epoch: 0, nextSequence: 21, lastOffset: 33 });
      expect(await append(again, 1n, 6)).toEqual([30, 30]);
      expect(await append(again, 2n, 18, 3)).toEqual([31, 33]);
      expect(await append(again, 1n, 7)).toEqual([35, 35]);
    });
  }

  test.each<[string, (path: string) => void]>([
    ["lost", (path) => rmSync(path)],
    ["damaged in its header", (path) => flipBit(path, 50)],
    ["damaged behind it", (path) => flipBit(path, fileLength(path) - 1)],
    ["cut", (path) => cut(path, 90)],
    ["empty", (path) => cut(path, 0)],
  ])("is found in the blocks if the file is %s", async (_, damage) => {
    const directory = newPath();
    const log = await openLog(directory, SMALL_SEGMENTS);
    for (let sequence = 0; sequence < 8; sequence++) await append(log, 1n, sequence);
    await log.close();
    damage(producersFile(directory));
    const again = await openLog(directory, SMALL_SEGMENTS);
    expect(await again.producer(1n)).toEqual({ epoch: 0, nextSequence: 8, lastOffset: 7 });
    expect(await append(again, 1n, 7)).toEqual([7, 7]);
  });

  test("is of whole batches, however many blocks they take, after a kill", async () => {
    const directory = newPath();
    const values = ["a", "b", "c", "d"].map((letter) => letter.repeat(150));
    await leaveUnclean(directory, { blockBytes: 256 }, async (log) => {
      await log.appendBatch(values, by(1n, 0));
      await log.appendBatch(values, by(1n, 4));
    });
    const again = await openLog(directory, { blockBytes: 256 });
    expect(blocksOf(directory, 0).length).toBe(8);
    expect(await again.appendBatch(values, by(1n, 0))).toMatchObject({ baseOffset: 0 });
    expect(await again.appendBatch(values, by(1n, 4))).toMatchObject({ baseOffset: 4 });
    expect(again.endOffset).toBe(8);
  });

  test("outlives the segments that told of it", async () => {
    const directory = newPath();
    const log = await openLog(directory, SMALL_SEGMENTS);
    await append(log, 1n, 0, 2);
    await fill(log, 12);
    await log.deleteBefore(10);
    expect(log.segments()[0]!.baseOffset).toBeGreaterThan(2);
    expect(await append(log, 1n, 0, 2)).toEqual([0, 1]);
    await log.close();
    const again = await openLog(directory, SMALL_SEGMENTS);
    expect(await append(again, 1n, 0, 2)).toEqual([0, 1]);
    expect(await append(again, 1n, 2)).toEqual([14, 14]);
  });

  test("is saved before segments go, also in a session in which no producer appended", async () => {
    const directory = newPath();
    await leaveUnclean(directory, SMALL_SEGMENTS, (log) => append(log, 1n, 0, 2));
    rmSync(producersFile(directory), { force: true });
    const system = new FaultyFileSystem();
    const options = { ...SMALL_SEGMENTS, durability: "os" } as const;
    const log = await openLog(directory, options, { fileSystem: system });
    await fill(log, 12);
    await log.deleteBefore(10);
    const placeOf = (wanted: string, path: RegExp) =>
      system.operations.findLastIndex((each) => each.kind === wanted && path.test(each.path));
    // A file that told of what a power cut can still take would make it seem stored.
    const order = [
      placeOf("write", DATA),
      placeOf("datasync", DATA),
      placeOf("rename", /producers/),
      placeOf("rename", /log\.meta/),
    ];
    expect(order).toEqual(order.toSorted((one, other) => one - other));
    expect(placeOf("unlink", DATA)).toBeGreaterThan(order[3]!);
    await kill(log, system);
    const again = await openLog(directory, SMALL_SEGMENTS);
    expect(await again.producer(1n)).toEqual({ epoch: 0, nextSequence: 2, lastOffset: 1 });
  });

  test("keeps segments where it cannot be saved", async () => {
    const directory = newPath();
    const system = new FaultyFileSystem();
    await leaveUnclean(directory, SMALL_SEGMENTS, (log) => append(log, 1n, 0, 2));
    const log = await openLog(directory, SMALL_SEGMENTS, { fileSystem: system });
    await fill(log, 12);
    system.fail({ kind: "write", path: /producers/ }, { errno: "ENOSPC" });
    expect(await codeOf(log.deleteBefore(10))).toBe("NO_SPACE");
    expect(log.startOffset).toBe(0);
    await log.deleteBefore(10);
    expect(log.startOffset).toBe(10);
    expect(await append(log, 1n, 0, 2)).toEqual([0, 1]);
  });

  test("goes back with a truncation", async () => {
    const directory = newPath();
    const log = await openLog(directory, SMALL_SEGMENTS);
    for (let sequence = 0; sequence < 9; sequence++) await append(log, 1n, sequence);
    await append(log, 2n, 0);
    await log.truncateTo(5);
    expect(await log.producer(1n)).toEqual({ epoch: 0, nextSequence: 5, lastOffset: 4 });
    expect(await log.producer(2n)).toBeUndefined();
    expect(await codeOf(append(log, 1n, 8))).toBe("SEQUENCE_GAP");
    expect(await append(log, 1n, 5)).toEqual([5, 5]);
    await log.close();
    const again = await openLog(directory, SMALL_SEGMENTS);
    expect(await again.producer(1n)).toEqual({ epoch: 0, nextSequence: 6, lastOffset: 5 });
  });

  test("goes back with a truncation inside of a batch, whose rest can be sent again", async () => {
    const directory = newPath();
    const values = ["a", "b", "c", "d", "e", "f"].map((letter) => letter.repeat(100));
    for (const cutAt of [1, 2, 3, 4, 5]) {
      const path = `${directory}-${cutAt}`;
      const log = await openLog(path, { blockBytes: 256 });
      await log.appendBatch(values, by(1n, 0));
      await log.truncateTo(cutAt);
      expect(await log.producer(1n)).toMatchObject({ nextSequence: cutAt });
      await log.appendBatch(values.slice(cutAt), by(1n, cutAt));
      expect(await valuesOf(log)).toEqual(values);
    }
  });

  test("outlives a truncation where the segments that told of it are deleted", async () => {
    const directory = newPath();
    const log = await openLog(directory, SMALL_SEGMENTS);
    await append(log, 7n, 0, 2);
    await fill(log, 8);
    await log.deleteBefore(6);
    await append(log, 8n, 0);
    await log.truncateTo(8);
    expect(await append(log, 7n, 0, 2)).toEqual([0, 1]);
    expect(await log.producer(8n)).toBeUndefined();
    await log.close();
    const again = await openLog(directory, SMALL_SEGMENTS);
    expect(await append(again, 7n, 0, 2)).toEqual([0, 1]);
  });

  test("outlives a truncation that cuts off what came behind it", async () => {
    const directory = newPath();
    const log = await openLog(directory, SMALL_SEGMENTS);
    await append(log, 7n, 0, 2);
    await fill(log, 8);
    await log.deleteBefore(6);
    await append(log, 7n, 2);
    await log.truncateTo(8);
    expect(await log.producer(7n)).toMatchObject({ nextSequence: 2, lastOffset: 1 });
    expect(await append(log, 7n, 0, 2)).toEqual([0, 1]);
    expect(await append(log, 7n, 2)).toEqual([8, 8]);
  });

  test("is told only once it is on stable storage", async () => {
    const system = new FaultyFileSystem();
    const log = await openLog(newPath(), {}, { fileSystem: system });
    await append(log, 1n, 0);
    system.fail({ kind: "datasync", path: DATA }, { errno: "EIO" });
    expect(await codeOf(append(log, 1n, 1))).toBe("LOG_POISONED");
    expect(await codeOf(log.producer(1n))).toBe("LOG_POISONED");
  });

  test("does not keep damaged segments from being deleted", async () => {
    const directory = newPath();
    const log = await openLog(directory, SMALL_SEGMENTS);
    await append(log, 1n, 0);
    await fill(log, 12);
    await log.close();
    rmSync(producersFile(directory));
    flipBit(segmentPath(directory, 0), 100);
    const told: string[] = [];
    const onError = (error: SeglogError) => told.push(error.code);
    const again = await openLog(directory, { ...SMALL_SEGMENTS, onError });
    await again.deleteBefore(10);
    expect(again.startOffset).toBe(10);
    expect(told).toEqual(["CORRUPTION"]);
  });

  test("is told to be lost where the file is, and segments are deleted", async () => {
    const directory = newPath();
    const log = await openLog(directory, SMALL_SEGMENTS);
    await append(log, 1n, 0);
    await fill(log, 12);
    await log.deleteBefore(10);
    await log.close();
    rmSync(producersFile(directory));
    const told: string[] = [];
    const onError = (error: SeglogError) => told.push(error.message);
    const again = await openLog(directory, { ...SMALL_SEGMENTS, onError });
    expect(await again.producer(1n)).toBeUndefined();
    expect(told).toEqual([expect.stringContaining("producers is damaged")]);
  });

  test.each<[string, OpenLogOptions, (log: CommitLog) => Promise<unknown>]>([
    [
      "the start moved within a segment, before a producer appended",
      {},
      async (log) => {
        await fill(log, 3);
        await log.deleteBefore(1);
        await append(log, 1n, 0);
      },
    ],
    [
      "the start moved within a segment, behind a producer's batch",
      {},
      async (log) => {
        await append(log, 1n, 0);
        await fill(log, 3);
        await log.deleteBefore(2);
      },
    ],
    [
      "segments were deleted before a producer appended",
      SMALL_SEGMENTS,
      async (log) => {
        await fill(log, 12);
        await log.deleteBefore(10);
        await append(log, 1n, 0);
      },
    ],
    [
      "the log was cut back to its start before a producer appended",
      SMALL_SEGMENTS,
      async (log) => {
        await fill(log, 12);
        await log.deleteBefore(10);
        await log.truncateTo(10);
        await append(log, 1n, 0);
      },
    ],
  ])("is not told to be lost after a kill where %s", async (_, options, use) => {
    const directory = newPath();
    await leaveUnclean(directory, options, use);
    const told: string[] = [];
    const onError = (error: SeglogError) => told.push(error.message);
    const again = await openLog(directory, { ...options, onError });
    expect(again.startOffset).toBeGreaterThan(0);
    expect(await again.producer(1n)).toMatchObject({ epoch: 0, nextSequence: 1 });
    expect(await again.producer(2n)).toBeUndefined();
    expect(told).toEqual([]);
  });

  test("is carried over by a salvage", async () => {
    const directory = newPath();
    const log = await openLog(directory, SMALL_SEGMENTS);
    await append(log, 1n, 0, 2);
    await fill(log, 12);
    await append(log, 2n, 0, 2);
    await log.deleteBefore(10);
    await log.close();
    const target = newPath();
    const environment = createEnvironment();
    await salvageLog(environment, await surveyLog(environment, directory), { target });
    const saved = await openLog(target, SMALL_SEGMENTS);
    expect(await append(saved, 1n, 0, 2)).toEqual([0, 1]);
    expect(await append(saved, 2n, 0, 2)).toEqual([14, 15]);
  });

  test("is not taken from a file of before a truncation", async () => {
    const directory = newPath();
    const log = await openLog(directory);
    for (let sequence = 0; sequence < 9; sequence++) await append(log, 1n, sequence);
    await log.close();
    const stale = readFileSync(producersFile(directory));
    // Longer again by the time that somebody asks.
    const other = await openLog(directory);
    await other.truncateTo(5);
    for (let index = 0; index < 9; index++) await other.append("of nobody");
    expect(await other.producer(1n)).toEqual({ epoch: 0, nextSequence: 5, lastOffset: 4 });
    await other.close();
    writeFileSync(producersFile(directory), stale);
    const again = await openLog(directory);
    expect(await again.producer(1n)).toEqual({ epoch: 0, nextSequence: 5, lastOffset: 4 });
  });

  test("costs a log without producers nothing", async () => {
    const directory = newPath();
    const system = new FaultyFileSystem();
    const log = await openLog(directory, SMALL_SEGMENTS, { fileSystem: system });
    await fill(log, 12);
    await log.deleteBefore(10);
    await log.close();
    expect(system.operations.filter(({ path }) => path.includes("producers"))).toEqual([]);
  });
});

describe("a producer's batch that cannot be written", () => {
  test("leaves no gap: what follows it is refused, and all can be sent again", async () => {
    const system = new FaultyFileSystem();
    const log = await openLog(newPath(), {}, { fileSystem: system });
    await append(log, 1n, 0);
    const hold = system.hold({ kind: "datasync", path: DATA });
    const first = log.append("of nobody");
    await hold.reached;
    // These wait for the sync, and go together after it.
    system.fail({ kind: "write", path: DATA }, { errno: "ENOSPC" });
    const second = codeOf(append(log, 1n, 1));
    hold.release();
    await first;
    expect(await second).toBe("NO_SPACE");
    expect(await codeOf(append(log, 1n, 2))).toBe("SEQUENCE_GAP");
    expect(await append(log, 1n, 1)).toEqual([2, 2]);
    expect(await append(log, 1n, 2)).toEqual([3, 3]);
    expect(await valuesOf(log)).toEqual(["0", "of nobody", "1", "2"]);
  });

  test("is refused with those that repeat it", async () => {
    const system = new FaultyFileSystem();
    const log = await openLog(newPath(), {}, { fileSystem: system });
    system.fail({ kind: "write", path: DATA }, { errno: "ENOSPC" });
    const codes = await Promise.all([codeOf(append(log, 1n, 0)), codeOf(append(log, 1n, 0))]);
    expect(codes).toEqual(["NO_SPACE", "NO_SPACE"]);
    expect(await append(log, 1n, 0)).toEqual([0, 0]);
  });

  test("is in doubt where the sync fails, and found by the next session", async () => {
    const directory = newPath();
    const system = new FaultyFileSystem();
    const log = await openLog(directory, {}, { fileSystem: system });
    await append(log, 1n, 0);
    system.fail({ kind: "datasync", path: DATA }, { errno: "EIO" });
    expect(await codeOf(append(log, 1n, 1))).toBe("LOG_POISONED");
    expect(await codeOf(append(log, 1n, 1))).toBe("LOG_POISONED");
    await log.close().catch(() => undefined);
    const again = await openLog(directory);
    const { nextSequence } = (await again.producer(1n))!;
    expect(nextSequence).toBe(again.endOffset);
    expect(await append(again, 1n, 1)).toEqual([1, 1]);
    expect(await valuesOf(again)).toEqual(["0", "1"]);
  });

  test("fails alone where what must be read to judge it is damaged", async () => {
    const directory = newPath();
    const log = await openLog(directory, SMALL_SEGMENTS);
    await append(log, 1n, 0);
    await fill(log, 8);
    await log.close();
    rmSync(producersFile(directory));
    flipBit(join(directory, `${"0".repeat(20)}.log`), 90);
    const again = await openLog(directory, SMALL_SEGMENTS);
    const results = await Promise.all([codeOf(append(again, 1n, 1)), again.append("of nobody")]);
    expect(results).toEqual(["CORRUPTION", 9]);
  });
});

test("what is deleted after a truncation that failed is still known", async () => {
  const directory = newPath();
  const fileSystem = new FaultyFileSystem();
  const options = { segmentBytes: 600, onError: () => undefined };
  const log = await openLog(directory, options, { fileSystem });
  expect(await append(log, 1n, 0)).toEqual([0, 0]);
  for (let sequence = 0; sequence < 30; sequence++) await append(log, 2n, sequence);
  fileSystem.fail({ kind: "write", path: /log\.meta\.tmp$/ }, { errno: "ENOSPC" });
  expect(await codeOf(log.truncateTo(30))).toBe("NO_SPACE");
  await log.deleteBefore(20);
  await fileSystem.die();
  await log.close().catch(() => undefined);
  const again = await openLog(directory, options);
  expect(again.startOffset).toBeGreaterThan(0);
  expect(await append(again, 1n, 0)).toEqual([0, 0]);
});
