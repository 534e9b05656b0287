import { join } from "node:path";
import { CorruptionError } from "../errors.js";
import { prepareFile } from "../files/atomic-file.js";
import { readStep, runSteps } from "../files/steps.js";
import { writeFully } from "../files/whole-file.js";
import {
  type BlockHeader,
  blockLength,
  isInvalid,
  parseBlockHeader,
} from "../format/block-header.js";
import { CUT_MARK, LOG_METADATA_FILE, segmentFileName } from "../format/file-names.js";
import type { LogEnd, LogMetadata, TruncationBound } from "../format/log-metadata.js";
import type { PublishedEnd } from "../format/published-end.js";
import { encodeSegmentHeader, type SegmentHeader } from "../format/segment-header.js";
import { saveIndex } from "../segment/index-loading.js";
import { Segment } from "../segment/segment.js";
import type { LogEnvironment } from "./environment.js";
import { epochAfter } from "./epoch.js";
import { createSegmentFile, type LogListing, readMetadata, writeMetadata } from "./log-files.js";
import type { ResolvedLogOptions } from "./options.js";
import { NOTHING_RECOVERED, type RecoveryReport } from "./recovery-report.js";
import { removeSegment } from "./segment-removal.js";
import { copyBytes } from "./segment-rewrite.js";
import { scanTail, type TailScan } from "./tail-scan.js";
import { applyTruncation, isUnfinished } from "./truncation.js";

/** A log whose files are in order, ready to be written to. */
export interface RecoveredLog {
  readonly metadata: LogMetadata;
  readonly segments: readonly Segment[];
  /** The end, all of which is on stable storage. */
  readonly end: LogEnd;
  /** When the last segment was made, by the clock. */
  readonly activeCreatedAt: number;
  readonly report: Omit<RecoveryReport, "durationMs">;
}

/** What recovery may use, and what it works on. */
export interface RecoveryContext {
  readonly environment: LogEnvironment;
  readonly directory: string;
  readonly options: ResolvedLogOptions;
  readonly bootId: Uint8Array;
  /** What the session before this one published of a log. */
  lastPublished(logId: Uint8Array): PublishedEnd | undefined;
  /** Takes every segment that may have been opened, to be closed if the open fails. */
  readonly opened: Segment[];
}

/**
 * Brings a log's files in order after whatever happened to their last writer: see the table of
 * faults in `docs/crash-safety.md`. Nothing is changed before it is certain that the log can be
 * opened.
 *
 * @throws CorruptionError where data is damaged before the tail; `NO_SPACE`; `UNSUPPORTED_FORMAT`.
 */
export async function recoverLog(
  context: RecoveryContext,
  listing: LogListing,
): Promise<RecoveredLog> {
  const { environment, directory, options } = context;
  let metadata = await readMetadata(environment.fileSystem, directory);
  const openSegment = segmentOpener(context, metadata);
  let segments = listing.baseOffsets.map(openSegment);
  checkSegments(directory, segments, metadata, context.lastPublished(metadata.logId));
  const removedFiles = await removeLeftovers(context, listing);
  const { truncation, startOffset } = metadata;
  const hasDeleted = segments.length > 1 && segments[1]!.baseOffset <= startOffset;
  if (truncation !== undefined || hasDeleted) {
    // The metadata may be in the page cache and nowhere else: its writer died before the sync. A
    // power cut must not bring the old ones back once files are gone.
    await environment.fileSystem.syncDirectory(directory);
  }
  if (truncation !== undefined) {
    if (await isUnfinished(truncation, segments)) {
      const target = { environment, options, directory, metadata, openSegment };
      segments = await applyTruncation(target, truncation, segments);
    }
    // It is complete; the next time that the metadata is written, it goes without it.
    const end = await endAfterTruncation(metadata.end, truncation, segments);
    metadata = { ...metadata, truncation: undefined, end };
    checkSegments(directory, segments, metadata, undefined);
  }
  const obsolete: Segment[] = [];
  while (segments.length > 1 && segments[1]!.baseOffset <= startOffset) {
    obsolete.push(segments.shift()!);
  }
  const removeObsolete = async () => {
    for (const segment of obsolete) {
      await removeSegment(environment.fileSystem, segment);
      removedFiles.push(segment.path);
    }
  };
  const last = segments[segments.length - 1]!;
  const header = await runSteps(last.header());
  checkEpoch(directory, header, metadata);
  if (metadata.clean && (await isAtMarker(last, header, metadata))) {
    await removeObsolete();
    last.setEndPosition(metadata.end.endPosition);
    const report = { ...NOTHING_RECOVERED, kind: "clean" as const, removedFiles };
    const { createdAt: activeCreatedAt } = header;
    return { metadata, segments, end: metadata.end, activeCreatedAt, report };
  }
  const replaced = await judgeReplaced(last, header, { ...metadata, truncation });
  const log = { metadata, segments, header, openSegment, removedFiles, removeObsolete, replaced };
  return recoverTail(context, log);
}

