import { basename, join, relative } from "node:path";
import { LOCK_FILE, PUBLISHED_FILE } from "../../src/format/file-names.js";
import type { FaultyFileSystem } from "./faulty-file-system.js";

/** What decides about what a power cut leaves, apart from the writes themselves. */
const KINDS = [
  "makeDirectory",
  "truncate",
  "datasync",
  "rename",
  "unlink",
  "removeTree",
  "syncDirectory",
] as const;

const UPWARDS = join("..", "..");

/**
 * What was made durable, in that order, as "kind path", with paths as seen from `directory`; "." is
 * itself, ".." its parent. What lies further up, or belongs to the lock and the published ends, is
 * left out.
 */
export function durableSteps(system: FaultyFileSystem, directory: string): string[] {
  return system.matching({ kind: KINDS }).flatMap(({ kind, path }) => {
    const name = relative(directory, path) || ".";
    const isOurs = !name.startsWith(UPWARDS) && basename(path) !== LOCK_FILE;
    return isOurs && !path.endsWith(PUBLISHED_FILE) ? [`${kind} ${name}`] : [];
  });
}
