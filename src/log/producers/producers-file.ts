import { join } from "node:path";
import { SeglogError } from "../../errors.js";
import { replaceFile } from "../../files/atomic-file.js";
import { isMissing } from "../../files/file-errors.js";
import type { FileSystem } from "../../files/file-system.js";
import { readFile } from "../../files/whole-file.js";
import { isInvalidHeader } from "../../format/envelope.js";
import { PRODUCERS_FILE } from "../../format/file-names.js";
import {
  decodeProducerSnapshot,
  encodeProducerSnapshot,
  MOST_SNAPSHOT_BYTES,
  type ProducerSnapshot,
} from "../../format/producer-snapshot.js";

/** The file `producers` of a log. */
export function producersPath(directory: string): string {
  return join(directory, PRODUCERS_FILE);
}

/**
 * Reads the file `producers` of a log.
 *
 * @returns What it says, of whatever log; `undefined` if it is missing or damaged.
 * @throws SeglogError `UNSUPPORTED_FORMAT` for one of a newer version.
 */
export async function readProducers(
  fileSystem: FileSystem,
  directory: string,
): Promise<ProducerSnapshot | undefined> {
  const path = producersPath(directory);
  let bytes: Uint8Array;
  try {
    bytes = await readFile(fileSystem, path, MOST_SNAPSHOT_BYTES);
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
  const snapshot = decodeProducerSnapshot(bytes);
  if (!isInvalidHeader(snapshot)) return snapshot;
  if (snapshot.kind === "damaged") return undefined;
  throw new SeglogError(
    "UNSUPPORTED_FORMAT",
    `${path}: ${snapshot.reason} is of a newer seglog. Open the log with that version.`,
  );
}

/** Replaces the file `producers` of a log; it is on stable storage when this resolves. */
export function writeProducers(
  fileSystem: FileSystem,
  directory: string,
  snapshot: ProducerSnapshot,
): Promise<void> {
  return replaceFile(fileSystem, producersPath(directory), encodeProducerSnapshot(snapshot));
}
