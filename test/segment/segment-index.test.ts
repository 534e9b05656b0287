import { readFileSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { nodeFileSystem } from "../../src/files/node-file-system.js";
import { runSteps, runStepsSync } from "../../src/files/steps.js";
import {
  loadedIndex,
  readIndex,
  readSummary,
  rebuildIndex,
  saveIndex,
} from "../../src/segment/index-loading.js";
import type { Segment } from "../../src/segment/segment.js";
import type { SegmentIndex } from "../../src/segment/segment-index.js";
import { bitFlips } from "../format/bytes.js";
import { openLog, segmentPath } from "../support/log-builder.js";
import { newPath } from "../support/temporary-directory.js";
import { type BuiltSegment, buildSegment, recordsOfLength } from "./segment-files.js";

function contentOf(index: SegmentIndex) {
  return { ...index.encode(), summary: index.summary, covered: index.coveredPosition };
}

async function saved(built: BuiltSegment): Promise<SegmentIndex> {
  const index = await runSteps(rebuildIndex(built.segment));
  await saveIndex(nodeFileSystem, built.segment, index);
  return index;
}

/** Where a search that knows every block would begin: the block that holds the offset. */
async function locateAll(segment: Segment, index: SegmentIndex, count: number) {
  const header = await runSteps(segment.header());
  const end = await runSteps(segment.end());
  return Array.from({ length: count }, (_, offset) =>
    segment.locate(index, header, end, segment.baseOffset + offset),
  );
}

describe("a segment's index", () => {
  it("locates every record as a naive search does, for any blocks and interval", async () => {
    const sizes = fc.array(fc.integer({ min: 1, max: 900 }), { minLength: 1, maxLength: 60 });
    const interval = fc.constantFrom(64, 300, 1000, 4096, 100_000);
    const base = fc.constantFrom(0, 2 ** 40);
    await fc.assert(
      fc.asyncProperty(sizes, interval, base, async (lengths, indexIntervalBytes, baseOffset) => {
        const batches = lengths.map((length, index) => [
          { value: "v".repeat(length), timestamp: 1000 + ((index * 7) % 11) },
        ]);
        const built = buildSegment(batches, { indexIntervalBytes, baseOffset, blockBytes: 256 });
        const { segment, bytes } = built;
        const index = await runSteps(rebuildIndex(segment));
        const starts = blockStarts(bytes);
        const places = await locateAll(segment, index, lengths.length);
        places.forEach((place, offset) => {
          expect(starts).toContain(place.position);
          expect(place.position).toBeLessThanOrEqual(starts[offset]!);
          expect(place.position + place.length).toBeGreaterThan(starts[offset]!);
          expect(place.position + place.length).toBeLessThanOrEqual(bytes.length);
          expect(place.baseOffset).toBe(baseOffset + starts.indexOf(place.position));
          const most = indexIntervalBytes + 80 + 904;
          expect(starts[offset]! - place.position).toBeLessThan(most);
        });
      }),
      { numRuns: 60 },
    );
  });

  it("rebuilt from the data equals the one that was written, byte for byte", async () => {
    const directory = newPath();
    const log = await openLog(directory, { segmentBytes: 20_000, indexIntervalBytes: 500 });
    for (let turn = 0; turn < 300; turn++) {
      await log.appendBatch([
        { value: `value ${turn}`, timestamp: 1000 + ((turn * 37) % 100) },
        { value: "x".repeat(turn), key: "k" },
      ]);
    }
    await log.close();
    const again = await openLog(directory, { indexIntervalBytes: 500 });
    const segments = again.segments();
    await again.close();
    expect(segments.length).toBeGreaterThan(2);
    for (const { baseOffset } of segments) {
      const kinds = ["offsetIndex", "timeIndex"] as const;
      const paths = kinds.map((kind) => segmentPath(directory, baseOffset, kind));
      const written = paths.map((path) => readFileSync(path));
      for (const path of paths) rmSync(path);
      const reader = await openLog(directory, { indexIntervalBytes: 500, readOnly: true });
      await reader.read(baseOffset + 1);
      await reader.close();
      const writer = await openLog(directory, { indexIntervalBytes: 500 });
      await writer.read(baseOffset + 1);
      await writer.append("so that the last one is saved, too");
      await writer.truncateTo(writer.endOffset - 1);
      await writer.close();
      paths.forEach((path, at) => {
        expect(readFileSync(path), path).toEqual(written[at]);
      });
    }
  });

  it("is read back from its files as it was saved, and its sums without the entries", async () => {
    const built = buildSegment(recordsOfLength(100, 300), { indexIntervalBytes: 700 });
    const index = await saved(built);
    const { segment } = built;
    expect(contentOf((await runSteps(readIndex(segment)))!)).toEqual(contentOf(index));
    expect(runStepsSync(readSummary(segment))).toEqual({
      summary: index.summary,
      offsetEntries: index.offsets.count,
      timeEntries: index.times.count,
    });
    expect(index.summary).toMatchObject({
      records: 100,
      batches: 100,
      baseOffset: 0,
      endOffset: 100,
      minTimestamp: 1000,
      maxTimestamp: 1099,
      endPosition: built.bytes.length,
    });
    expect(index.offsets.count).toBeGreaterThan(20);
  });

  it("of a segment without blocks is empty, and can be saved", async () => {
    const built = buildSegment([]);
    const index = await saved(built);
    expect(index.summary).toMatchObject({ records: 0, blocks: 0, endPosition: 80 });
    expect(contentOf((await runSteps(readIndex(built.segment)))!)).toEqual(contentOf(index));
  });

  it("is rebuilt, and its owner told, when its files are damaged anywhere", async () => {
    const built = buildSegment(recordsOfLength(8, 100), { indexIntervalBytes: 64 });
    const expected = contentOf(await saved(built));
    const { segment } = built;
    let rebuilt = 0;
    segment.onIndexRebuilt = () => {
      rebuilt++;
    };
    let damages = 0;
    for (const kind of ["offsetIndex", "timeIndex"] as const) {
      const path = segment.indexPath(kind);
      const sound = new Uint8Array(readFileSync(path));
      const damaged = [...bitFlips(sound)].filter((_, bit) => bit % 5 === 0).map(([each]) => each);
      damaged.push(sound.slice(0, -1), sound.slice(0, 50), new Uint8Array(0));
      damaged.push(new Uint8Array([...sound, 0]));
      for (const bytes of damaged) {
        damages++;
        writeFileSync(path, bytes);
        segment.dropIndex();
        expect(contentOf(runStepsSync(loadedIndex(segment)))).toEqual(expected);
        expect(rebuilt).toBe(damages);
      }
      rmSync(path);
      segment.dropIndex();
      damages++;
      expect(contentOf(await runSteps(loadedIndex(segment)))).toEqual(expected);
      expect(rebuilt).toBe(damages);
      writeFileSync(path, sound);
    }
    segment.dropIndex();
    expect(contentOf(await runSteps(loadedIndex(segment)))).toEqual(expected);
    expect(rebuilt).toBe(damages);
  });

  it("of other data is not taken, whatever the times of the files say", async () => {
    const one = buildSegment(recordsOfLength(20, 100));
    await saved(one);
    const other = buildSegment(
      recordsOfLength(20, 100).map(([record]) => [{ ...record!, timestamp: 5 }]),
    );
    for (const kind of ["offsetIndex", "timeIndex"] as const) {
      writeFileSync(other.segment.indexPath(kind), readFileSync(one.segment.indexPath(kind)));
      const future = new Date(Date.now() + 1e9);
      utimesSync(other.segment.indexPath(kind), future, future);
    }
    expect(await runSteps(readIndex(other.segment))).toBeUndefined();
    expect(await runSteps(readSummary(other.segment))).toBeUndefined();
    const longer = buildSegment(recordsOfLength(21, 100));
    for (const kind of ["offsetIndex", "timeIndex"] as const) {
      writeFileSync(longer.segment.indexPath(kind), readFileSync(one.segment.indexPath(kind)));
    }
    expect(await runSteps(readIndex(longer.segment))).toBeUndefined();
    expect(statSync(longer.path).size).toBeGreaterThan(one.bytes.length);
  });

  it("of another segment is not taken, also if neither has blocks", async () => {
    const one = buildSegment([]);
    await saved(one);
    const other = buildSegment([], { baseOffset: 7 });
    for (const kind of ["offsetIndex", "timeIndex"] as const) {
      writeFileSync(other.segment.indexPath(kind), readFileSync(one.segment.indexPath(kind)));
    }
    expect(await runSteps(readIndex(other.segment))).toBeUndefined();
    expect((await runSteps(loadedIndex(other.segment))).summary.baseOffset).toBe(7);
  });

  it("steps over damaged blocks, so that what lies around them is found", async () => {
    const built = buildSegment(recordsOfLength(9, 300), { indexIntervalBytes: 64 });
    const damaged = built.bytes.slice();
    const starts = blockStarts(built.bytes);
    damaged[starts[4]! + 100]! ^= 1;
    damaged[starts[6]!]! ^= 1;
    writeFileSync(built.path, damaged);
    const index = await runSteps(rebuildIndex(built.segment));
    const known = Array.from({ length: index.offsets.count }, (_, entry) =>
      index.offsets.relativeOffsetAt(entry),
    );
    expect(known).toEqual([0, 1, 2, 3, 5, 7, 8]);
    expect(index.coveredPosition).toBe(damaged.length);
  });

  it("grows with a segment that another process writes", async () => {
    const whole = buildSegment(recordsOfLength(30, 300), { indexIntervalBytes: 500 });
    const starts = blockStarts(whole.bytes);
    const { segment } = whole;
    const expected = contentOf(await runSteps(rebuildIndex(segment)));
    segment.setEndPosition(starts[10]);
    const index = await runSteps(loadedIndex(segment));
    expect(index.summary.endOffset).toBe(10);
    segment.setEndPosition(starts[11]);
    expect((await runSteps(loadedIndex(segment))).summary.endOffset).toBe(11);
    segment.setEndPosition(whole.bytes.length);
    expect(contentOf(runStepsSync(loadedIndex(segment)))).toEqual(expected);
  });
});

/** Positions of the blocks, by their own lengths. */
function blockStarts(bytes: Uint8Array): number[] {
  const starts: number[] = [];
  const buffer = Buffer.from(bytes);
  for (let at = 80; at < bytes.length; ) {
    starts.push(at);
    at += buffer.readUInt8(at + 8) + buffer.readUInt32LE(at + 64);
  }
  return starts;
}
