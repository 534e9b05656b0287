import { join } from "node:path";
import { CorruptionError } from "../../errors.js";
import { runSteps } from "../../files/steps.js";
import { LOG_METADATA_FILE, segmentFileName } from "../../format/file-names.js";
import type { LogMetadata, TruncationBound } from "../../format/log-metadata.js";
import type { PublishedEnd } from "../../format/published-end.js";
import type { SegmentHeader } from "../../format/segment-header.js";
import { hasLastBlock, lastBlockOf } from "../../segment/last-block.js";
import type { Segment } from "../../segment/segment.js";
import type { TailScan } from "./tail-scan.js";

/*
 * What `log.meta` and the last published end say must be there: whoever opens a log, to write or to
 * read, and whoever verifies it, judges its files by these.
 */

/**
 * A truncation that is recorded and may not be carried out yet. It is once its last step is seen:
 * a segment of its epoch, or an end published in it.
 *
 * @param newest - Of all segments that are there.
 * @param published - What the last writer published.
 * @throws CorruptionError if the header is damaged that would tell.
 */
export async function pendingTruncation(
  { truncation }: LogMetadata,
  published: PublishedEnd | undefined,
  newest: Segment | undefined,
): Promise<TruncationBound | undefined> {
  if (truncation === undefined || published?.epoch === truncation.epoch) return undefined;
  if (newest === undefined || newest.baseOffset < truncation.offset) return truncation;
  const { epoch } = await runSteps(newest.header());
  return epoch < truncation.epoch ? truncation : undefined;
}

/**
 * Whether all segments are there, as far as their names tell.
 *
 * @param living - Base offsets, see {@link livingSegments}.
 * @param pending - See {@link pendingTruncation}.
 * @param published - What the last writer published.
 */
export function checkSegments(
  directory: string,
  living: readonly number[],
  metadata: LogMetadata,
  pending: TruncationBound | undefined,
  published: PublishedEnd | undefined,
): void {
  const missing = (baseOffset: number, reason: string) =>
    new CorruptionError({
      file: join(directory, segmentFileName(baseOffset, "data")),
      position: 0,
      reason,
      offset: baseOffset,
    });
  const { startOffset } = metadata;
  // The log begins anew there.
  if (pending?.offset === startOffset) return;
  const newest = newestSegment(metadata, pending, published);
  const [first] = living;
  const last = living.at(-1);
  if (first === undefined || last === undefined) throw missing(newest, "the segment is missing");
  if (first > startOffset) {
    throw missing(startOffset, "the segment that holds the first offset is missing");
  }
  if (last < newest) throw missing(newest, "the newest segment is missing");
}

/**
 * Base offset of the newest segment that is known to have been made: one is on stable storage before
 * `log.meta` names it, and before it is published.
 */
export function newestSegment(
  { end, epoch }: LogMetadata,
  pending: TruncationBound | undefined,
  published: PublishedEnd | undefined,
): number {
  if (pending !== undefined) return Math.min(end.activeBaseOffset, pending.offset);
  // What was published before a truncation speaks of files that are gone.
  const isOfNow = published?.epoch === epoch;
  return Math.max(end.activeBaseOffset, isOfNow ? published.activeBaseOffset : 0);
}

/**
 * Base offsets of the segments that are part of the log, of those that are there: not of what lies
 * wholly before the start, nor of what a truncation has yet to remove. Their files may be gone in
 * any order.
 *
 * @param baseOffsets - Ascending.
 * @param pending - See {@link pendingTruncation}.
 */
export function livingSegments(
  baseOffsets: readonly number[],
  startOffset: number,
  pending: TruncationBound | undefined,
): readonly number[] {
  // The segment with which the log begins anew is yet to be made.
  if (pending?.offset === startOffset) return [];
  const kept = baseOffsets.filter((base) => pending === undefined || base < pending.offset);
  const first = kept.findLastIndex((base) => base <= startOffset);
  return kept.slice(Math.max(first, 0));
}

