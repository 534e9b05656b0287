import { truncateSync, writeFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { runSteps, runStepsSync } from "../../src/files/steps.js";
import { blockLength } from "../../src/format/block-header.js";
import { findBlock, readRun, SCAN_CHUNK_BYTES } from "../../src/segment/block-source.js";
import type { Segment } from "../../src/segment/segment.js";
import { encodeBatches } from "../format/blocks.js";
import { FaultyFileSystem } from "../support/faulty-file-system.js";
import { buildSegment, recordsOfLength } from "./segment-files.js";

/** The offsets of all blocks, read in pieces of `chunkBytes`. */
async function scan(segment: Segment, chunkBytes: number, buffer?: Uint8Array) {
  const source = await runSteps(segment.source());
  const end = await runSteps(segment.end());
  const offsets: number[] = [];
  let position = 80;
  while (position < end) {
    const run = await runSteps(readRun(source, position, end, chunkBytes, buffer));
    if (run.invalid === undefined) expect(run.blocks.length).toBeGreaterThan(0);
    for (const block of run.blocks) {
      expect(block.header.position).toBeGreaterThanOrEqual(position);
      for (let index = 0; index < block.header.recordCount; index++) {
        const { offset, value } = block.recordAt(index);
        expect(Buffer.from(value).toString()).toMatch(new RegExp(`^${offset} x*$`));
        offsets.push(offset);
      }
    }
    if (run.invalid !== undefined) return { offsets, position: run.nextPosition, ...run.invalid };
    expect(run.nextPosition).toBe(
      run.blocks.at(-1)!.header.position + blockLength(run.blocks.at(-1)!.header),
    );
    position = run.nextPosition;
  }
  return { offsets, position };
}

function upTo(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index);
}

describe("readRun", () => {
  it("reads every block once, wherever the borders of the chunks fall", async () => {
    const batches = [
      ...recordsOfLength(20, 30),
      ...recordsOfLength(5, 3000),
      ...recordsOfLength(10, 1),
    ].map(([record], index) => [
      { ...record!, value: `${index} `.padEnd(String(record!.value).length, "x") },
    ]);
    const { segment } = buildSegment(batches, { blockBytes: 256 });
    for (let chunkBytes = 1; chunkBytes < 1200; chunkBytes += 7) {
      const { offsets } = await scan(segment, chunkBytes);
      expect(offsets, `chunks of ${chunkBytes}`).toEqual(upTo(35));
    }
    for (const buffer of [new Uint8Array(100), new Uint8Array(1000), new Uint8Array(100_000)]) {
      expect((await scan(segment, 700, buffer)).offsets).toEqual(upTo(35));
    }
  });

  it("reads blocks that are longer than the chunk, without reading twice what fits", async () => {
    const fileSystem = new FaultyFileSystem();
    const { segment } = buildSegment(recordsOfLength(3, 200_000), { fileSystem });
    await runSteps(segment.header());
    fileSystem.forget();
    expect((await scan(segment, 4096)).offsets).toEqual([0, 1, 2]);
    const read = fileSystem.matching({ kind: "read" }).map(({ bytes }) => bytes);
    expect(read).toHaveLength(6);
    fileSystem.forget();
    expect((await scan(segment, SCAN_CHUNK_BYTES)).offsets).toEqual([0, 1, 2]);
    expect(fileSystem.countOf("read")).toBe(1);
  });

  it("gives what is valid before damage, and where that is", async () => {
    const { segment, path, bytes } = buildSegment(recordsOfLength(10, 100), { blockBytes: 256 });
    const damaged = bytes.slice();
    const at = Buffer.from(bytes).indexOf("5 xxx");
    damaged[at]! ^= 1;
    writeFileSync(path, damaged);
    for (const chunkBytes of [1, 300, 5000]) {
      const result = await scan(segment, chunkBytes);
      expect(result.offsets).toEqual(upTo(5));
      expect(result).toMatchObject({ kind: "damaged", position: at - 80 });
    }
  });

  it("says so when the file is shorter than it should be", async () => {
    const { segment, path, bytes } = buildSegment(recordsOfLength(4, 500), { blockBytes: 256 });
    await runSteps(segment.end());
    for (const cut of [1, 100, 500, 700]) {
      truncateSync(path, bytes.length - cut);
      const result = await scan(segment, 100);
      expect(result, `cut by ${cut}`).toMatchObject({ kind: "damaged" });
      expect(result.offsets.length).toBeLessThan(4);
      writeFileSync(path, bytes);
    }
  });

  it("allocates nothing for a length that reaches behind the end", async () => {
    const { segment, bytes } = buildSegment(recordsOfLength(2, 5000));
    const source = await runSteps(segment.source());
    const end = bytes.length - 1;
    const first = await runSteps(readRun(source, 80, end, 100));
    expect(first.blocks).toHaveLength(1);
    const second = await runSteps(readRun(source, first.nextPosition, end, 100));
    expect(second).toMatchObject({ blocks: [], invalid: { kind: "damaged" } });
  });

  it("blocks the event loop with the same result", async () => {
    const { segment, bytes } = buildSegment(recordsOfLength(5, 3000));
    const source = runStepsSync(segment.source());
    const run = runStepsSync(readRun(source, 80, bytes.length, 10));
    expect(run.blocks.map(({ header }) => header.baseOffset)).toEqual([0]);
    const rest = runStepsSync(readRun(source, run.nextPosition, bytes.length, SCAN_CHUNK_BYTES));
    expect(rest.blocks.map(({ header }) => header.baseOffset)).toEqual([1, 2, 3, 4]);
  });
});

