import { compressSync, uncompressSync } from "lz4-napi";

/** How the records of a block are stored. The numbers are part of the format. */
export const Codec = { none: 0, lz4: 1 } as const;
export type CodecId = (typeof Codec)[keyof typeof Codec];

/** The codecs by the names that options and the command line use. */
export type CompressionName = "none" | "lz4";

/** The name of a codec id, or `undefined` for an id that this version does not know. */
export function codecName(id: number): CompressionName | undefined {
  if (id === Codec.none) return "none";
  return id === Codec.lz4 ? "lz4" : undefined;
}

/** LZ4's own bound: a block of it never decodes to more than 255 times its length. */
const LZ4_MAX_RATIO = 255;
/** Length in front of the LZ4 block: that of the uncompressed body, as a little-endian `u32`. */
export const LZ4_PREFIX_BYTES = 4;

/**
 * Compresses the body of a block.
 *
 * @returns The stored form (uncompressed length as little-endian u32, then one LZ4 block), or
 *   `undefined` where that would save nothing.
 */
export function compressBody(body: Buffer): Buffer | undefined {
  const stored = compressSync(body);
  return stored.length < body.length ? stored : undefined;
}

/**
 * Restores the body of an LZ4 block.
 *
 * The native decoder allocates whatever the first four bytes ask for, so they are compared with
 * the length that the block's header declares, and that with what LZ4 can reach at all, before it
 * is called.
 *
 * @returns The body, or a clause that says why there is none.
 */
export function decompressBody(stored: Uint8Array, bodyBytes: number): Uint8Array | string {
  if (stored.length < LZ4_PREFIX_BYTES) return "the LZ4 data is shorter than its length prefix";
  const declared = (stored[0]! | (stored[1]! << 8) | (stored[2]! << 16) | (stored[3]! << 24)) >>> 0;
  if (declared !== bodyBytes) return "the LZ4 length prefix contradicts the block header";
  if (bodyBytes > (stored.length - LZ4_PREFIX_BYTES) * LZ4_MAX_RATIO + 16) {
    return "the declared length is more than LZ4 data of this size can hold";
  }
  try {
    const { buffer, byteOffset, length } = uncompressSync(stored);
    if (length !== bodyBytes) return "the LZ4 data decodes to another length";
    // Not a `Buffer`: readers get views of this, and `slice()` of a `Buffer` would copy nothing.
    return new Uint8Array(buffer, byteOffset, length);
  } catch {
    return "the LZ4 data does not decode";
  }
}