/**
 * Where the log is known to have ended when a truncation was complete: at the beginning of the
 * segment that it made. The end that was recorded with the bound is of a file that is gone.
 */
async function endAfterTruncation(
  before: LogEnd,
  { offset }: TruncationBound,
  segments: readonly Segment[],
): Promise<LogEnd> {
  const made = segments.find((segment) => segment.baseOffset === offset);
  // Retention has taken it: the end was recorded anew since.
  if (made === undefined) return before;
  return emptyEnd(await runSteps(made.header()), before.maxTimestamp);
}

/** Makes the handles of a log's segments. */
export function segmentOpener(
  { environment, directory, options, opened }: RecoveryContext,
  metadata: LogMetadata,
): (baseOffset: number) => Segment {
  const { indexIntervalBytes } = options;
  const owner = { directory, logId: metadata.logId, indexIntervalBytes };
  return (baseOffset) => {
    const segment = new Segment(environment.pool, owner, baseOffset, "update");
    opened.push(segment);
    return segment;
  };
}

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
  if (first === undefined || last === undefined) {
    throw missing(metadata.end.activeBaseOffset, "the segment is missing");
  }
  if (first.baseOffset > metadata.startOffset) {
    throw missing(metadata.startOffset, "the segment that holds the first offset is missing");
  }
  if (last.baseOffset < Math.min(metadata.end.activeBaseOffset, truncated)) {
    throw missing(metadata.end.activeBaseOffset, "the newest segment is missing");
  }
  // While a truncation goes on, what is published already has its epoch.
  const isOfNow = metadata.truncation === undefined && published?.epoch === metadata.epoch;
  // Half-way in a truncation it was the new end, and still the old segment; that one is gone now.
  const newest = isOfNow ? Math.min(published.activeBaseOffset, published.endOffset) : 0;
  if (last.baseOffset < newest) throw missing(newest, "the newest segment is missing");
}

export function checkEpoch(directory: string, header: SegmentHeader, metadata: LogMetadata): void {
  if (header.epoch <= metadata.epoch) return;
  throw new CorruptionError({
    file: join(directory, LOG_METADATA_FILE),
    position: 0,
    reason: `it is of epoch ${metadata.epoch}, older than the segment's epoch ${header.epoch}`,
  });
}

/** Removes what an interrupted operation left; no name among it is ever read. */
async function removeLeftovers(
  { environment, directory }: RecoveryContext,
  listing: LogListing,
): Promise<string[]> {
  const names = [...listing.temporaryFiles, ...listing.strayIndexFiles];
  for (const name of names) await environment.fileSystem.unlink(join(directory, name));
  return names.map((name) => join(directory, name));
}

/**
 * Whether a segment ends just where the marker of a clean close says. Anything else is looked at
 * closely: the marker may be the older one of two.
 */
export async function isAtMarker(
  segment: Segment,
  header: SegmentHeader,
  { end, startOffset }: LogMetadata,
): Promise<boolean> {
  if (startOffset > end.endOffset) return false;
  if (segment.baseOffset !== end.activeBaseOffset) return false;
  if ((await runSteps(segment.end())) !== end.endPosition) return false;
  return hasEnd(segment, header, end);
}

