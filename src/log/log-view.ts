import type { SeglogError } from "../errors.js";
import type { Steps } from "../files/steps.js";
import type { Block } from "../format/block.js";
import type { LogRecord } from "../format/record.js";
import type { Segment } from "../segment/segment.js";
import type { BlockCache } from "./memory/block-cache.js";
import type { IndexCache } from "./memory/index-cache.js";

/** The end of a log that stands in the journal of its store and not yet in its own segments. */
export interface TailView {
  /** @throws TailMovedError if it is in the segments by now. */
  record(offset: number): Steps<LogRecord>;
  /** Blocks of at least one record from `offset` on, which must be here; about `maxBytes` of them. */
  blocks(offset: number, maxBytes: number): Steps<readonly Block[]>;
}

/**
 * What reading needs to know of a log, be it written by this process or by another one. All of it
 * may change between two calls; what was once readable changes only by truncation and retention.
 */
export interface LogView {
  readonly directory: string;
  /** Random, of this log alone. */
  readonly logId: Uint8Array;
  readonly indexCache: IndexCache;
  readonly blockCache: BlockCache;
  /** Earliest readable offset, inclusive. */
  readonly startOffset: number;
  /** One past the last readable offset. */
  readonly endOffset: number;
  /** One past the last offset in the segments; what is readable behind it stands in {@link tail}. */
  readonly segmentsEndOffset: number;
  /** Of a log of a store that has a journal. */
  readonly tail: TailView | undefined;
  readonly epoch: number;
  /** In the order of their base offsets, never empty. */
  readonly segments: readonly Segment[];
  /**
   * Where the readable part of the last segment ends; all others are readable to the end of their
   * file.
   */
  readonly endPosition: number;
  /** Throws the reason for which the log cannot be read any more. */
  assertOpen(): void;
  /** Throws if records that were once durable are missing at the end offset. */
  assertWhole(): void;
  /**
   * Looks whether there is more to read. A writer knows without looking.
   *
   * @throws SeglogError `LOG_TRUNCATED` once after the epoch has risen.
   */
  refresh(): Promise<void>;
  /**
   * Whether a read that found files missing or changed came too late, rather than met damage.
   *
   * @param offset - What it wanted to read.
   * @param epoch - The epoch in which it began.
   * @returns `LOG_TRUNCATED` or `OFFSET_OUT_OF_RANGE`; `undefined` if the read should have worked.
   */
  overtaken(offset: number, epoch: number): Promise<SeglogError | undefined>;
  /**
   * Resolves when `endOffset` is no longer `seen`, when the epoch changes, or when the log closes.
   *
   * @throws The signal's reason when it is aborted.
   */
  changed(seen: number, signal: AbortSignal | undefined): Promise<void>;
}
