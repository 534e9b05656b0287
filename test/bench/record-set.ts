/** How many different records a set has, unless it matters how much memory they take. */
export const DISTINCT = 20_000;

/** The records that all contenders are given, by their offsets; behind the last they come again. */
export class RecordSet {
  readonly #make: () => readonly Buffer[];
  #made: readonly Buffer[] | undefined;

  /** @param make - Makes all that are different; called when the first one is needed. */
  constructor(make: () => readonly Buffer[]) {
    this.#make = make;
  }

  /** All that are different. */
  get all(): readonly Buffer[] {
    this.#made ??= this.#make();
    return this.#made;
  }

  /** The record with this offset. */
  at(offset: number): Buffer {
    const { all } = this;
    return all[offset % all.length]!;
  }

  /** Batches of `length` records, which must divide the number of different ones. */
  *batches(count: number, length: number): Generator<readonly Buffer[]> {
    const { all } = this;
    if (all.length % length !== 0) {
      throw new RangeError(`batches of ${length} do not come out even`);
    }
    for (let offset = 0; offset < count; offset += length) {
      const from = offset % all.length;
      yield all.slice(from, from + length);
    }
  }

  /** Bytes of the first `count` records. */
  totalBytes(count: number): number {
    const { all } = this;
    const bytesOf = (records: readonly Buffer[]) =>
      records.reduce((sum, { length }) => sum + length, 0);
    return (
      Math.floor(count / all.length) * bytesOf(all) + bytesOf(all.slice(0, count % all.length))
    );
  }

  /** @throws Error unless `value` is the record with this offset. */
  check(offset: number, value: Uint8Array | undefined): void {
    if (value !== undefined && Buffer.compare(value, this.at(offset)) === 0) return;
    throw new Error(`record ${offset} is not what was stored there`);
  }

  /** Offsets of a spread of records, the first and the last among them. */
  *sample(count: number): Generator<number> {
    const step = Math.max(1, Math.floor(count / 1000));
    for (let offset = 0; offset < count - 1; offset += step) yield offset;
    yield count - 1;
  }
}
