import type { PooledFile } from "../../files/handle-pool.js";
import { readStep, type Steps } from "../../files/steps.js";

/** The smallest piece in which a device takes writes, or does not. */
export const SECTOR_BYTES = 512;
const CHUNK_BYTES = 128 * SECTOR_BYTES;

/**
 * Whether in [from, to) of a file a sector, or what of it lies in there, is nothing but zeros. That
 * is how a file system shows what never reached its disk, while what was written behind it did. A
 * process that dies leaves no such hole, nor does a device that flips bits.
 */
export function* hasLostSector(file: PooledFile, from: number, to: number): Steps<boolean> {
  const buffer = new Uint8Array(Math.min(CHUNK_BYTES, to - from));
  let position = from;
  while (position < to) {
    // Chunks end where sectors do, so that none is judged by a part of it.
    const chunkEnd = Math.min(to, position - (position % SECTOR_BYTES) + CHUNK_BYTES);
    const target = buffer.subarray(0, Math.min(buffer.length, chunkEnd - position));
    const count = yield* readStep(file, target, position);
    if (count === 0) return false;
    if (hasZeroSector(target.subarray(0, count), position)) return true;
    position += count;
  }
  return false;
}

/** Whether in bytes that stand at `position` of a file a sector, or what of it they are, is zeros. */
export function hasZeroSector(bytes: Uint8Array, position: number): boolean {
  for (let at = 0; at < bytes.length; ) {
    const sectorEnd = at + SECTOR_BYTES - ((position + at) % SECTOR_BYTES);
    if (bytes.subarray(at, sectorEnd).every((byte) => byte === 0)) return true;
    at = sectorEnd;
  }
  return false;
}
