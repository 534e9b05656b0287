import { randomBytes } from "node:crypto";
import { dirname, join, resolve } from "node:path";
import { SeglogError } from "../../errors.js";
import { writeNewFile } from "../../files/atomic-file.js";
import { hasSystemCode, isMissing } from "../../files/file-errors.js";
import type { FileSystem } from "../../files/file-system.js";
import { LOG_METADATA_FILE, segmentFileName } from "../../format/file-names.js";
import { encodeLogMetadata, type LogMetadata } from "../../format/log-metadata.js";
import {
  decodeSegmentHeader,
  encodeSegmentHeader,
  LOG_ID_BYTES,
  SEGMENT_HEADER_BYTES,
  type SegmentHeader,
} from "../../format/segment-header.js";
import { createSegmentFile, type LogListing, writeMetadata } from "../directory/log-files.js";
import type { LogEnvironment } from "../environment.js";
import { NOTHING_RECOVERED } from "../recovery-report.js";
import { type RecoveredLog, type RecoveryContext, segmentOpener } from "./recovery.js";

/**
 * Makes a directory with the parents that it lacks. The names of all of them are on stable storage
 * when this resolves, also of those that were there: whoever made them may have died before it
 * saw to that.
 */
export async function makeDirectories(fileSystem: FileSystem, directory: string): Promise<void> {
  const path = resolve(directory);
  await makeMissing(fileSystem, path);
  for (let each = path; each !== dirname(each); each = dirname(each)) {
    await syncParent(fileSystem, each);
  }
}

async function makeMissing(fileSystem: FileSystem, path: string): Promise<void> {
  try {
    await fileSystem.makeDirectory(path);
  } catch (error) {
    if (hasSystemCode(error, "EEXIST")) return;
    if (!isMissing(error) || dirname(path) === path) throw error;
    await makeMissing(fileSystem, dirname(path));
    await makeMissing(fileSystem, path);
  }
}

/**
 * Puts the name of a directory on stable storage: whoever made it may have died, or failed, before
 * it did so. A parent that may not be opened was made by somebody else, and long ago.
 */
export async function syncParent(fileSystem: FileSystem, directory: string): Promise<void> {
  try {
    await fileSystem.syncDirectory(dirname(resolve(directory)));
  } catch (error) {
    if (!(error instanceof SeglogError) || error.code !== "FILE_ACCESS") throw error;
  }
}

/**
 * Judges a directory without `log.meta`: a log may be made in an empty one, and in one where the
 * making of a log was interrupted, which shows as an empty first segment and nothing else. A log of
 * a store gets its directory when it is complete, so there it shows as nothing at all.
 *
 * @throws SeglogError `NOT_A_LOG` for anything else, `CORRUPTION` for what is left of a log.
 */
export async function assertMayCreate(
  { fileSystem }: LogEnvironment,
  directory: string,
  listing: LogListing,
  isOfStore: boolean,
): Promise<void> {
  if (listing.isEmpty) return;
  const { baseOffsets, foreignNames, strayIndexFiles, cutFiles } = listing;
  const wayOut = isOfStore ? "Move them elsewhere." : "Name another directory.";
  const refuse = (what: string) => new SeglogError("NOT_A_LOG", `${directory} ${what} ${wayOut}`);
  if (listing.hasStoreMetadata) {
    throw refuse("is a store of several logs: open it with LogStore.open().");
  }
  if (foreignNames.length > 0) {
    throw refuse(`holds no log, but other files (${foreignNames[0]}).`);
  }
  if (!isOfStore && strayIndexFiles.length + cutFiles.length === 0) {
    if (baseOffsets.length === 0) return;
    const isFirstAlone = baseOffsets.length === 1 && baseOffsets[0] === 0;
    if (isFirstAlone && (await isFirstEmpty(fileSystem, directory))) return;
  }
  const remedy =
    baseOffsets.length > 0
      ? "Restore it from a copy, or salvage the records with `seglog repair`."
      : `Its records are gone as well. Restore all of it from a copy, or ${isOfStore ? "delete the key" : "remove the directory"}.`;
  throw new SeglogError(
    "CORRUPTION",
    `${directory} holds files of a log, but its log.meta is missing. ${remedy}`,
  );
}

