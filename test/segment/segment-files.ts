import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { FileSystem } from "../../src/files/file-system.js";
import { HandlePool } from "../../src/files/handle-pool.js";
import { nodeFileSystem } from "../../src/files/node-file-system.js";
import { segmentFileName } from "../../src/format/file-names.js";
import { decodeSegmentHeader, encodeSegmentHeader } from "../../src/format/segment-header.js";
import { Segment } from "../../src/segment/segment.js";
import { type EncodingOptions, encodeBatches, type TimedRecord } from "../format/blocks.js";
import { idOf } from "../format/bytes.js";
import { temporaryDirectory } from "../support/temporary-directory.js";

const LOG_ID = idOf(77);

export interface BuiltSegment {
  readonly segment: Segment;
  readonly path: string;
  readonly bytes: Uint8Array;
}

/** A data file with these batches, and a segment over it. */
export function buildSegment(
  batches: readonly (readonly TimedRecord[])[],
  {
    baseOffset = 0,
    indexIntervalBytes = 4096,
    fileSystem = nodeFileSystem,
    directory = temporaryDirectory(),
    ...encoding
  }: EncodingOptions & {
    indexIntervalBytes?: number;
    fileSystem?: FileSystem;
    directory?: string;
  } = {},
): BuiltSegment {
  const encoded = encodeSegmentHeader({
    logId: LOG_ID,
    epoch: 1,
    baseOffset,
    createdAt: 0,
    predecessor: undefined,
  });
  const header = decodeSegmentHeader(encoded);
  if ("kind" in header) throw new Error(header.reason);
  const blocks = encodeBatches(batches, {
    ...encoding,
    baseOffset,
    seed: header.blockSeed,
    position: encoded.length,
    previousChecksum: header.checksum,
  });
  const whole = new Uint8Array(Buffer.concat([encoded, blocks]));
  const path = join(directory, segmentFileName(baseOffset, "data"));
  writeFileSync(path, whole);
  const owner = { directory, logId: LOG_ID, indexIntervalBytes };
  const segment = new Segment(new HandlePool(fileSystem, 16), owner, baseOffset, "read");
  return { segment, path, bytes: whole };
}

/** `count` batches of one record each, of `length` bytes that tell their number. */
export function recordsOfLength(count: number, length: number): TimedRecord[][] {
  return Array.from({ length: count }, (_, index) => [
    { value: `${index} `.padEnd(length, "x"), timestamp: 1000 + index },
  ]);
}
