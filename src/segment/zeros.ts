import type { PooledFile } from "../files/handle-pool.js";
import { readStep, runSteps } from "../files/steps.js";

const CHUNK_BYTES = 64 * 1024;

/** Whether a file has nothing but zeros in `[from, to)`. */
export async function isAllZeros(file: PooledFile, from: number, to: number): Promise<boolean> {
  const buffer = new Uint8Array(Math.min(CHUNK_BYTES, Math.max(to - from, 0)));
  for (let position = from; position < to; ) {
    const wanted = buffer.subarray(0, Math.min(buffer.length, to - position));
    const count = await runSteps(readStep(file, wanted, position));
    if (count === 0) return true;
    if (wanted.subarray(0, count).some((byte) => byte !== 0)) return false;
    position += count;
  }
  return true;
}
