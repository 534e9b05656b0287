import { SeglogError } from "../../errors.js";
import type { LogEnd } from "../../format/log-metadata.js";
import type { IndexedBlock } from "../../segment/segment-index.js";
import type { PendingBatch } from "./pending.js";

/** Batches whose blocks have their places, ready to be written. */
export interface StampedRun {
  readonly batches: readonly PendingBatch[];
  readonly blocks: readonly IndexedBlock[];
  /** Where the log ends before they are written; their places are right behind it alone. */
  readonly before: LogEnd;
  /** Where it ends afterwards. */
  readonly after: LogEnd;
  /** See {@link Stamp}. */
  readonly durableEndOffset: number;
}

/** What blocks say beside their places. */
export interface Stamp {
  /** What is on stable storage now; every block says so. */
  readonly durableEndOffset: number;
  /** Of the segment that they are written to. */
  readonly blockSeed: number;
  /** The latest timestamp of the log, them included. */
  readonly maxTimestamp: number;
}

/** @throws SeglogError `OFFSET_OUT_OF_RANGE` where the numbers end, which only a forged log reaches. */
export function assertNumbersLast({ before, after }: StampedRun): void {
  if (Number.isSafeInteger(after.endOffset)) return;
  throw new SeglogError(
    "OFFSET_OUT_OF_RANGE",
    `Offsets end at ${Number.MAX_SAFE_INTEGER}; after ${before.endOffset} there is no room.`,
  );
}

/**
 * Gives every block of a run of batches its place behind `before`: offsets, position, and the link
 * to the block before it. It may be done again, for another place.
 */
export function stampRun(
  batches: readonly PendingBatch[],
  before: LogEnd,
  { durableEndOffset, blockSeed, maxTimestamp }: Stamp,
): StampedRun {
  let { endPosition: position, endOffset: baseOffset, lastChecksum, lastBlockPosition } = before;
  const blocks: IndexedBlock[] = [];
  for (const batch of batches) {
    const { encoder } = batch.group;
    for (let at = batch.firstBlock; at < batch.endBlock; at++) {
      const block = encoder.blocks[at]!;
      const place = { position, previousChecksum: lastChecksum, baseOffset, durableEndOffset };
      lastChecksum = encoder.stamp(block, place, blockSeed);
      blocks.push({
        checksum: lastChecksum,
        attributes: block.attributes,
        position,
        length: block.length,
        baseOffset,
        lastOffset: baseOffset + block.recordCount - 1,
        recordCount: block.recordCount,
        bodyBytes: block.bodyBytes,
        baseTimestamp: block.baseTimestamp,
        maxTimestamp: block.maxTimestamp,
      });
      lastBlockPosition = position;
      position += block.length;
      baseOffset += block.recordCount;
    }
  }
  const after: LogEnd = {
    activeBaseOffset: before.activeBaseOffset,
    endOffset: baseOffset,
    maxTimestamp,
    endPosition: position,
    lastBlockPosition,
    lastChecksum,
  };
  return { batches, blocks, before, after, durableEndOffset };
}

/** The stretches of buffers that a run of batches lies in, each contiguous. */
export function* pieces(run: readonly PendingBatch[]): Generator<Uint8Array> {
  let first = run[0]!;
  let last = first;
  for (const batch of run.slice(1)) {
    // What is not to be stored may lie between two.
    if (batch.group !== first.group || batch.start !== last.end) {
      yield first.group.encoder.bytes.subarray(first.start, last.end);
      first = batch;
    }
    last = batch;
  }
  yield first.group.encoder.bytes.subarray(first.start, last.end);
}
