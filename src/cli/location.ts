import { dirname, join } from "node:path";
import { SeglogError } from "../errors.js";
import { hasSystemCode, isMissing } from "../files/file-errors.js";
import type { DirectoryEntry, FileSystem } from "../files/file-system.js";
import {
  JOURNAL_DIRECTORY,
  LOG_METADATA_FILE,
  LOGS_DIRECTORY,
  parseSegmentFileName,
  STORE_METADATA_FILE,
} from "../format/file-names.js";
import { decodeKey, encodeKey } from "../store/key-directory.js";
import { assertKeyDirectory, keyPath } from "../store/store-files.js";
import { UsageError } from "./failure.js";

/** What a directory is, judged by the names in it alone, so that damage does not matter. */
export type DirectoryKind = "log" | "store" | "empty" | "missing" | "other";

/** @throws SeglogError `NOT_A_LOG` for a file; `FILE_ACCESS`. */
export async function kindOfDirectory(
  fileSystem: FileSystem,
  directory: string,
): Promise<DirectoryKind> {
  let entries: DirectoryEntry[];
  try {
    entries = await fileSystem.readDirectory(directory);
  } catch (error) {
    if (isMissing(error)) return "missing";
    if (!hasSystemCode(error, "ENOTDIR")) throw error;
    throw new SeglogError(
      "NOT_A_LOG",
      `${directory} is a file, or stands below one. Give the directory of a log or a store; ` +
        "seglog dump takes one file.",
    );
  }
  const names = new Set(entries.map(({ name }) => name));
  if (names.has(STORE_METADATA_FILE)) return "store";
  if (names.has(LOG_METADATA_FILE)) return "log";
  if (entries.some(({ name }) => parseSegmentFileName(name) !== undefined)) return "log";
  // A store that has lost its metadata is still one to look at.
  if (entries.some(({ name, kind }) => name === LOGS_DIRECTORY && kind === "directory")) {
    return "store";
  }
  return entries.length === 0 ? "empty" : "other";
}

/** A log or a store that exists. */
export interface Location {
  readonly kind: "log" | "store";
  /** Of the log: the one given, or that of the key. */
  readonly directory: string;
}

/**
 * Finds what a command is about: a log, the log of `key` in a store, or a store.
 *
 * @throws SeglogError `NOT_A_LOG`, `KEY_NOT_FOUND`, `INVALID_KEY`, `UNSAFE_PATH`; UsageError.
 */
export async function locate(
  fileSystem: FileSystem,
  directory: string,
  key: string | undefined,
): Promise<Location> {
  const kind = await kindOfDirectory(fileSystem, directory);
  if (kind === "log") {
    if (key === undefined) return { kind, directory };
    throw new UsageError(`${directory} is a single log, not a store: leave --key out.`);
  }
  if (kind !== "store") {
    const what = kind === "missing" ? "does not exist" : "holds neither a log nor a store";
    throw new SeglogError("NOT_A_LOG", `${directory} ${what}. Check the path.`);
  }
  if (key === undefined) return { kind, directory };
  const path = keyPath(directory, encodeKey(key));
  await assertKeyDirectory(fileSystem, dirname(path));
  await assertKeyDirectory(fileSystem, path);
  if ((await fileSystem.kindOf(path)) === "directory") return { kind: "log", directory: path };
  throw new SeglogError(
    "KEY_NOT_FOUND",
    `${directory} has no key ${JSON.stringify(key)}. seglog inspect ${directory} lists its keys.`,
  );
}

/** As {@link locate} for commands that need one log. */
export async function locateLog(
  fileSystem: FileSystem,
  directory: string,
  key: string | undefined,
): Promise<string> {
  const location = await locate(fileSystem, directory, key);
  if (location.kind === "log") return location.directory;
  throw new UsageError(
    `${directory} is a store: say which log with --key. seglog inspect lists the keys.`,
  );
}

/**
 * Names under `logs/` but the journal's; none if that is missing.
 *
 * @throws SeglogError `UNSAFE_PATH` if it, or what bears the name of a key, is no directory.
 */
export async function listKeyDirectories(
  fileSystem: FileSystem,
  directory: string,
): Promise<string[]> {
  try {
    const logs = join(directory, LOGS_DIRECTORY);
    await assertKeyDirectory(fileSystem, logs);
    const entries = await fileSystem.readDirectory(logs);
    for (const { name, kind } of entries) {
      if (kind === "directory" || decodeKey(name) === undefined) continue;
      await assertKeyDirectory(fileSystem, join(logs, name));
    }
    return entries
      .map(({ name }) => name)
      .filter((name) => name !== JOURNAL_DIRECTORY)
      .sort();
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
}
