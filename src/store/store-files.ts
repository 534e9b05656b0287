import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { CorruptionError, SeglogError } from "../errors.js";
import { replaceFile } from "../files/atomic-file.js";
import { assertDirectoryKind } from "../files/directory-kind.js";
import { hasSystemCode, isMissing } from "../files/file-errors.js";
import type { DirectoryEntry, FileSystem } from "../files/file-system.js";
import { readFile } from "../files/whole-file.js";
import {
  CHECKPOINT_FILE,
  CUT_MARK,
  JOURNAL_DIRECTORY,
  LOCK_FILE,
  LOG_METADATA_FILE,
  LOGS_DIRECTORY,
  PUBLISHED_FILE,
  STORE_METADATA_FILE,
  TEMPORARY_SUFFIX,
} from "../format/file-names.js";
import {
  decodeStoreMetadata,
  encodeStoreMetadata,
  type StoreMetadata,
} from "../format/store-metadata.js";
import { makeDirectories } from "../log/recovery/log-creation.js";
import { decodeKey } from "./key-directory.js";

/** Part of the name of a key's directory that is being deleted; no key's name has a dot. */
const DELETED_PREFIX = ".deleted-";
/** Part of the name of a key's directory that is being made. */
const NEW_PREFIX = ".new-";
const MAX_METADATA_BYTES = 4096;

/** What the names in a store's directory say. */
export interface StoreListing {
  readonly hasMetadata: boolean;
  readonly hasLogMetadata: boolean;
  readonly temporaryFiles: readonly string[];
  readonly foreignNames: readonly string[];
}

/**
 * Lists a store's directory.
 *
 * @throws SeglogError `NOT_A_STORE` for a file.
 * @returns `undefined` if there is no such directory.
 */
export async function listStore(
  fileSystem: FileSystem,
  directory: string,
): Promise<StoreListing | undefined> {
  let entries: DirectoryEntry[];
  try {
    entries = await fileSystem.readDirectory(directory);
  } catch (error) {
    if (isMissing(error)) return undefined;
    if (!hasSystemCode(error, "ENOTDIR")) throw error;
    throw new SeglogError(
      "NOT_A_STORE",
      `${directory} is a file, or stands below one; a store is a directory. Name another path.`,
      { cause: error },
    );
  }
  for (const { name, kind } of entries) {
    const expected = name === LOGS_DIRECTORY ? "directory" : "file";
    const isOurs = [LOGS_DIRECTORY, STORE_METADATA_FILE, CHECKPOINT_FILE].includes(name);
    if (!isOurs || kind === expected) continue;
    throw new SeglogError(
      "UNSAFE_PATH",
      `${join(directory, name)} is a ${kind}, not a ${expected}. Put the real one in its place.`,
    );
  }
  const names = entries.map((entry) => entry.name);
  return {
    hasMetadata: names.includes(STORE_METADATA_FILE),
    hasLogMetadata: names.includes(LOG_METADATA_FILE),
    temporaryFiles: names.filter(isTemporary),
    foreignNames: names.filter((name) => !isKnown(name)),
  };
}

function isTemporary(name: string): boolean {
  if (!name.endsWith(TEMPORARY_SUFFIX)) return false;
  const final = name.slice(0, -TEMPORARY_SUFFIX.length);
  return (
    final === STORE_METADATA_FILE ||
    final === PUBLISHED_FILE ||
    final === CHECKPOINT_FILE ||
    final.startsWith(CHECKPOINT_FILE + CUT_MARK)
  );
}

function isKnown(name: string): boolean {
  return (
    name === LOGS_DIRECTORY ||
    name === STORE_METADATA_FILE ||
    name === CHECKPOINT_FILE ||
    name === LOCK_FILE ||
    name === PUBLISHED_FILE ||
    name.startsWith(CHECKPOINT_FILE + CUT_MARK) ||
    isTemporary(name)
  );
}

/**
 * Throws unless a store may be made in a directory without `store.meta`: only in an empty one, or
 * one where the making of a store was interrupted.
 */
