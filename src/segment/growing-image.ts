import { viewOf } from "../format/uint64.js";

/** An index begins with room for this many entries and doubles, so idle logs stay small. */
const FIRST_ENTRIES = 8;

/** The bytes of a file of fixed-size entries, held in memory and growing in steps. */
export class GrowingImage {
  readonly #entryBytes: number;
  #bytes: Uint8Array;
  #view: DataView;
  #count: number;

  /** @param bytes - The image takes them over. */
  constructor(entryBytes: number, bytes?: Uint8Array, count = 0) {
    this.#entryBytes = entryBytes;
    this.#bytes = bytes ?? new Uint8Array(FIRST_ENTRIES * entryBytes);
    this.#view = viewOf(this.#bytes);
    this.#count = count;
  }

  /** An image of entries that were read from a file. */
  static of(entries: Uint8Array, entryBytes: number): GrowingImage {
    return new GrowingImage(entryBytes, entries, entries.length / entryBytes);
  }

  get count(): number {
    return this.#count;
  }

  /** Memory that the image takes, room for growth included. */
  get byteLength(): number {
    return this.#bytes.length;
  }

  get view(): DataView {
    return this.#view;
  }

  /** Makes room for one more entry and returns where it goes. */
  extend(): number {
    const at = this.#count * this.#entryBytes;
    if (at + this.#entryBytes > this.#bytes.length) {
      const larger = new Uint8Array(Math.max(at * 2, FIRST_ENTRIES * this.#entryBytes));
      larger.set(this.#bytes);
      this.#bytes = larger;
      this.#view = viewOf(larger);
    }
    this.#count++;
    return at;
  }

  encode(): Uint8Array {
    return this.#bytes.subarray(0, this.#count * this.#entryBytes);
  }
}