/** An epoch never falls: a `log.meta` of an earlier one than a segment's is an older copy. */
export function checkEpoch(directory: string, header: SegmentHeader, metadata: LogMetadata): void {
  if (header.epoch <= metadata.epoch) return;
  throw new CorruptionError({
    file: join(directory, LOG_METADATA_FILE),
    position: 0,
    reason: `it is of epoch ${metadata.epoch}, older than the segment's epoch ${header.epoch}`,
  });
}

/**
 * Whether a segment ends just where the marker of a clean close says. Anything else is looked at
 * closely: the marker may be the older one of two.
 */
export async function isAtMarker(
  segment: Segment,
  { end, startOffset }: LogMetadata,
): Promise<boolean> {
  if (startOffset > end.endOffset) return false;
  if (segment.baseOffset !== end.activeBaseOffset) return false;
  if ((await runSteps(segment.end())) !== end.endPosition) return false;
  return runSteps(hasLastBlock(segment, end));
}

/**
 * Why a segment cannot be the file in which `log.meta` says that the log once ended, but must be
 * another one of that name: an earlier one, that a truncation replaced. A recorded truncation leaves
 * no such place; nor does a recovery that was interrupted while it replaced an empty segment.
 */
export async function judgeReplaced(
  segment: Segment,
  header: SegmentHeader,
  { end, clean, truncation }: LogMetadata,
): Promise<CorruptionError | undefined> {
  if (segment.baseOffset !== end.activeBaseOffset || truncation !== undefined) return undefined;
  if (end.lastBlockPosition === 0) {
    if (!clean || end.lastChecksum === header.checksum) return undefined;
  } else if ((await runSteps(lastBlockOf(segment, end))) !== undefined) {
    return undefined;
  }
  return new CorruptionError({
    file: segment.path,
    position: end.lastBlockPosition,
    reason: "the block with which the log once ended is not there",
    offset: segment.baseOffset,
  });
}

/** What is known of the time since a log's last writer. */
export interface Since {
  /** Of the machine now. */
  readonly bootId: Uint8Array;
  /** What the last writer published of the log, if that is still there. */
  readonly published: PublishedEnd | undefined;
}

/**
 * Whether only the process died after it had written the bytes at `position`: the machine was not
 * started anew, and the end that was published later, never synced, is still there. The boot id
 * alone does not tell: a file system can be cut off and mounted again under one kernel.
 */
function onlyProcessDied(
  segment: Segment,
  position: number,
  metadata: LogMetadata,
  since: Since,
): boolean {
  return (
    isSameBoot(metadata, since) &&
    since.published?.activeBaseOffset === segment.baseOffset &&
    since.published.endPosition > position
  );
}

/** Whether the machine has not been started anew since the log was opened: zeros never match. */
function isSameBoot(metadata: LogMetadata, { bootId }: Since): boolean {
  return bootId.some((byte) => byte !== 0) && Buffer.compare(bootId, metadata.bootId) === 0;
}

/**
 * Tells damage from a torn tail. A tail that the last write left torn has nothing valid behind it
 * that was written later; and it never reaches below what was durable before.
 */
export function damageIn(
  segment: Segment,
  scan: TailScan,
  metadata: LogMetadata,
  since: Since,
): CorruptionError | undefined {
  const { end } = scan;
  // What lies before the start was durable when the start was moved.
  const proven = Math.max(metadata.end.endOffset, metadata.startOffset);
  const damage = (reason: string) =>
    new CorruptionError({
      file: segment.path,
      position: scan.invalidPosition,
      reason,
      offset: end.endOffset,
    });
  const reason = scan.reason ?? "the file ends before its data should";
  if (end.endOffset < proven) {
    return damage(`${reason}, though the log was on stable storage up to offset ${proven}`);
  }
  if (scan.proof !== undefined) {
    const { position, durableEndOffset } = scan.proof;
    return damage(
      `${reason}, though the block at position ${position} was written when the log was on ` +
        `stable storage up to offset ${durableEndOffset}`,
    );
  }
  // When only the process died, the page cache has every write in order.
  const { hasLaterBlock, invalidPosition } = scan;
  if (hasLaterBlock && onlyProcessDied(segment, invalidPosition, metadata, since))
    return damage(`${reason}, with valid blocks behind it`);
  return undefined;
}
