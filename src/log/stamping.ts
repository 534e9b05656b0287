import { SeglogError } from "../errors.js";
import type { LogEnd } from "../format/log-metadata.js";
import type { IndexedBlock } from "../segment/segment-index.js";
import type { PendingBatch } from "./pending.js";

/**
 * Gives every block of a run of batches its place behind `end`: offsets, position, and the link to
 * the block before it.
 *
 * @param durableEndOffset - What is on stable storage now; every block says so.
 * @param blockSeed - Of the segment that they are written to.
 * @throws SeglogError `OFFSET_OUT_OF_RANGE` where the numbers end, which only a forged log reaches.
 */
export function stampRun(
  run: readonly PendingBatch[],
  end: LogEnd,
  durableEndOffset: number,
  blockSeed: number,
): IndexedBlock[] {
  let { endPosition: position, endOffset: baseOffset, lastChecksum } = end;
  const stamped: IndexedBlock[] = [];
  const records = run.reduce((sum, batch) => sum + batch.recordCount, 0);
  if (!Number.isSafeInteger(baseOffset + records)) {
    throw new SeglogError(
      "OFFSET_OUT_OF_RANGE",
      `Offsets end at ${Number.MAX_SAFE_INTEGER}; after ${baseOffset} there is no room.`,
    );
  }
  for (const batch of run) {
    const { encoder } = batch.group;
    for (let at = batch.firstBlock; at < batch.endBlock; at++) {
      const block = encoder.blocks[at]!;
      const place = { position, previousChecksum: lastChecksum, baseOffset, durableEndOffset };
      lastChecksum = encoder.stamp(block, place, blockSeed);
      stamped.push({
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
      position += block.length;
      baseOffset += block.recordCount;
    }
  }
  return stamped;
}

/** The stretches of buffers that a run of batches lies in, each contiguous. */
export function* pieces(run: readonly PendingBatch[]): Generator<Uint8Array> {
  let first = run[0]!;
  let last = first;
  for (const batch of run.slice(1)) {
    if (batch.group !== first.group) {
      yield first.group.encoder.bytes.subarray(first.start, last.end);
      first = batch;
    }
    last = batch;
  }
  yield first.group.encoder.bytes.subarray(first.start, last.end);
}
