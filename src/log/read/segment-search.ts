import type { Block } from "../../format/block.js";
import type { LogRecord } from "../../format/record.js";
import type { Segment } from "../../segment/segment.js";

/** Index of the segment with the greatest base offset that is at most `offset`; else the first. */
export function segmentIndexOf(segments: readonly Segment[], offset: number): number {
  let low = 0;
  let high = segments.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (segments[middle]!.baseOffset <= offset) low = middle + 1;
    else high = middle;
  }
  return Math.max(low - 1, 0);
}

/** The record of a block with exactly this offset, copied. */
export function recordIn(block: Block, offset: number): LogRecord | undefined {
  const index = block.lowerBound(offset);
  const isThere = index < block.header.recordCount && block.offsetAt(index) === offset;
  return isThere ? block.copyAt(index) : undefined;
}
