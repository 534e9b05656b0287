import { crc32 as nativeCrc32 } from "node:zlib";
import crc32 from "crc-32";

/**
 * Below this length the call into native code costs more than it saves. Measured with
 * `node test/bench/checksum.mjs`; the two agree on every input, so the choice is free.
 */
const NATIVE_FROM_BYTES = 256;

/**
 * CRC-32 (the polynomial of zlib and Ethernet, check value `cbf43926`) of `bytes`, unsigned.
 *
 * @param seed - The checksum of bytes that are thought to stand before `bytes`:
 *   `checksum(b, checksum(a))` is the checksum of `a` followed by `b`.
 */
export function checksum(bytes: Uint8Array, seed = 0): number {
  return bytes.length < NATIVE_FROM_BYTES ? crc32.buf(bytes, seed) >>> 0 : nativeCrc32(bytes, seed);
}

/** {@link checksum} of the bytes in [start, end): quicker than with a `subarray` of a `Buffer`. */
export function checksumOfRange(
  { buffer, byteOffset }: Uint8Array,
  start: number,
  end: number,
  seed = 0,
): number {
  return checksum(new Uint8Array(buffer, byteOffset + start, end - start), seed);
}
