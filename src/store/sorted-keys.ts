/** Half of what a piece may hold: few enough to move all of them for one more. */
const PIECE_KEYS = 512;

/**
 * Keys in the order of their names, by UTF-16 code units. They are kept in pieces, so that one more,
 * or one less, moves the few in its piece and not all that come behind.
 */
export class SortedKeys {
  /** In order, and each of them in order; none is empty. */
  readonly #pieces: string[][] = [];

  /** @param keys - Each once, in any order. */
  constructor(keys: Iterable<string>) {
    const sorted = [...keys].sort();
    for (let start = 0; start < sorted.length; start += PIECE_KEYS) {
      this.#pieces.push(sorted.slice(start, start + PIECE_KEYS));
    }
  }

  /** Puts a key in its place that is not there yet. */
  add(key: string): void {
    const at = this.#pieceFor(key);
    const piece = this.#pieces[at];
    if (piece === undefined) {
      this.#pieces.push([key]);
      return;
    }
    piece.splice(placeOf(key, piece), 0, key);
    if (piece.length > 2 * PIECE_KEYS) this.#pieces.splice(at + 1, 0, piece.splice(PIECE_KEYS));
  }

  /** Takes out a key that is there. */
  delete(key: string): void {
    const at = this.#pieceFor(key);
    const piece = this.#pieces[at]!;
    piece.splice(placeOf(key, piece), 1);
    if (piece.length === 0) this.#pieces.splice(at, 1);
  }

  /** The keys from `start` on, inclusive, be it a key or not. They must not change meanwhile. */
  *from(start: string): Generator<string, void, void> {
    const first = this.#pieceFor(start);
    for (let at = first; at < this.#pieces.length; at++) {
      const piece = this.#pieces[at]!;
      const begin = at === first ? placeOf(start, piece) : 0;
      for (let index = begin; index < piece.length; index++) yield piece[index]!;
    }
  }

  /** Index of the last piece that begins at or before `key`; else 0. */
  #pieceFor(key: string): number {
    const behind = firstIndex(this.#pieces.length, (index) => this.#pieces[index]![0]! > key);
    return Math.max(behind - 1, 0);
  }
}

/** Where `key` is in a piece, or belongs. */
function placeOf(key: string, piece: readonly string[]): number {
  return firstIndex(piece.length, (index) => piece[index]! >= key);
}

/** The first of `count` indexes from which on something holds; `count` if there is none. */
function firstIndex(count: number, holds: (index: number) => boolean): number {
  let low = 0;
  let high = count;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (holds(middle)) high = middle;
    else low = middle + 1;
  }
  return low;
}
