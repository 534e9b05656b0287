/** Every variant of `bytes` with exactly one bit flipped, and which bit it was. */
export function* bitFlips(
  bytes: Uint8Array,
): Generator<readonly [flipped: Uint8Array, at: string]> {
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    const flipped = bytes.slice();
    flipped[bit >>> 3]! ^= 1 << (bit & 7);
    yield [flipped, `bit ${bit & 7} of byte ${bit >>> 3}`];
  }
}

/** Every proper prefix of `bytes`. */
export function* prefixes(bytes: Uint8Array): Generator<Uint8Array> {
  for (let length = 0; length < bytes.length; length++) yield bytes.slice(0, length);
}

/** Sixteen bytes that are told apart by `first`. */
export function idOf(first: number): Uint8Array {
  return Uint8Array.from({ length: 16 }, (_, index) => (first + index * 7) & 0xff);
}
