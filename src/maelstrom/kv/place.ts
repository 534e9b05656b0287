import type { Batch } from "./batch.js";

/** Where a batch stands, or will stand, in its log. */
export interface Place {
  readonly baseOffset: number;
  /** How many batches stand before it. */
  readonly number: number;
}

/** A batch, and the offset of its first message. */
export interface PlacedBatch {
  readonly baseOffset: number;
  readonly batch: Batch;
}

/** The place behind a batch. */
export function behind({ baseOffset, batch }: PlacedBatch): Place {
  return { baseOffset: baseOffset + batch.messages.length, number: batch.number + 1 };
}

/** Whether a batch has a message with this offset. */
export function contains({ baseOffset, batch }: PlacedBatch, offset: number): boolean {
  return offset >= baseOffset && offset < baseOffset + batch.messages.length;
}