export function assertMayCreateStore(directory: string, listing: StoreListing): void {
  const refuse = (what: string) =>
    new SeglogError("NOT_A_STORE", `${directory} ${what} Name another directory.`);
  if (listing.hasLogMetadata) {
    throw refuse("is a single log: open it with CommitLog.open().");
  }
  if (listing.foreignNames.length > 0) {
    throw refuse(`holds no store, but other files (${listing.foreignNames[0]}).`);
  }
}

/** Makes the files of an empty store, durably; `store.meta` comes last and says that it exists. */
export async function createStore(
  fileSystem: FileSystem,
  directory: string,
  createdAt: number,
): Promise<StoreMetadata> {
  const logs = join(directory, LOGS_DIRECTORY);
  await makeDirectories(fileSystem, logs);
  const entries = await fileSystem.readDirectory(logs);
  if (entries.length > 0) {
    throw new CorruptionError({
      file: join(directory, STORE_METADATA_FILE),
      position: 0,
      reason: "the file is missing, but there are logs",
    });
  }
  const metadata: StoreMetadata = { storeId: new Uint8Array(randomBytes(16)), createdAt };
  const path = join(directory, STORE_METADATA_FILE);
  await replaceFile(fileSystem, path, encodeStoreMetadata(metadata));
  return metadata;
}

/**
 * Reads `store.meta`.
 *
 * @throws CorruptionError, SeglogError `UNSUPPORTED_FORMAT`.
 */
export async function readStoreMetadata(
  fileSystem: FileSystem,
  directory: string,
): Promise<StoreMetadata> {
  const path = join(directory, STORE_METADATA_FILE);
  const metadata = decodeStoreMetadata(await readFile(fileSystem, path, MAX_METADATA_BYTES));
  if (!("kind" in metadata)) return metadata;
  if (metadata.kind === "damaged") {
    throw new CorruptionError({ file: path, position: 0, reason: metadata.reason });
  }
  throw new SeglogError(
    "UNSUPPORTED_FORMAT",
    `${path}: ${metadata.reason} is of a newer seglog. Open it with that version.`,
  );
}

/** The keys of a store, and what was interrupted. */
export interface KeyListing {
  readonly keys: string[];
  /** Keys whose deletion is to be completed. */
  readonly deleted: string[];
  /** Paths of directories that were to become logs. */
  readonly unfinished: string[];
  readonly hasJournal: boolean;
}

/** @throws SeglogError `UNSAFE_PATH` for a key's directory that is a symbolic link or a file. */
export async function listKeys(fileSystem: FileSystem, directory: string): Promise<KeyListing> {
  const logs = join(directory, LOGS_DIRECTORY);
  const keys: string[] = [];
  const deleted: string[] = [];
  const unfinished: string[] = [];
  let hasJournal = false;
  for (const { name, kind } of await fileSystem.readDirectory(logs)) {
    if (name.startsWith(NEW_PREFIX)) {
      unfinished.push(join(logs, name));
      continue;
    }
    if (name === JOURNAL_DIRECTORY) {
      assertDirectoryKind(join(logs, name), kind);
      hasJournal = true;
      continue;
    }
    const isDeleted = name.startsWith(DELETED_PREFIX);
    const key = decodeKey(isDeleted ? name.slice(DELETED_PREFIX.length) : name);
    if (key === undefined) continue;
    assertDirectoryKind(join(logs, name), kind);
    (isDeleted ? deleted : keys).push(key);
  }
  return { keys, deleted, unfinished, hasJournal };
}

/**
 * Sees to it that a key's log is not reached through a symbolic link.
 *
 * @param path - Where it is, or is about to be made; or the directory of all logs.
 * @throws SeglogError `UNSAFE_PATH`.
 */
export async function assertKeyDirectory(fileSystem: FileSystem, path: string): Promise<void> {
  const kind = await fileSystem.kindOf(path);
  if (kind !== undefined) assertDirectoryKind(path, kind);
}

/** The directory of a key's log. */
export function keyPath(directory: string, keyName: string): string {
  return join(directory, LOGS_DIRECTORY, keyName);
}

/** Where a key's log is moved to be deleted. */
export function deletedPath(directory: string, keyName: string): string {
  return join(directory, LOGS_DIRECTORY, DELETED_PREFIX + keyName);
}

/** Where a key's log is made. */
export function unfinishedPath(directory: string, keyName: string): string {
  return join(directory, LOGS_DIRECTORY, NEW_PREFIX + keyName);
}
