import { join } from "node:path";
import { CorruptionError } from "../errors.js";
import { runSteps } from "../files/steps.js";
import { LOG_METADATA_FILE, segmentFileName } from "../format/file-names.js";
import type { LogMetadata, TruncationBound } from "../format/log-metadata.js";
import type { PublishedEnd } from "../format/published-end.js";
import type { SegmentHeader } from "../format/segment-header.js";
import { hasLastBlock, lastBlockOf } from "../segment/last-block.js";
import type { Segment } from "../segment/segment.js";
import type { TailScan } from "./tail-scan.js";

/*
 * What `log.meta` and the last published end say must be there: whoever opens a log, to write or to
 * read, and whoever verifies it, judges its files by these.
 */

/**
 * What the names of the files must agree with. While a truncation is recorded, only what it leaves
 * alone; once it is known to be complete, check again without it.
 *
 * @param published - What the last writer published: a segment is on stable storage before it is.
 */
export function checkSegments(
  directory: string,
  segments: readonly Segment[],
  metadata: LogMetadata,
  published: PublishedEnd | undefined,
): void {
  const first = segments[0];
  const last = segments[segments.length - 1];
  const missing = (baseOffset: number, reason: string) =>
    new CorruptionError({
      file: join(directory, segmentFileName(baseOffset, "data")),
      position: 0,
      reason,
      offset: baseOffset,
    });
  const truncated = metadata.truncation?.offset ?? Number.POSITIVE_INFINITY;
  // A truncation to the start deletes every segment before it makes a new one. A power cut may
  // bring any of them back.
  if (truncated <= metadata.startOffset) return;
  const newest = newestSegment(metadata, published);
  if (first === undefined || last === undefined) {
    throw missing(newest, "the segment is missing");
  }
  if (first.baseOffset > metadata.startOffset) {
    throw missing(metadata.startOffset, "the segment that holds the first offset is missing");
  }
  if (last.baseOffset < newest) throw missing(newest, "the newest segment is missing");
}

/**
 * Base offset of the newest segment that is known to have been made, and that a recorded truncation
 * leaves alone.
 */
export function newestSegment(metadata: LogMetadata, published: PublishedEnd | undefined): number {
  const { truncation, end, epoch } = metadata;
  const recorded = Math.min(end.activeBaseOffset, truncation?.offset ?? Number.POSITIVE_INFINITY);
  // While a truncation goes on, what is published already has its epoch.
  if (truncation !== undefined || published?.epoch !== epoch) return recorded;
  // Half-way in a truncation it was the new end, and still the old segment; that one is gone now.
  return Math.max(recorded, Math.min(published.activeBaseOffset, published.endOffset));
}

/**
 * Base offsets of the segments that are part of the log, of those that are there: not of what lies
 * wholly before the start, nor of what a truncation has yet to remove. Their files may be gone in
 * any order.
 *
 * @param baseOffsets - Ascending.
 * @param bound - Of a truncation that is not carried out.
 */
export function livingSegments(
  baseOffsets: readonly number[],
  startOffset: number,
  bound: TruncationBound | undefined,
): readonly number[] {
  // The segment that such a truncation begins is yet to be made.
  if (bound?.offset === startOffset) return [];
  const kept = baseOffsets.filter((base) => bound === undefined || base < bound.offset);
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
