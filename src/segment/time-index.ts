import { TIME_ENTRY_BYTES } from "../format/index-file.js";
import { readUint64, writeUint64 } from "../format/uint64.js";
import { GrowingImage } from "./growing-image.js";

/**
 * The sparse time index of a segment. An entry says: every record before the block with this base
 * offset has at most this timestamp. Both columns rise, whatever order timestamps come in.
 */
export class TimeIndex {
  readonly #image: GrowingImage;

  constructor(image = new GrowingImage(TIME_ENTRY_BYTES)) {
    this.#image = image;
  }

  static decode(entries: Uint8Array): TimeIndex {
    return new TimeIndex(GrowingImage.of(entries, TIME_ENTRY_BYTES));
  }

  get count(): number {
    return this.#image.count;
  }

  get byteLength(): number {
    return this.#image.byteLength;
  }

  encode(): Uint8Array {
    return this.#image.encode();
  }

  /** Adds an entry, unless it says no more than the one before it. */
  add(timestamp: number, relativeOffset: number): void {
    if (this.count > 0 && this.timestampAt(this.count - 1) >= timestamp) return;
    const at = this.#image.extend();
    writeUint64(this.#image.view, at, timestamp);
    this.#image.view.setUint32(at + 8, relativeOffset, true);
  }

  /**
   * A relative offset before which every record is earlier than `timestamp`: the search for the
   * first record at or after it begins there.
   */
  startFor(timestamp: number): number {
    let low = 0;
    let high = this.count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.timestampAt(middle) < timestamp) low = middle + 1;
      else high = middle;
    }
    return low === 0 ? 0 : this.relativeOffsetAt(low - 1);
  }

  timestampAt(entry: number): number {
    return readUint64(this.#image.view, entry * TIME_ENTRY_BYTES);
  }

  relativeOffsetAt(entry: number): number {
    return this.#image.view.getUint32(entry * TIME_ENTRY_BYTES + 8, true);
  }
}
