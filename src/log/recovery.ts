import { join } from "node:path";
import type { CorruptionError } from "../errors.js";
import { prepareFile } from "../files/atomic-file.js";
import { runSteps } from "../files/steps.js";
import { writeFully } from "../files/whole-file.js";
import { CUT_MARK, segmentFileName } from "../format/file-names.js";
import {
  type LogEnd,
  type LogMetadata,
  revise,
  type TruncationBound,
} from "../format/log-metadata.js";
import type { PublishedEnd } from "../format/published-end.js";
import { encodeSegmentHeader, type SegmentHeader } from "../format/segment-header.js";
import { saveIndex } from "../segment/index-loading.js";
import { Segment } from "../segment/segment.js";
import { endOfData } from "../segment/zeros.js";
import type { LogEnvironment } from "./environment.js";
import { epochAfter } from "./epoch.js";
import {
  checkEpoch,
  checkSegments,
  damageIn,
  isAtMarker,
  judgeReplaced,
  livingSegments,
  pendingTruncation,
} from "./judgement.js";
import { createSegmentFile, type LogListing, readMetadata, writeMetadata } from "./log-files.js";
import type { ResolvedLogOptions } from "./options.js";
import { NOTHING_RECOVERED, type RecoveryReport } from "./recovery-report.js";
import { removeSegment } from "./segment-removal.js";
import { copyBytes } from "./segment-rewrite.js";
import { scanTail } from "./tail-scan.js";
import { dataBeforeRoom, tornEndOf } from "./torn-end.js";
import { applyTruncation, assertSoundBelow } from "./truncation.js";

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
  /**
   * Looks for what the journal of the log's store has behind a truncation that was interrupted.
   *
   * @throws CorruptionError if there is something.
   */
  judgeTruncation(logId: Uint8Array, bound: TruncationBound): void;
  /** Takes every segment that may have been opened, to be closed if the open fails. */
  readonly opened: Segment[];
}

/**
 * Brings a log's files in order after whatever happened to their last writer: see the table of
 * faults in `docs/crash-safety.md`. No segment is changed before it is certain that the log can be
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
  const { truncation, startOffset } = metadata;
  const openSegment = segmentOpener(context, metadata);
  const all = listing.baseOffsets.map(openSegment);
  const published = context.lastPublished(metadata.logId);
  const pending = await pendingTruncation(metadata, published, all.at(-1));
  const living = livingSegments(listing.baseOffsets, startOffset, pending);
  checkSegments(directory, living, metadata, pending, published);
  if (pending !== undefined) context.judgeTruncation(metadata.logId, pending);
  const kept = new Set(living);
  let segments = all.filter(({ baseOffset }) => kept.has(baseOffset));
  const superseded = all.filter(({ baseOffset }) => !kept.has(baseOffset));
  const floor = pending && segments.at(-1);
  if (pending !== undefined && floor !== undefined) await assertSoundBelow(floor, pending.offset);
  if (truncation !== undefined || superseded.length > 0) {
    // The metadata may be in the page cache and nowhere else: its writer died before the sync. A
    // power cut must not bring the old ones back once files are gone.
    await environment.fileSystem.syncDirectory(directory);
  }
  const leftovers = [...listing.temporaryFiles, ...listing.strayIndexFiles];
  const removedFiles: string[] = [];
  /** Removes what is no longer part of the log, once. */
  const removeRemains = async () => {
    for (const name of leftovers.splice(0)) {
      await environment.fileSystem.unlink(join(directory, name));
      removedFiles.push(join(directory, name));
    }
    for (const segment of superseded.splice(0)) {
      await removeSegment(environment.fileSystem, segment);
      removedFiles.push(segment.path);
    }
  };
  if (pending !== undefined) {
    await removeRemains();
    const target = { environment, options, directory, metadata, openSegment };
    segments = await applyTruncation(target, pending, segments);
  }
  if (truncation !== undefined) {
    // It is complete; the next time that the metadata is written, it goes without it.
    const end = await endAfterTruncation(metadata.end, truncation, segments);
    metadata = { ...metadata, truncation: undefined, end };
  }
  const last = segments[segments.length - 1]!;
  const header = await runSteps(last.header());
  checkEpoch(directory, header, metadata);
  if (metadata.clean && (await isAtMarker(last, metadata))) {
    await removeRemains();
    last.setEndPosition(metadata.end.endPosition);
    const report = { ...NOTHING_RECOVERED, kind: "clean" as const, removedFiles };
    const { createdAt: activeCreatedAt } = header;
    return { metadata, segments, end: metadata.end, activeCreatedAt, report };
  }
  const replaced = await judgeReplaced(last, header, { ...metadata, truncation });
  const log = { metadata, segments, header, openSegment, removedFiles, removeRemains, replaced };
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

interface UncleanLog {
  readonly metadata: LogMetadata;
  readonly segments: Segment[];
  /** Of the last segment. */
  readonly header: SegmentHeader;
  readonly openSegment: (baseOffset: number) => Segment;
  readonly removedFiles: readonly string[];
  /** Removes what is no longer part of the log, and what interrupted operations left. */
  readonly removeRemains: () => Promise<void>;
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

  const tornEnd = await tornEndOf(
    last,
    scan,
    dataBeforeRoom(last.baseOffset, log.metadata, published),
  );
  const cutBytes = tornEnd - scan.end.endPosition;
  const isEmpty = scan.end.lastBlockPosition === 0;
  // A policy that acknowledges before the sync may have lost records without leaving a trace: even
  // the published end may be an older one that the disk happened to get.
  const mayHaveLost = cutBytes > 0 || !log.metadata.synced;
  let before = log.metadata;
  const epoch = mayHaveLost ? epochAfter(before.epoch, directory) : before.epoch;
  await log.removeRemains();
  const newHeader = { ...header, epoch, createdAt: environment.now() };
  const startAnew = mayHaveLost && isEmpty;
  const rewritten = await prepareFile(fileSystem, last.path, (file) =>
    startAnew
      ? writeFully(file, encodeSegmentHeader(newHeader), 0)
      : copyBytes(last.file, 0, scan.end.endPosition, file),
  );
  let quarantineFile: string | undefined;
  try {
    quarantineFile = await keepCutBytes(context, last, scan.end.endPosition, tornEnd, epoch);
    // The epoch first: once the tail is gone, nothing else tells that records may be lost.
    if (mayHaveLost) {
      before = revise(before, { epoch, clean: false });
      await writeMetadata(fileSystem, directory, before);
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
  const metadata = revise(before, {
    epoch,
    clean: false,
    bootId: context.bootId,
    synced: context.options.durability === "always",
    end,
  });
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

/** Keeps what is about to be cut in a file of its own, unless it is nothing but zeros. */
async function keepCutBytes(
  { environment, directory }: RecoveryContext,
  segment: Segment,
  from: number,
  to: number,
  epoch: number,
): Promise<string | undefined> {
  if ((await endOfData(segment.file, from, to)) === from) return undefined;
  const name = `${segmentFileName(segment.baseOffset, "data")}${CUT_MARK}${from}-${epoch}`;
  const path = join(directory, name);
  const temporary = await prepareFile(environment.fileSystem, path, (file) =>
    copyBytes(segment.file, from, to, file),
  );
  await environment.fileSystem.rename(temporary, path);
  return path;
}
