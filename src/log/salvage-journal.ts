import { isInvalid, readBlockHeader } from "../format/block-header.js";
import type { LogRecord } from "../format/record.js";
import { viewOf } from "../format/uint64.js";
import { PendingGroup } from "./pending.js";
import { prepare } from "./prepared-record.js";
import type { SavedBlock } from "./salvage-source.js";

/** Length of the blocks that are made. */
const BLOCK_BYTES = 64 * 1024;
/** Length of records from which on they are made into blocks. */
const PIECE_BYTES = 1024 * 1024;

/**
 * Records as the blocks that they are in a segment; each batch ends with its block, since all of
 * them were acknowledged.
 *
 * @param records - In the order of their offsets, which may have gaps.
 */
export async function* journaledBlocks(
  records: readonly LogRecord[],
): AsyncGenerator<SavedBlock, void, void> {
  let from = 0;
  let bytes = 0;
  for (const [index, record] of records.entries()) {
    bytes += record.value.length;
    const next = records[index + 1];
    if (next?.offset === record.offset + 1 && bytes < PIECE_BYTES) continue;
    yield* blocksOf(records.slice(from, index + 1));
    from = index + 1;
    bytes = 0;
  }
}

/** Records that follow each other. */
function* blocksOf(records: readonly LogRecord[]): Generator<SavedBlock, void, void> {
  const group = new PendingGroup(Buffer.allocUnsafeSlow(BLOCK_BYTES), BLOCK_BYTES, "none");
  const batch = group.beginAcknowledged();
  for (const record of records) group.addRecord(batch, prepare(record), record.timestamp);
  group.endBatch();
  const { encoder } = group;
  let baseOffset = records[0]!.offset;
  for (const block of encoder.blocks) {
    const place = { position: block.start, previousChecksum: 0, baseOffset };
    // Where the new segment has it, and what stands before it, is for who writes that.
    encoder.stamp(block, { ...place, durableEndOffset: baseOffset }, 0);
    baseOffset += block.recordCount;
  }
  const { bytes } = encoder;
  for (const { start, length } of encoder.blocks) {
    const header = readBlockHeader(bytes, viewOf(bytes), start, start, 0);
    if (isInvalid(header)) throw new Error(`a block that was just made: ${header.reason}`);
    const stored = bytes.subarray(start + header.headerLength, start + length);
    yield { header, stored, endsBatch: true };
  }
}
