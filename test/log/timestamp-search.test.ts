import { describe, expect, test } from "vitest";
import type { CommitLog } from "../../src/log/commit-log.js";
import { FaultyFileSystem } from "../support/faulty-file-system.js";
import { appendEach, openLog } from "../support/log-builder.js";
import { Random, seeds } from "../support/random.js";
import { newPath } from "../support/temporary-directory.js";

/** What offsetForTimestamp should say, by looking at every record. */
function naive(timestamps: readonly number[], start: number, wanted: number): number {
  for (let offset = start; offset < timestamps.length; offset++) {
    if (timestamps[offset]! >= wanted) return offset;
  }
  return timestamps.length;
}

async function expectSearch(log: CommitLog, timestamps: readonly number[]): Promise<void> {
  const all = new Set(timestamps.flatMap((each) => [Math.max(each - 1, 0), each, each + 1]));
  for (const wanted of [0, ...all, 2 ** 50]) {
    const found = await log.offsetForTimestamp(wanted);
    expect(found, `timestamp ${wanted}`).toBe(naive(timestamps, log.startOffset, wanted));
  }
}

const SHAPES: Readonly<Record<string, (random: Random, index: number) => number>> = {
  rising: (random, index) => 1000 + index * 10 + random.below(10),
  equal: () => 5000,
  "in steps": (_, index) => 1000 + Math.floor(index / 13) * 50,
  "out of order": (random) => random.below(300),
  "mostly rising": (random, index) => 1000 + index * 10 - random.below(200),
  "years apart": (random) => random.below(2 ** 31) * 4000,
};

describe("offsetForTimestamp agrees with a look at every record", () => {
  for (const seed of seeds(1)) {
    for (const [shape, timestampOf] of Object.entries(SHAPES)) {
      test(`${shape}, seed ${seed}`, async () => {
        const random = new Random(seed);
        const directory = newPath();
        const options = { segmentBytes: 1500, blockBytes: 256, indexIntervalBytes: 256 };
        const timestamps: number[] = [];
        const setting = { fileSystem: new FaultyFileSystem() };
        let log = await openLog(directory, options, setting);
        for (let round = 0; round < 4; round++) {
          while (timestamps.length < (round + 1) * 25) {
            const batch = Array.from({ length: 1 + random.below(6) }, (_, index) => ({
              value: "value",
              timestamp: timestampOf(random, timestamps.length + index),
            }));
            await log.appendBatch(batch);
            timestamps.push(...batch.map(({ timestamp }) => timestamp));
          }
          await expectSearch(log, timestamps);
          if (round === 1) await log.deleteBefore(random.below(30));
          if (round === 2) {
            const end = timestamps.length - random.below(20);
            await log.truncateTo(end);
            timestamps.length = end;
            await expectSearch(log, timestamps);
          }
          await log.close();
          log = await openLog(directory, { ...options, readOnly: true }, setting);
          await expectSearch(log, timestamps);
          await log.close();
          log = await openLog(directory, options, setting);
        }
      });
    }
  }

  test("while a reader loads the index that a writer goes on with", async () => {
    const directory = newPath();
    const before = await openLog(directory);
    await appendEach(before, 5);
    await before.close();
    const system = new FaultyFileSystem();
    const log = await openLog(directory, { indexIntervalBytes: 64 }, { fileSystem: system });
    const hold = system.hold({ kind: "read", path: /\.index$/ });
    const reading = log.read(0);
    await hold.reached;
    await log.append({ value: "late", timestamp: 2 ** 45 });
    hold.release();
    await reading;
    for (let index = 0; index < 5; index++) await log.append({ value: "early", timestamp: 1 });
    expect(await log.offsetForTimestamp(2 ** 45)).toBe(5);
    expect(log.segments()[0]!.contents).toMatchObject({ records: 11, batches: 11 });
    await log.close();
    const again = await openLog(directory);
    expect(await again.offsetForTimestamp(2 ** 45)).toBe(5);
    expect(again.segments()[0]!.contents).toMatchObject({ records: 11, batches: 11 });
  });
});
