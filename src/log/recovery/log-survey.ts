import { basename, join } from "node:path";
import { CorruptionError, SeglogError } from "../../errors.js";
import { isMissing } from "../../files/file-errors.js";
import { runSteps } from "../../files/steps.js";
import { readFile } from "../../files/whole-file.js";
import { isInvalidHeader } from "../../format/envelope.js";
import { LOG_METADATA_FILE } from "../../format/file-names.js";
import {
  decodeLogMetadata,
  type LogMetadata,
  type TruncationBound,
} from "../../format/log-metadata.js";
import type { PublishedEnd } from "../../format/published-end.js";
import { decodeSegmentHeader, type SegmentHeader } from "../../format/segment-header.js";
import type { BlockSource } from "../../segment/block-source.js";
import { Segment } from "../../segment/segment.js";
import { type LogListing, listLog } from "../directory/log-files.js";
import { MAX_ATTEMPTS, POLL_MS, pause } from "../directory/polling.js";
import { PublishedReader, type WriterState } from "../directory/published-reader.js";
import { writerDirectory } from "../directory/writer-directory.js";
import type { LogEnvironment } from "../environment.js";
import { livingSegments, pendingTruncation } from "./judgement.js";
import { guessBlockSeed } from "./seed-guess.js";
import { dataBeforeRoom } from "./torn-end.js";

/** More than the header of any version takes, and than any `log.meta`. */
const MAX_HEADER_BYTES = 4096;
/** The header of a data file whose own is damaged is taken to be this long. */
const USUAL_HEADER_BYTES = 80;

/** The fault of a segment whose header names another log. */
export const FOREIGN_SEGMENT = "the segment belongs to another log";

/** One data file, as far as it can be made sense of. */
export interface SurveyedSegment {
  readonly segment: Segment;
  readonly fileBytes: number;
  /** Where the part that may be read ends: before what a living writer has not published. */
  readonly endPosition: number;
  readonly firstPosition: number;
  /** `undefined` where {@link fault} says why. */
  readonly header: SegmentHeader | undefined;
  readonly fault: string | undefined;
  /** `undefined` if not even its blocks can be told from other bytes. */
  readonly source: BlockSource | undefined;
}

/** A log's directory as it is found, damaged or not. */
export interface LogSurvey {
  readonly directory: string;
  readonly listing: LogListing;
  /** `undefined` where {@link metadataFault} says why. */
  readonly metadata: LogMetadata | undefined;
  readonly metadataFault: string | undefined;
  /** A process has the log open for writing, or the store that it belongs to. */
  readonly hasWriter: boolean;
  /** What that process lets readers see, if it has this very log open. */
  readonly published: PublishedEnd | undefined;
  /** What the last writer published, if none lives and that is still there. */
  readonly lastPublished: PublishedEnd | undefined;
  readonly segments: readonly SurveyedSegment[];
  /** A truncation that was recorded and may not be carried out yet. */
  readonly pending: TruncationBound | undefined;
  /** Names of data files that are no longer part of the log: the next writer removes them. */
  readonly superseded: readonly string[];
}

/**
 * Looks at a log without believing that it is in order: no lock, no change, and no failure for
 * damage, only for what cannot be read at all.
 *
 * @throws SeglogError `NOT_A_LOG`, `UNSUPPORTED_FORMAT`, `FILE_ACCESS`, `UNSAFE_PATH`;
 *   `LOG_TRUNCATED` if a writer does not come to the end of a truncation.
 */
