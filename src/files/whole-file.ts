import { noProgress } from "./file-errors.js";
import type { FileSystem, OpenFile } from "./file-system.js";

/**
 * Writes all of `bytes` at `position`. A full disk can show as a short write and nothing else, so
 * the rest is written until it is, fails, or makes no progress.
 *
 * @throws SeglogError `NO_SPACE` or what the file system says; a part may have been written.
 */
export async function writeFully(
  file: OpenFile,
  bytes: Uint8Array,
  position: number,
): Promise<void> {
  let written = await file.write(bytes, position);
  while (written < bytes.length) {
    const count = await file.write(bytes.subarray(written), position + written);
    if (count === 0) throw noProgress(file.path);
    written += count;
  }
}

/** As {@link writeFully}, without giving the event loop a turn. */
export function writeFullySync(file: OpenFile, bytes: Uint8Array, position: number): void {
  let written = file.writeSync(bytes, position);
  while (written < bytes.length) {
    const count = file.writeSync(bytes.subarray(written), position + written);
    if (count === 0) throw noProgress(file.path);
    written += count;
  }
}

/** Reads until `target` is full or the file ends, and returns how many bytes it got. */
export async function readFully(
  file: OpenFile,
  target: Uint8Array,
  position: number,
): Promise<number> {
  let total = await file.read(target, position);
  while (total > 0 && total < target.length) {
    const count = await file.read(target.subarray(total), position + total);
    if (count === 0) break;
    total += count;
  }
  return total;
}

/** As {@link readFully}, without giving the event loop a turn. */
export function readFullySync(file: OpenFile, target: Uint8Array, position: number): number {
  let total = file.readSync(target, position);
  while (total > 0 && total < target.length) {
    const count = file.readSync(target.subarray(total), position + total);
    if (count === 0) break;
    total += count;
  }
  return total;
}

/**
 * Reads a small file whole.
 *
 * @param maxBytes - Longer files are cut there: a length on disk decides no allocation alone.
 */
export async function readFile(
  fileSystem: FileSystem,
  path: string,
  maxBytes: number,
): Promise<Uint8Array> {
  const file = await fileSystem.open(path, "read");
  try {
    const bytes = new Uint8Array(Math.min(await file.size(), maxBytes));
    return bytes.subarray(0, await readFully(file, bytes, 0));
  } finally {
    await file.close();
  }
}
