import type { RecordSet } from "./record-set.js";

/** Sees every value that is read, and checks a spread of them. */
export class ReadCheck {
  readonly #records: RecordSet;
  readonly #count: number;
  readonly #every: number;
  #offset = 0;
  #bytes = 0;

  /** @param count - How many values there are to be. */
  constructor(records: RecordSet, count: number) {
    this.#records = records;
    this.#count = count;
    this.#every = Math.max(1, Math.floor(count / 1000));
  }

  /** Whether all values have been seen. */
  get isFull(): boolean {
    return this.#offset === this.#count;
  }

  see(value: Uint8Array): void {
    const offset = this.#offset++;
    this.#bytes += value.length;
    if (offset % this.#every === 0) this.#records.check(offset, value);
  }

  /** @throws Error unless all values have been seen. */
  end(): void {
    const bytes = this.#records.totalBytes(this.#count);
    if (this.#offset === this.#count && this.#bytes === bytes) return;
    throw new Error(
      `${this.#offset} records of ${this.#bytes} B, not ${this.#count} of ${bytes} B`,
    );
  }
}
