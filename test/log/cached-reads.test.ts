import { describe, expect, test } from "vitest";
import type { Block } from "../../src/format/block.js";
import type { CommitLog } from "../../src/log/commit-log.js";
import { BlockCache } from "../../src/log/memory/block-cache.js";
import type { Segment } from "../../src/segment/segment.js";
import { FaultyFileSystem } from "../support/faulty-file-system.js";
import { appendEach, openLog, textOf, valueAt } from "../support/log-builder.js";
import { newPath } from "../support/temporary-directory.js";

/** Two records a block, a few blocks a segment. */
const OPTIONS = { segmentBytes: 1000, blockBytes: 256, indexIntervalBytes: 64 };
const RECORDS = 60;

function blockAt(position: number, bodyBytes: number): Block {
  return { header: { position, bodyBytes } } as Block;
}

function segmentOf(baseOffset: number): Segment {
  return { baseOffset } as Segment;
}

async function appendWithKeys(log: CommitLog, count: number): Promise<void> {
  for (let index = 0; index < count; index++) {
    // Letters that LZ4 makes shorter.
    await log.append({
      value: valueAt(log.endOffset),
      key: "key",
      headers: { of: "a".repeat(99) },
    });
  }
}

describe("a cache of blocks", () => {
  test("gives a block of one segment and position, and no other", () => {
    const cache = new BlockCache();
    const [one, other] = [segmentOf(0), segmentOf(0)];
    const block = blockAt(104, 10);
    cache.add(one, block);
    expect(cache.get(one, 104)).toBe(block);
    expect(cache.get(one, 105)).toBeUndefined();
    // Another file of the same name, as a truncation makes it.
    expect(cache.get(other, 104)).toBeUndefined();
  });

  test("takes no more memory than it may", () => {
    const cache = new BlockCache(100_000);
    const segment = segmentOf(0);
    for (let position = 0; position < 50_000; position += 7) {
      cache.add(segment, blockAt(position, 90 + (position % 1000)));
      expect(cache.totalBytes).toBeLessThanOrEqual(100_000);
    }
    expect(cache.totalBytes).toBeGreaterThan(95_000);
    // One alone is not worth so many others.
    cache.add(segment, blockAt(1, 20_000));
    expect(cache.get(segment, 1)).toBeUndefined();
    expect(cache.totalBytes).toBeGreaterThan(95_000);
  });

  test("keeps all of what has room", () => {
    const cache = new BlockCache();
    const segments = [segmentOf(0), segmentOf(1000), segmentOf(2000)];
    const places = segments.flatMap((segment) =>
      Array.from({ length: 2000 }, (_, index) => [segment, index * 4080 + 104] as const),
    );
    for (const [segment, position] of places) cache.add(segment, blockAt(position, 4000));
    for (const [segment, position] of places) expect(cache.get(segment, position)).toBeDefined();
  });

  test("rather keeps what was used again", () => {
    const cache = new BlockCache(100_000);
    const segment = segmentOf(0);
    for (let position = 0; position < 1000; position++) {
      cache.add(segment, blockAt(position, 500));
      if (position > 10) expect(cache.get(segment, 10)).toBeDefined();
    }
    expect(cache.get(segment, 11)).toBeUndefined();
    expect(cache.get(segment, 999)).toBeDefined();
  });

  test("takes for a block about the memory that it needs", () => {
    const cache = new BlockCache();
    const segment = segmentOf(0);
    let needed = 0;
    for (let byteLength = 1000; byteLength < 12_000; byteLength += 100) {
      cache.add(segment, blockAt(byteLength, byteLength), cache.memoryFor(byteLength));
      needed += byteLength;
    }
    expect(cache.totalBytes).toBeLessThan(needed * 1.5);
  });

  test("reads the next block into the memory of one that went", () => {
    const cache = new BlockCache(1_000_000);
    const segment = segmentOf(0);
    const used = new Set<ArrayBufferLike>();
    for (let position = 0; position < 1000; position++) {
      const memory = cache.memoryFor(4000);
      expect(memory.length).toBe(4000);
      used.add(memory.buffer);
      cache.add(segment, blockAt(position, 3900), memory);
    }
    expect(used.size).toBeLessThan(300);
    // Nobody has it twice.
    const free = new Set(Array.from({ length: 300 }, () => cache.memoryFor(4000).buffer));
    expect(free.size).toBe(300);
  });
});

describe("records that are read again", () => {
  test.each([
    ["values", "none", appendEach],
    ["compressed values", "lz4", appendEach],
    ["records with keys", "none", appendWithKeys],
    ["compressed records with keys", "lz4", appendWithKeys],
  ] as const)(
    "%s come from memory, and cannot be changed there",
    async (_, compression, append) => {
      const fileSystem = new FaultyFileSystem();
      const log = await openLog(newPath(), { ...OPTIONS, compression }, { fileSystem });
      await append(log, RECORDS);
      for (const read of [log.readSync.bind(log), log.read.bind(log)]) {
        for (let offset = 0; offset < RECORDS; offset++) {
          const { value, key } = await read(offset);
          expect(textOf(value)).toBe(valueAt(offset));
          value.fill(0);
          key?.fill(0);
        }
      }
      fileSystem.operations = [];
      for (let offset = 0; offset < RECORDS; offset++) {
        const { value, key } = log.readSync(offset);
        expect(textOf(value)).toBe(valueAt(offset));
        if (key !== undefined) expect(textOf(key)).toBe("key");
      }
      expect(fileSystem.operations).toEqual([]);
      await log.close();
    },
  );

  test("keep their bytes when their block makes room for others", async () => {
    const directory = newPath();
    const writer = await openLog(directory, { durability: "os" });
    const batch = Array.from({ length: 10_000 }, (_, index) => `${index}`.padEnd(1000));
    for (let offset = 0; offset < 50_000; offset += 10_000) await writer.appendBatch(batch);
    // More than the cache holds.
    const read = Array.from({ length: 12_000 }, (_, index) => writer.readSync(index * 4));
    for (const { offset, value } of read) {
      expect(textOf(value)).toBe(`${offset % 10_000}`.padEnd(1000));
    }
    await writer.close();
  });

  test("are not those that a truncation has cut off", async () => {
    const log = await openLog(newPath(), OPTIONS);
    await appendEach(log, RECORDS);
    for (let offset = 0; offset < RECORDS; offset++) log.readSync(offset);
    await log.truncateTo(31);
    expect(() => log.readSync(31)).toThrow(/31/);
    for (let offset = 31; offset < RECORDS; offset++) await log.append(`new ${offset}`);
    for (let offset = 0; offset < RECORDS; offset++) {
      const expected = offset < 31 ? valueAt(offset) : `new ${offset}`;
      expect(textOf(log.readSync(offset).value)).toBe(expected);
    }
    await log.close();
  });
});