/** How much the search for a block reads at first. */
const FIRST_SEARCH_BYTES = 16 * 1024;

describe("findBlock", () => {
  it("finds the next block from any place, also one across the border of two chunks", async () => {
    // What is read first, and a place that is reached after several reads.
    const borders = [FIRST_SEARCH_BYTES, SCAN_CHUNK_BYTES];
    const distances = [-260, -257, -256, -255, -100, -81, -80, -79, -40, -8, -4, -1, 0, 1];
    const noise = new Uint8Array(SCAN_CHUNK_BYTES + 500);
    const probe = buildSegment([[{ value: "0 ", timestamp: 1 }]]);
    const header = await runSteps(probe.segment.header());
    for (const at of borders.flatMap((border) => distances.map((each) => 80 + border + each))) {
      const bytes = new Uint8Array(at + 200);
      bytes.set(probe.bytes.subarray(0, 80));
      bytes.set(noise.subarray(0, at - 80), 80);
      const block = encodeBatches([[{ value: "far", timestamp: 1 }]], {
        seed: header.blockSeed,
        position: at,
        baseOffset: 9,
      });
      bytes.set(block, at);
      writeFileSync(probe.path, bytes);
      const source = await runSteps(probe.segment.source());
      const found = await runSteps(findBlock(source, 80, bytes.length));
      expect(found, `at ${at}`).toMatchObject({ position: at });
      expect(await runSteps(findBlock(source, at, bytes.length))).toMatchObject({ position: at });
      expect(await runSteps(findBlock(source, at + 1, bytes.length))).toBeUndefined();
      expect(await runSteps(findBlock(source, 80, at + 79))).toBeUndefined();
    }
  });

  it("is not fooled by magic bytes, by whole blocks inside of values, or by other logs'", async () => {
    const inner = buildSegment(recordsOfLength(3, 50)).bytes.subarray(80);
    const values = ["SLB0", "....SLB0".repeat(50), Buffer.from(inner), new Uint8Array(inner)];
    const batches = values.map((value) => [{ value, timestamp: 1 }]);
    const { segment, bytes } = buildSegment([...batches, [{ value: "last", timestamp: 1 }]]);
    const source = await runSteps(segment.source());
    const found: number[] = [];
    let position = 80;
    for (;;) {
      const header = await runSteps(findBlock(source, position, bytes.length));
      if (header === undefined) break;
      found.push(header.baseOffset);
      position = header.position + 1;
    }
    expect(found).toEqual([0, 1, 2, 3, 4]);
    const other = { ...source, blockSeed: source.blockSeed ^ 1 };
    expect(await runSteps(findBlock(other, 80, bytes.length))).toBeUndefined();
  });
});