/** Whether the first segment has not got beyond its header. */
async function isFirstEmpty(fileSystem: FileSystem, directory: string): Promise<boolean> {
  const file = await fileSystem.open(join(directory, segmentFileName(0, "data")), "read");
  try {
    return (await file.size()) <= SEGMENT_HEADER_BYTES;
  } finally {
    await file.close();
  }
}

/** A store's logs are opened through the store, which has the lock, and by no other store. */
export function assertOwner(
  directory: string,
  metadata: LogMetadata,
  storeId: Uint8Array | undefined,
): void {
  const owner = metadata.storeId;
  if (owner === undefined && storeId === undefined) return;
  if (owner !== undefined && storeId !== undefined && Buffer.compare(owner, storeId) === 0) return;
  throw new SeglogError(
    "BELONGS_TO_STORE",
    storeId === undefined
      ? `${directory} is a log of a store. Open the store with LogStore.open(), or this log with ` +
          "{ readOnly: true }."
      : `${directory} does not belong to this store, though it lies in it. Move it elsewhere.`,
  );
}

/**
 * Makes the files of an empty log in a directory that exists, durably: the first segment, then
 * `log.meta`, whose presence says that the log exists.
 */
export async function createLog(context: RecoveryContext): Promise<RecoveredLog> {
  const { environment, directory } = context;
  const { header, metadata } = emptyLog(context, undefined);
  await createSegmentFile(environment.fileSystem, directory, header);
  await writeMetadata(environment.fileSystem, directory, metadata);
  return asRecovered(context, metadata);
}

/**
 * Makes an empty log with its directory, durably: the directory is filled under another name,
 * which costs fewer syncs than to fill it in place.
 *
 * @param temporary - Where to fill it, in the same parent directory.
 */
export async function createLogDirectory(
  context: RecoveryContext,
  storeId: Uint8Array,
  temporary: string,
): Promise<RecoveredLog> {
  const { environment, directory } = context;
  const { fileSystem } = environment;
  const { header, metadata } = emptyLog(context, storeId);
  // Left by an attempt that failed, as for want of space.
  await fileSystem.removeTree(temporary);
  await fileSystem.makeDirectory(temporary);
  const written = await Promise.allSettled([
    writeNewFile(
      fileSystem,
      join(temporary, segmentFileName(0, "data")),
      encodeSegmentHeader(header),
    ),
    writeNewFile(fileSystem, join(temporary, LOG_METADATA_FILE), encodeLogMetadata(metadata)),
  ]);
  // Not before both are done: what still writes would meet with the next attempt.
  for (const outcome of written) if (outcome.status === "rejected") throw outcome.reason;
  await fileSystem.syncDirectory(temporary);
  await fileSystem.rename(temporary, directory);
  await fileSystem.syncDirectory(dirname(directory));
  return asRecovered(context, metadata);
}

type NewSegmentHeader = Parameters<typeof encodeSegmentHeader>[0];

function emptyLog(
  { environment, options, bootId }: RecoveryContext,
  storeId: Uint8Array | undefined,
): { readonly header: NewSegmentHeader; readonly metadata: LogMetadata } {
  const logId = new Uint8Array(randomBytes(LOG_ID_BYTES));
  const createdAt = environment.now();
  const header = { logId, epoch: 0, baseOffset: 0, createdAt, predecessor: undefined };
  const encoded = decodeSegmentHeader(encodeSegmentHeader(header)) as SegmentHeader;
  const metadata: LogMetadata = {
    logId,
    epoch: 0,
    startOffset: 0,
    truncation: undefined,
    bootId,
    storeId,
    clean: false,
    synced: options.durability === "always",
    hasProducers: false,
    end: {
      activeBaseOffset: 0,
      endOffset: 0,
      maxTimestamp: 0,
      endPosition: encoded.headerLength,
      lastBlockPosition: 0,
      lastChecksum: encoded.checksum,
    },
    revision: 0,
  };
  return { header, metadata };
}

function asRecovered(context: RecoveryContext, metadata: LogMetadata): RecoveredLog {
  const segment = segmentOpener(context, metadata)(0);
  segment.setEndPosition(metadata.end.endPosition);
  const report = { ...NOTHING_RECOVERED, kind: "created" as const };
  const activeCreatedAt = context.environment.now();
  return { metadata, segments: [segment], end: metadata.end, activeCreatedAt, report };
}