export async function surveyLog(
  environment: LogEnvironment,
  directory: string,
): Promise<LogSurvey> {
  const { metadata, metadataFault, writer, lastPublished } = await lookAtWriter(
    environment,
    directory,
  );
  const published = writer?.end;
  const listing = await listLog(environment.fileSystem, directory);
  if (listing === undefined || (listing.baseOffsets.length === 0 && !listing.hasMetadata)) {
    throw new SeglogError("NOT_A_LOG", `${directory} holds no log. Check the path.`);
  }
  const baseOffsets =
    published === undefined
      ? listing.baseOffsets
      : listing.baseOffsets.filter((base) => base <= published.activeBaseOffset);
  const segments: SurveyedSegment[] = [];
  const identity: Identity = { logId: metadata?.logId, epochs: [metadata?.epoch ?? 0] };
  for (const baseOffset of baseOffsets) {
    const isActive = baseOffset === published?.activeBaseOffset;
    const limit = isActive ? published?.endPosition : undefined;
    let surveyed: SurveyedSegment;
    try {
      surveyed = await surveySegment(environment, directory, baseOffset, identity, limit);
    } catch (error) {
      // A living writer has deleted it since it was listed.
      if (isMissing(error)) continue;
      await closeSegments(segments);
      throw error;
    }
    if (surveyed.header !== undefined) {
      identity.logId ??= surveyed.header.logId;
      identity.epochs.unshift(surveyed.header.epoch);
    }
    segments.push(surveyed);
  }
  const pending =
    metadata === undefined || published !== undefined
      ? undefined
      : await pendingIn(metadata, lastPublished, segments);
  const start = published?.startOffset ?? metadata?.startOffset ?? 0;
  const living = new Set(livingSegments(baseOffsets, start, pending));
  const isLiving = ({ segment }: SurveyedSegment) => living.has(segment.baseOffset);
  const superseded = segments.filter((each) => !isLiving(each));
  await closeSegments(superseded);
  return {
    directory,
    listing,
    metadata,
    metadataFault,
    hasWriter: writer !== undefined,
    published,
    lastPublished,
    pending,
    segments: segments.filter(isLiving),
    superseded: superseded.map(({ segment }) => basename(segment.path)),
  };
}

/** What `log.meta` says, and who writes. */
interface Writing {
  readonly metadata: LogMetadata | undefined;
  readonly metadataFault: string | undefined;
  readonly writer: WriterState | undefined;
  readonly lastPublished: PublishedEnd | undefined;
}

/**
 * Waits while a writer is in the middle of a truncation: its files are neither those of the epoch
 * that it has published nor of the one in `log.meta`.
 */
async function lookAtWriter(environment: LogEnvironment, directory: string): Promise<Writing> {
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    if (attempt > 0) await pause(POLL_MS, undefined);
    const { metadata, fault: metadataFault } = await readLogMetadata(environment, directory);
    const reader = metadata && (await publishedReader(environment, directory, metadata));
    const writer = await reader?.read();
    if (writer?.end !== undefined && writer.end.epoch < metadata!.epoch) continue;
    const lastPublished = writer?.end === undefined ? await reader?.last() : undefined;
    return { metadata, metadataFault, writer, lastPublished };
  }
  throw new SeglogError(
    "LOG_TRUNCATED",
    `${directory} is being truncated, or its writer failed to. Try again, or close the writer.`,
  );
}

/** None where the header is damaged that would tell: then nothing must be left out. */
async function pendingIn(
  metadata: LogMetadata,
  published: PublishedEnd | undefined,
  segments: readonly SurveyedSegment[],
): Promise<TruncationBound | undefined> {
  try {
    return await pendingTruncation(metadata, published, segments.at(-1)?.segment);
  } catch (error) {
    if (error instanceof CorruptionError) return undefined;
    await closeSegments(segments);
    throw error;
  }
}

/** Closes the files that a survey holds open; they are opened again if they are read again. */
export function closeSurvey(survey: LogSurvey): Promise<void> {
  return closeSegments(survey.segments);
}

async function closeSegments(segments: readonly SurveyedSegment[]): Promise<void> {
  for (const { segment } of segments) await segment.file.close();
}

/** See {@link dataBeforeRoom}; `undefined` for a segment that has no room. */
export function dataBeforeRoomOf(
  { metadata, published, lastPublished, segments }: LogSurvey,
  surveyed: SurveyedSegment,
): number | undefined {
  // What a living writer has published ends before any room.
  if (metadata === undefined || published !== undefined) return undefined;
  if (surveyed !== segments.at(-1)) return undefined;
  return dataBeforeRoom(surveyed.segment.baseOffset, metadata, lastPublished);
}