/** Whether a segment ends, or once ended, with the block that an end names, and as it says. */
async function hasEnd(segment: Segment, header: SegmentHeader, end: LogEnd): Promise<boolean> {
  if (end.lastBlockPosition === 0) {
    return (
      end.lastChecksum === header.checksum &&
      end.endPosition === header.headerLength &&
      end.endOffset === header.baseOffset
    );
  }
  const block = await lastBlockOf(segment, header, end);
  return (
    block !== undefined &&
    block.position + blockLength(block) === end.endPosition &&
    block.lastOffset + 1 === end.endOffset
  );
}

/** The block that an end names, if it is there. */
async function lastBlockOf(
  segment: Segment,
  header: SegmentHeader,
  end: LogEnd,
): Promise<BlockHeader | undefined> {
  const bytes = new Uint8Array(256);
  const count = await runSteps(readStep(segment.file, bytes, end.lastBlockPosition));
  const block = parseBlockHeader(bytes.subarray(0, count), end.lastBlockPosition, header.blockSeed);
  return isInvalid(block) || block.checksum !== end.lastChecksum ? undefined : block;
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
  } else if ((await lastBlockOf(segment, header, end)) !== undefined) {
    return undefined;
  }
  return new CorruptionError({
    file: segment.path,
    position: end.lastBlockPosition,
    reason: "the block with which the log once ended is not there",
    offset: segment.baseOffset,
  });
}

interface UncleanLog {
  readonly metadata: LogMetadata;
  readonly segments: Segment[];
  /** Of the last segment. */
  readonly header: SegmentHeader;
  readonly openSegment: (baseOffset: number) => Segment;
  readonly removedFiles: readonly string[];
  /** Removes what lies before the start offset. */
  readonly removeObsolete: () => Promise<void>;
  /** Why the last segment is not the one that it should be; told only of one that looks whole. */
  readonly replaced: CorruptionError | undefined;
}

/**
 * The last writer did not close the log. The complete batches of the last segment are written to a
 * new file, which replaces the old one: what the page cache shows after a failed sync need not be
 * on the disk, so nothing may be built on the old file. Bytes behind the complete batches are kept
 * aside, and the log goes on under a new epoch.
 */
