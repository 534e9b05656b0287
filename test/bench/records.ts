import { readFileSync } from "node:fs";
import { Random } from "../support/random.js";

/** How many different records there are; then they come again. */
const DISTINCT = 20_000;

/** The records that all contenders are given: bytes of chance, of one length. */
export class Records {
  readonly byteLength: number;
  readonly #all: readonly Buffer[];

  constructor(byteLength: number) {
    const random = new Random(byteLength);
    const bytes = Buffer.allocUnsafeSlow(byteLength * DISTINCT);
    for (let at = 0; at < bytes.length; at++) bytes[at] = random.below(256);
    this.byteLength = byteLength;
    this.#all = Array.from({ length: DISTINCT }, (_, index) =>
      bytes.subarray(index * byteLength, (index + 1) * byteLength),
    );
  }

  /** The record with this offset. */
  at(offset: number): Buffer {
    return this.#all[offset % DISTINCT]!;
  }

  /** Batches of `length` records, which must divide the number of different ones. */
  *batches(count: number, length: number): Generator<readonly Buffer[]> {
    if (DISTINCT % length !== 0) throw new RangeError(`batches of ${length} do not come out even`);
    for (let offset = 0; offset < count; offset += length) {
      const from = offset % DISTINCT;
      yield this.#all.slice(from, from + length);
    }
  }

  /** @throws Error unless `value` is the record with this offset. */
  check(offset: number, value: Uint8Array | undefined): void {
    if (value !== undefined && Buffer.compare(value, this.at(offset)) === 0) return;
    throw new Error(`record ${offset} is not what was stored there`);
  }

  /**
   * Checks a spread of records in a file that holds them one behind the other.
   *
   * @param prefixBytes - What stands before each of them.
   */
  checkFile(path: string, count: number, prefixBytes: number): void {
    const bytes = readFileSync(path);
    for (const offset of this.sample(count)) {
      const end = (offset + 1) * (prefixBytes + this.byteLength);
      this.check(offset, bytes.subarray(end - this.byteLength, end));
    }
  }

  /** Offsets of a spread of records, the first and the last among them. */
  *sample(count: number): Generator<number> {
    const step = Math.max(1, Math.floor(count / 1000));
    for (let offset = 0; offset < count - 1; offset += step) yield offset;
    yield count - 1;
  }
}
