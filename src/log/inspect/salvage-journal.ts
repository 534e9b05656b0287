import { BlockAttribute } from "../../format/block-header.js";
import { newBlocksGroup, placedBlocks } from "../queue/made-blocks.js";
import type { JournaledRecord } from "../tail/journaled-record.js";
import { TailPiece } from "../tail/tail-piece.js";
import type { SavedBlock } from "./salvage-source.js";

/**
 * Records as the blocks that they are in a segment. A batch of a producer stays one; each of the
 * other blocks ends its batch, since all of them were acknowledged.
 *
 * @param records - In the order of their offsets, which may have gaps.
 */
export async function* journaledBlocks(
  records: readonly JournaledRecord[],
): AsyncGenerator<SavedBlock, void, void> {
  let piece: TailPiece | undefined;
  let nextOffset = -1;
  for (const journaled of records) {
    const { offset } = journaled.record;
    const isAdded = offset === nextOffset && piece?.add(journaled) === true;
    nextOffset = offset + 1;
    if (isAdded) continue;
    if (piece !== undefined) yield* blocksOf(piece);
    piece = new TailPiece(newBlocksGroup(), offset, Number.POSITIVE_INFINITY);
    piece.add(journaled);
  }
  if (piece !== undefined) yield* blocksOf(piece);
}

function* blocksOf(piece: TailPiece): Generator<SavedBlock, void, void> {
  const { group } = piece.finish()[0]!;
  for (const { bytes, start, length, header } of placedBlocks(group, piece.firstOffset)) {
    const stored = bytes.subarray(start + header.headerLength, start + length);
    const isLast = (header.attributes & BlockAttribute.lastOfBatch) !== 0;
    yield { header, stored, endsBatch: isLast || header.producer === undefined };
  }
}