async function recoverTail(context: RecoveryContext, log: UncleanLog): Promise<RecoveredLog> {
  const { environment, directory } = context;
  const { fileSystem } = environment;
  const { segments, header } = log;
  const last = segments[segments.length - 1]!;
  const scan = await scanTail(last);
  const published = context.lastPublished(log.metadata.logId);
  const since = { bootId: context.bootId, published };
  const damage = damageIn(last, scan, log.metadata, since) ?? log.replaced;
  if (damage !== undefined) throw damage;

  const cutBytes = scan.fileBytes - scan.end.endPosition;
  const isEmpty = scan.end.lastBlockPosition === 0;
  // A policy that acknowledges before the sync may have lost records without leaving a trace: even
  // the published end may be an older one that the disk happened to get.
  const mayHaveLost = cutBytes > 0 || !log.metadata.synced;
  const { epoch: before } = log.metadata;
  const epoch = mayHaveLost ? epochAfter(before, directory) : before;
  await log.removeObsolete();
  const newHeader = { ...header, epoch, createdAt: environment.now() };
  const startAnew = mayHaveLost && isEmpty;
  const rewritten = await prepareFile(fileSystem, last.path, (file) =>
    startAnew
      ? writeFully(file, encodeSegmentHeader(newHeader), 0)
      : copyBytes(last.file, 0, scan.end.endPosition, file),
  );
  let quarantineFile: string | undefined;
  try {
    quarantineFile = await keepCutBytes(context, last, scan, epoch);
    // The epoch first: once the tail is gone, nothing else tells that records may be lost.
    if (mayHaveLost) {
      await writeMetadata(fileSystem, directory, { ...log.metadata, epoch, clean: false });
    }
  } catch (error) {
    // Most likely the disk is full: leave it no fuller than it was.
    await fileSystem.unlink(rewritten).catch(() => undefined);
    throw error;
  }
  await fileSystem.rename(rewritten, last.path);
  await fileSystem.syncDirectory(directory);
  await last.file.close();

  const replaced = log.openSegment(last.baseOffset);
  segments[segments.length - 1] = replaced;
  // Timestamps go on from what the clock gave before, even if this segment is empty.
  let end: LogEnd = {
    ...scan.end,
    maxTimestamp: Math.max(scan.end.maxTimestamp, log.metadata.end.maxTimestamp, header.createdAt),
  };
  if (!startAnew) {
    replaced.setEndPosition(end.endPosition);
    replaced.setIndex(scan.index);
    environment.indexCache.touch(replaced);
  }
  if (mayHaveLost && !isEmpty) {
    // Sealed now. An index that cannot be saved is rebuilt when it is needed.
    await saveIndex(fileSystem, replaced, scan.index).catch(() => undefined);
    await createSegmentFile(fileSystem, directory, {
      logId: log.metadata.logId,
      epoch,
      baseOffset: end.endOffset,
      createdAt: environment.now(),
      predecessor: {
        baseOffset: last.baseOffset,
        checksum: end.lastChecksum,
        headerChecksum: header.checksum,
      },
    });
    segments.push(log.openSegment(end.endOffset));
  }
  const active = segments[segments.length - 1]!;
  if (mayHaveLost) {
    end = emptyEnd(await runSteps(active.header()), end.maxTimestamp);
    active.setEndPosition(end.endPosition);
  }
  const metadata: LogMetadata = {
    ...log.metadata,
    epoch,
    clean: false,
    bootId: context.bootId,
    synced: context.options.durability === "always",
    end,
  };
  await writeMetadata(fileSystem, directory, metadata);
  return {
    metadata,
    segments,
    end,
    activeCreatedAt: mayHaveLost ? environment.now() : header.createdAt,
    report: {
      kind: "unclean",
      scannedBytes: scan.fileBytes,
      scannedRecords: scan.index.summary.records,
      cutBytes,
      cutPosition: cutBytes > 0 ? scan.end.endPosition : undefined,
      cutReason: cutBytes > 0 ? scan.reason : undefined,
      quarantineFile,
      rebuiltIndexes: [last.baseOffset],
      epochRaised: mayHaveLost,
      removedFiles: log.removedFiles,
    },
  };
}

/** The end of a log whose active segment has no block yet. */
function emptyEnd(header: SegmentHeader, maxTimestamp: number): LogEnd {
  return {
    activeBaseOffset: header.baseOffset,
    endOffset: header.baseOffset,
    maxTimestamp,
    endPosition: header.headerLength,
    lastBlockPosition: 0,
    lastChecksum: header.checksum,
  };
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

/** Keeps what is about to be cut in a file of its own, unless it is nothing but zeros. */
async function keepCutBytes(
  { environment, directory }: RecoveryContext,
  segment: Segment,
  scan: TailScan,
  epoch: number,
): Promise<string | undefined> {
  const from = scan.end.endPosition;
  if (from === scan.fileBytes || (await isAllZeros(segment, from, scan.fileBytes))) {
    return undefined;
  }
  const name = `${segmentFileName(segment.baseOffset, "data")}${CUT_MARK}${from}-${epoch}`;
  const path = join(directory, name);
  const temporary = await prepareFile(environment.fileSystem, path, (file) =>
    copyBytes(segment.file, from, scan.fileBytes, file),
  );
  await environment.fileSystem.rename(temporary, path);
  return path;
}

async function isAllZeros(segment: Segment, from: number, to: number): Promise<boolean> {
  const buffer = new Uint8Array(64 * 1024);
  for (let position = from; position < to; ) {
    const wanted = buffer.subarray(0, Math.min(buffer.length, to - position));
    const count = await runSteps(readStep(segment.file, wanted, position));
    if (count === 0) return true;
    if (wanted.subarray(0, count).some((byte) => byte !== 0)) return false;
    position += count;
  }
  return true;
}
