import { OFFSET_ENTRY_BYTES } from "../format/index-file.js";
import { GrowingImage } from "./growing-image.js";

/**
 * The sparse offset index of a segment: base offsets of some of its blocks and their positions,
 * both rising. It lives in memory as the very bytes of its file.
 */
export class OffsetIndex {
  readonly #image: GrowingImage;

  constructor(image = new GrowingImage(OFFSET_ENTRY_BYTES)) {
    this.#image = image;
  }

  static decode(entries: Uint8Array): OffsetIndex {
    return new OffsetIndex(GrowingImage.of(entries, OFFSET_ENTRY_BYTES));
  }

  get count(): number {
    return this.#image.count;
  }

  get byteLength(): number {
    return this.#image.byteLength;
  }

  /** The entries as they stand in the file. */
  encode(): Uint8Array {
    return this.#image.encode();
  }

  add(relativeOffset: number, position: number): void {
    const at = this.#image.extend();
    this.#image.view.setUint32(at, relativeOffset, true);
    this.#image.view.setUint32(at + 4, position, true);
  }

  /** Position of the entry with the greatest offset that is at most `relativeOffset`, or -1. */
  floor(relativeOffset: number): number {
    const { view } = this.#image;
    let low = 0;
    let high = this.count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (view.getUint32(middle * OFFSET_ENTRY_BYTES, true) <= relativeOffset) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }

  relativeOffsetAt(entry: number): number {
    return this.#image.view.getUint32(entry * OFFSET_ENTRY_BYTES, true);
  }

  positionAt(entry: number): number {
    return this.#image.view.getUint32(entry * OFFSET_ENTRY_BYTES + 4, true);
  }
}
