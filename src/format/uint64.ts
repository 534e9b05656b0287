const HIGH_WORD = 2 ** 32;

/**
 * Reads a little-endian unsigned 64-bit integer as a `number`. Values above 2^53 - 1 come back
 * rounded, so whoever decodes hostile bytes checks `Number.isSafeInteger` of the result.
 */
export function readUint64(view: DataView, position: number): number {
  return view.getUint32(position + 4, true) * HIGH_WORD + view.getUint32(position, true);
}

/** Writes an integer in [0, 2^53 - 1] as little-endian unsigned 64 bits. */
export function writeUint64(view: DataView, position: number, value: number): void {
  view.setUint32(position, value >>> 0, true);
  view.setUint32(position + 4, Math.floor(value / HIGH_WORD), true);
}

/** A `DataView` of exactly the bytes of `bytes`. */
export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
