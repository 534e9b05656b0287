import { readStep, type Steps } from "../files/steps.js";
import {
  type BlockHeader,
  blockLength,
  isInvalid,
  MAX_BLOCK_HEADER_BYTES,
  parseBlockHeader,
} from "../format/block-header.js";
import type { Segment } from "./segment.js";

/**
 * Names the block with which a segment ended at some moment. Since every block's checksum covers the
 * one before, the last one stands for all.
 */
export interface LastBlock {
  /** One past the last offset. */
  readonly endOffset: number;
  readonly endPosition: number;
  /** 0 while the segment has no block. */
  readonly lastBlockPosition: number;
  /** Of that block; of the segment's header while there is none. */
  readonly lastChecksum: number;
}

/** The header of the block that is named, if it is there. */
export function* lastBlockOf(
  segment: Segment,
  { lastBlockPosition, lastChecksum }: LastBlock,
): Steps<BlockHeader | undefined> {
  const { blockSeed } = yield* segment.header();
  const bytes = new Uint8Array(MAX_BLOCK_HEADER_BYTES);
  const count = yield* readStep(segment.file, bytes, lastBlockPosition);
  const block = parseBlockHeader(bytes.subarray(0, count), lastBlockPosition, blockSeed);
  return isInvalid(block) || block.checksum !== lastChecksum ? undefined : block;
}

/** Whether a segment ends, or once ended, with the block that is named, and as it says. */
export function* hasLastBlock(segment: Segment, last: LastBlock): Steps<boolean> {
  if (last.lastBlockPosition === 0) {
    const header = yield* segment.header();
    return (
      last.lastChecksum === header.checksum &&
      last.endPosition === header.headerLength &&
      last.endOffset === header.baseOffset
    );
  }
  const block = yield* lastBlockOf(segment, last);
  return (
    block !== undefined &&
    block.position + blockLength(block) === last.endPosition &&
    block.lastOffset + 1 === last.endOffset
  );
}
