import { SeglogError } from "../errors.js";
import type { EntryKind } from "./file-system.js";

/**
 * Throws `UNSAFE_PATH` if what must be a directory is something else: a symbolic link would lead
 * out of the log's or the store's own directory.
 */
export function assertDirectoryKind(path: string, kind: EntryKind): void {
  if (kind === "directory") return;
  throw new SeglogError(
    "UNSAFE_PATH",
    `${path} is a ${kind}, not a directory. Remove it, or put the real one there.`,
  );
}
