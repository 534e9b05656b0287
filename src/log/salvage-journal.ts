import type { LogRecord } from "../format/record.js";
import { madeBlocks } from "./made-blocks.js";
import type { SavedBlock } from "./salvage-source.js";

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
  for (const { bytes, start, length, header } of madeBlocks(records)) {
    const stored = bytes.subarray(start + header.headerLength, start + length);
    yield { header, stored, endsBatch: true };
  }
}
