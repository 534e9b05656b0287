import {
  appendFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { checksum } from "../../src/format/checksum.js";

/** The files of a directory, by their names. */
export type Snapshot = ReadonlyMap<string, Buffer>;

/** Reads all files of a directory, so that it can be put back as often as a test likes. */
export function snapshotOf(directory: string): Snapshot {
  const files = new Map<string, Buffer>();
  for (const name of readdirSync(directory)) files.set(name, readFileSync(join(directory, name)));
  return files;
}

/** Makes a directory hold exactly these files. */
export function restore(directory: string, snapshot: Snapshot): void {
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory, { recursive: true });
  for (const [name, bytes] of snapshot) writeFileSync(join(directory, name), bytes);
}

/** Inverts one bit of a file; a negative position counts from its end. */
export function flipBit(path: string, position: number, bit = 0): void {
  patch(path, (bytes) => {
    const at = position < 0 ? bytes.length + position : position;
    bytes[at]! ^= 1 << bit;
  });
}

/** Cuts a file; a negative length is what is taken away. */
export function cut(path: string, length: number): void {
  truncateSync(path, length < 0 ? statSync(path).size + length : length);
}

/** Adds bytes at the end of a file. */
export function extend(path: string, bytes: Uint8Array): void {
  appendFileSync(path, bytes);
}

/** Changes the bytes of a file in place. */
export function patch(path: string, change: (bytes: Buffer) => void): void {
  const bytes = readFileSync(path);
  change(bytes);
  writeFileSync(path, bytes);
}

/**
 * Changes one of the files that begin with a checksum over the rest (log.meta, headers of indexes
 * and segments), and makes the checksum right again.
 *
 * @param length - How many bytes the checksum covers, itself included; default: all.
 */
export function forge(
  path: string,
  change: (bytes: Buffer) => void,
  length = statSync(path).size,
): void {
  patch(path, (bytes) => {
    change(bytes);
    bytes.writeUInt32LE(checksum(bytes.subarray(4, length)), 0);
  });
}

export function fileLength(path: string): number {
  return statSync(path).size;
}
