import { PUBLISHED_FILE } from "../../src/format/file-names.js";
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

/**
 * What was made durable, in that order, as "kind path" with paths below `directory`. The file of
 * published ends is left out: it is never durable.
 */
export function durableSteps(system: FaultyFileSystem, directory: string): string[] {
  return system
    .matching({ kind: KINDS })
    .filter(({ path }) => !path.endsWith(PUBLISHED_FILE) && !path.endsWith("LOCK"))
    .map(({ kind, path }) => `${kind} ${path.slice(directory.length + 1)}`);
}
