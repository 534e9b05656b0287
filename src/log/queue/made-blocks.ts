import { type BlockHeader, isInvalid, readBlockHeader } from "../../format/block-header.js";
import { prepare } from "../../format/prepared-record.js";
import type { LogRecord } from "../../format/record.js";
import { viewOf } from "../../format/uint64.js";
import { PendingGroup } from "./pending.js";

/** Length of the blocks that are made. */
const BLOCK_BYTES = 64 * 1024;

/** A block that stands in no file. */
export interface MadeBlock {
  /** Holds the block from `start` on, and others. */
  readonly bytes: Uint8Array;
  readonly start: number;
  readonly length: number;
  readonly header: BlockHeader;
}

/**
 * Records that follow each other, at least one, as the blocks that they would be in a segment. Where
 * a segment has them, and what stands before them, is for who writes that.
 */
export function madeBlocks(records: readonly LogRecord[]): MadeBlock[] {
  const group = newBlocksGroup();
  const batch = group.beginAcknowledged();
  for (const record of records) group.addRecord(batch, prepare(record), record.timestamp);
  group.endBatch();
  return placedBlocks(group, records[0]!.offset);
}

/** To be filled for {@link placedBlocks}. */
export function newBlocksGroup(): PendingGroup {
  return new PendingGroup(Buffer.allocUnsafeSlow(BLOCK_BYTES), BLOCK_BYTES, "none");
}

/** The blocks of batches that follow each other, all of them ended. */
export function placedBlocks({ encoder }: PendingGroup, firstOffset: number): MadeBlock[] {
  let baseOffset = firstOffset;
  for (const block of encoder.blocks) {
    const place = { position: block.start, previousChecksum: 0, baseOffset };
    encoder.stamp(block, { ...place, durableEndOffset: baseOffset }, 0);
    baseOffset += block.recordCount;
  }
  const { buffer, byteOffset } = encoder.bytes;
  const bytes = new Uint8Array(buffer, byteOffset, encoder.length);
  const view = viewOf(bytes);
  return encoder.blocks.map(({ start, length }) => {
    const header = readBlockHeader(bytes, view, start, start, 0);
    if (isInvalid(header)) throw new Error(`A block came out wrong: ${header.reason}`);
    return { bytes, start, length, header };
  });
}
