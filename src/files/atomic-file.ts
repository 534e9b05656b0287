import { dirname } from "node:path";
import { TEMPORARY_SUFFIX } from "../format/file-names.js";
import type { FileSystem, OpenFile } from "./file-system.js";
import { writeFully } from "./whole-file.js";

/**
 * Makes a file under a temporary name, fills it and puts its content on stable storage. Nothing has
 * its final name yet; a failure leaves nothing behind.
 *
 * @param fill - Writes the content.
 * @returns The temporary path.
 */
export async function prepareFile(
  fileSystem: FileSystem,
  path: string,
  fill: (file: OpenFile) => Promise<void>,
): Promise<string> {
  const temporary = path + TEMPORARY_SUFFIX;
  const file = await fileSystem.open(temporary, "create");
  // Closed once, also where closing fails: by then another file may have its descriptor.
  let isOpen = true;
  try {
    await fill(file);
    await file.datasync();
    isOpen = false;
    await file.close();
  } catch (error) {
    // The first failure is the one to tell; what is left over is removed at the next open.
    if (isOpen) await file.close().catch(() => undefined);
    await fileSystem.unlink(temporary).catch(() => undefined);
    throw error;
  }
  return temporary;
}

/**
 * Makes a file in a directory that nothing can see yet, and puts its content on stable storage; not
 * its name.
 */
export async function writeNewFile(
  fileSystem: FileSystem,
  path: string,
  bytes: Uint8Array,
): Promise<void> {
  const file = await fileSystem.open(path, "create");
  try {
    await writeFully(file, bytes, 0);
    await file.datasync();
  } finally {
    await file.close();
  }
}

/**
 * Replaces a file as a whole: after a crash it has the old content or the new, never a mixture.
 * The new content is on stable storage when this resolves.
 *
 * @param onRenamed - Called when the new content has its name: if this fails afterwards, nobody
 *   knows which of the two a crash would leave.
 */
export async function replaceFile(
  fileSystem: FileSystem,
  path: string,
  bytes: Uint8Array,
  onRenamed?: () => void,
): Promise<void> {
  const temporary = await prepareFile(fileSystem, path, (file) => writeFully(file, bytes, 0));
  await fileSystem.rename(temporary, path);
  onRenamed?.();
  await fileSystem.syncDirectory(dirname(path));
}
