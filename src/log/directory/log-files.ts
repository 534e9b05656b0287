import { join } from "node:path";
import { CorruptionError, SeglogError } from "../../errors.js";
import { prepareFile, replaceFile } from "../../files/atomic-file.js";
import { hasSystemCode, isMissing } from "../../files/file-errors.js";
import type { DirectoryEntry, FileSystem } from "../../files/file-system.js";
import { readFile, writeFully } from "../../files/whole-file.js";
import { isInvalidHeader } from "../../format/envelope.js";
import {
  CUT_MARK,
  LOCK_FILE,
  LOG_METADATA_FILE,
  PRODUCERS_FILE,
  PUBLISHED_FILE,
  parseSegmentFileName,
  STORE_METADATA_FILE,
  segmentFileName,
  TEMPORARY_SUFFIX,
} from "../../format/file-names.js";
import {
  decodeLogMetadata,
  encodeLogMetadata,
  type LogMetadata,
} from "../../format/log-metadata.js";
import { encodeSegmentHeader, type SegmentHeader } from "../../format/segment-header.js";

/** More than any metadata file of any version takes. */
const MAX_METADATA_BYTES = 4096;

/** Files of a log of which nothing has to be known to list it. */
const OTHER_FILES = [LOCK_FILE, PUBLISHED_FILE, PRODUCERS_FILE];

/** What the names in a log's directory say. */
export interface LogListing {
  /** Whether there is nothing at all. */
  readonly isEmpty: boolean;
  /** Base offsets of the data files, rising. */
  readonly baseOffsets: readonly number[];
  readonly hasMetadata: boolean;
  readonly hasStoreMetadata: boolean;
  /** Left over from something that a crash interrupted. */
  readonly temporaryFiles: readonly string[];
  /** Index files without a data file. */
  readonly strayIndexFiles: readonly string[];
  /** Files that keep bytes which recovery cut off. */
  readonly cutFiles: readonly string[];
  /** Names that seglog does not use. */
  readonly foreignNames: readonly string[];
}

/**
 * Lists a log's directory.
 *
 * @throws SeglogError `NOT_A_LOG` for a file; `UNSAFE_PATH` for symbolic links among its files.
 * @returns `undefined` if there is no such directory.
 */
export async function listLog(
  fileSystem: FileSystem,
  directory: string,
): Promise<LogListing | undefined> {
  let entries: DirectoryEntry[];
  try {
    entries = await fileSystem.readDirectory(directory);
  } catch (error) {
    if (isMissing(error)) return undefined;
    if (hasSystemCode(error, "ENOTDIR")) {
      throw new SeglogError(
        "NOT_A_LOG",
        `${directory} is a file, or stands below one; a log is a directory. Name another path.`,
        { cause: error },
      );
    }
    throw error;
  }
  return sortEntries(directory, entries);
}

function sortEntries(directory: string, entries: readonly DirectoryEntry[]): LogListing {
  const baseOffsets: number[] = [];
  const indexFiles: { name: string; baseOffset: number }[] = [];
  const temporaryFiles: string[] = [];
  const cutFiles: string[] = [];
  const foreignNames: string[] = [];
  let hasMetadata = false;
  let hasStoreMetadata = false;
  for (const { name, kind } of entries) {
    const segment = parseSegmentFileName(name);
    if (segment !== undefined || name === LOG_METADATA_FILE || name === PRODUCERS_FILE) {
      if (kind !== "file") {
        throw new SeglogError(
          "UNSAFE_PATH",
          `${join(directory, name)} is a ${kind}, not a file. Put the real file in its place.`,
        );
      }
    }
    if (segment?.kind === "data") baseOffsets.push(segment.baseOffset);
    else if (segment !== undefined) indexFiles.push({ name, baseOffset: segment.baseOffset });
    else if (name === LOG_METADATA_FILE) hasMetadata = true;
    else if (name === STORE_METADATA_FILE) hasStoreMetadata = true;
    else if (isTemporary(name)) temporaryFiles.push(name);
    else if (name.includes(CUT_MARK)) cutFiles.push(name);
    else if (!OTHER_FILES.includes(name)) foreignNames.push(name);
  }
  baseOffsets.sort((one, other) => one - other);
  const known = new Set(baseOffsets);
  const strayIndexFiles = indexFiles
    .filter((file) => !known.has(file.baseOffset))
    .map((file) => file.name);
  return {
    isEmpty: entries.length === 0,
    baseOffsets,
    hasMetadata,
    hasStoreMetadata,
    temporaryFiles,
    strayIndexFiles,
    cutFiles,
    foreignNames,
  };
}

/** Only names that seglog itself gives to temporary files. */
function isTemporary(name: string): boolean {
  if (!name.endsWith(TEMPORARY_SUFFIX)) return false;
  const final = name.slice(0, -TEMPORARY_SUFFIX.length);
  return (
    final === LOG_METADATA_FILE ||
    final === PUBLISHED_FILE ||
    final === PRODUCERS_FILE ||
    final.includes(CUT_MARK) ||
    parseSegmentFileName(final) !== undefined
  );
}

/**
 * Reads `log.meta`.
 *
 * @throws CorruptionError, or SeglogError `UNSUPPORTED_FORMAT`.
 */
export async function readMetadata(
  fileSystem: FileSystem,
  directory: string,
): Promise<LogMetadata> {
  const path = join(directory, LOG_METADATA_FILE);
  const metadata = decodeLogMetadata(await readFile(fileSystem, path, MAX_METADATA_BYTES));
  if (!isInvalidHeader(metadata)) return metadata;
  if (metadata.kind === "damaged") {
    throw new CorruptionError({ file: path, position: 0, reason: metadata.reason });
  }
  throw new SeglogError(
    "UNSUPPORTED_FORMAT",
    `${path}: ${metadata.reason} is of a newer seglog. Open it with that version.`,
  );
}

/** Replaces `log.meta`; durable when it resolves. See `replaceFile` for `onRenamed`. */
export function writeMetadata(
  fileSystem: FileSystem,
  directory: string,
  metadata: LogMetadata,
  onRenamed?: () => void,
): Promise<void> {
  const path = join(directory, LOG_METADATA_FILE);
  return replaceFile(fileSystem, path, encodeLogMetadata(metadata), onRenamed);
}

/**
 * Makes the data file of a segment, durably: temporary name, header, fsync, rename, fsync of the
 * directory. A crash leaves the whole empty segment or none.
 */
export async function createSegmentFile(
  fileSystem: FileSystem,
  directory: string,
  header: Omit<SegmentHeader, "checksum" | "headerLength" | "blockSeed">,
): Promise<void> {
  const path = join(directory, segmentFileName(header.baseOffset, "data"));
  const bytes = encodeSegmentHeader(header);
  const temporary = await prepareFile(fileSystem, path, (file) => writeFully(file, bytes, 0));
  await fileSystem.rename(temporary, path);
  await fileSystem.syncDirectory(directory);
}
