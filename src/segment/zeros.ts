import type { PooledFile } from "../files/handle-pool.js";
import { readStep, runSteps } from "../files/steps.js";

const CHUNK_BYTES = 64 * 1024;
const ZEROS = Buffer.alloc(CHUNK_BYTES);

/** One past the last byte in `[from, to)` of a file that is not zero; `from` if there is none. */
export async function endOfData(file: PooledFile, from: number, to: number): Promise<number> {
  const buffer = new Uint8Array(Math.min(CHUNK_BYTES, Math.max(to - from, 0)));
  let end = from;
  for (let position = from; position < to; ) {
    const wanted = buffer.subarray(0, Math.min(buffer.length, to - position));
    const count = await runSteps(readStep(file, wanted, position));
    if (count === 0) break;
    const bytes = wanted.subarray(0, count);
    if (!ZEROS.subarray(0, count).equals(bytes)) {
      end = position + bytes.findLastIndex((byte) => byte !== 0) + 1;
    }
    position += count;
  }
  return end;
}
