/** Longest encoding of a value below 2^32: five groups of seven bits. */
const MAX_VARINT_BYTES = 5;

/** How many bytes {@link writeVarint} needs for `value`, which is in [0, 2^32 - 1]. */
export function varintLength(value: number): number {
  let length = 1;
  for (let rest = value; rest >= 0x80; rest = Math.floor(rest / 0x80)) length++;
  return length;
}

/**
 * Writes an unsigned LEB128 integer in [0, 2^32 - 1]: seven bits a byte, lowest first, the top bit
 * set on all but the last byte.
 *
 * @returns The position after it.
 */
export function writeVarint(target: Uint8Array, position: number, value: number): number {
  let at = position;
  let rest = value;
  while (rest >= 0x80) {
    target[at++] = (rest % 0x80) | 0x80;
    rest = Math.floor(rest / 0x80);
  }
  target[at++] = rest;
  return at;
}

/** Reads varints one after the other from `[position, end)` and never beyond. */
export class VarintReader {
  readonly #bytes: Uint8Array;
  readonly #end: number;
  position: number;

  constructor(bytes: Uint8Array, position: number, end: number) {
    this.#bytes = bytes;
    this.position = position;
    this.#end = end;
  }

  /** The next value, or `undefined` where the bytes end or hold no value below 2^32. */
  next(): number | undefined {
    let value = 0;
    let scale = 1;
    for (let count = 0; count < MAX_VARINT_BYTES && this.position < this.#end; count++) {
      const byte = this.#bytes[this.position++]!;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value < 2 ** 32 ? value : undefined;
      scale *= 0x80;
    }
    return undefined;
  }

  /** The next `length` bytes as a view, or `undefined` where fewer are left. */
  take(length: number | undefined): Uint8Array | undefined {
    if (length === undefined || length > this.#end - this.position) return undefined;
    const start = this.position;
    this.position += length;
    return this.#bytes.subarray(start, this.position);
  }
}