/** Earliest readable offset, as far as it is known. */
export function startOf({ published, metadata, segments }: LogSurvey): number {
  return published?.startOffset ?? metadata?.startOffset ?? segments[0]?.segment.baseOffset ?? 0;
}

async function readLogMetadata(
  environment: LogEnvironment,
  directory: string,
): Promise<{ metadata: LogMetadata | undefined; fault: string | undefined }> {
  const path = join(directory, LOG_METADATA_FILE);
  try {
    const bytes = await readFile(environment.fileSystem, path, MAX_HEADER_BYTES);
    const metadata = decodeLogMetadata(bytes);
    if (!isInvalidHeader(metadata)) return { metadata, fault: undefined };
    if (metadata.kind === "unsupported") throw newerVersion(path, metadata.reason);
    return { metadata: undefined, fault: metadata.reason };
  } catch (error) {
    if (isMissing(error)) return { metadata: undefined, fault: "the file is missing" };
    throw error;
  }
}

async function publishedReader(
  { fileSystem }: LogEnvironment,
  directory: string,
  metadata: LogMetadata,
): Promise<PublishedReader> {
  const owner = await writerDirectory(fileSystem, directory, metadata);
  return new PublishedReader(fileSystem, owner, metadata.logId);
}

/** What the files seen so far say of the log; the latest epoch comes first. */
interface Identity {
  logId: Uint8Array | undefined;
  readonly epochs: number[];
}

async function surveySegment(
  environment: LogEnvironment,
  directory: string,
  baseOffset: number,
  identity: Identity,
  limit: number | undefined,
): Promise<SurveyedSegment> {
  const { fileSystem, pool } = environment;
  let logId = identity.logId;
  const path = new Segment(pool, owner(directory, logId), baseOffset, "read").path;
  const bytes = await readFile(fileSystem, path, MAX_HEADER_BYTES);
  const decoded = decodeSegmentHeader(bytes);
  if (isInvalidHeader(decoded) && decoded.kind === "unsupported") {
    throw newerVersion(path, decoded.reason);
  }
  if (!isInvalidHeader(decoded)) logId ??= decoded.logId;
  const segment = new Segment(pool, owner(directory, logId), baseOffset, "read");
  try {
    return await surveyData(segment, decoded, { ...identity, logId }, limit);
  } catch (error) {
    await segment.file.close().catch(() => undefined);
    throw error;
  }
}

async function surveyData(
  segment: Segment,
  decoded: ReturnType<typeof decodeSegmentHeader>,
  { logId, epochs }: Identity,
  limit: number | undefined,
): Promise<SurveyedSegment> {
  const fileBytes = await runSteps(segment.end());
  const endPosition = limit ?? fileBytes;
  segment.setEndPosition(endPosition);
  const base = { segment, fileBytes, endPosition };
  if (isInvalidHeader(decoded)) {
    const seed = await guessBlockSeed(segment, logId, epochs, endPosition);
    return {
      ...base,
      firstPosition: USUAL_HEADER_BYTES,
      header: undefined,
      fault: decoded.reason,
      source: seed === undefined ? undefined : { file: segment.file, blockSeed: seed },
    };
  }
  const isForeign = logId !== undefined && Buffer.compare(decoded.logId, logId) !== 0;
  const fault = isForeign
    ? FOREIGN_SEGMENT
    : decoded.baseOffset === segment.baseOffset
      ? undefined
      : `the segment is that of base offset ${decoded.baseOffset}`;
  return {
    ...base,
    firstPosition: decoded.headerLength,
    header: fault === undefined ? decoded : undefined,
    fault,
    source: fault === undefined ? { file: segment.file, blockSeed: decoded.blockSeed } : undefined,
  };
}

function owner(directory: string, logId: Uint8Array | undefined) {
  return { directory, logId: logId ?? new Uint8Array(16), indexIntervalBytes: 4096 };
}

function newerVersion(path: string, reason: string): SeglogError {
  return new SeglogError(
    "UNSUPPORTED_FORMAT",
    `${path}: ${reason} is of a newer seglog. Use that version.`,
  );
}
