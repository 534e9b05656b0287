/** How many different records a set has; then they come again. */
export const DISTINCT = 20_000;

/** The records that all contenders are given, by their offsets. */
export class RecordSet {
  readonly #make: () => readonly Buffer[];
  #made: readonly Buffer[] | undefined;

  /** @param make - Makes all {@link DISTINCT} ones; called when the first one is needed. */
  constructor(make: () => readonly Buffer[]) {
    this.#make = make;
  }

  /** The record with this offset. */
  at(offset: number): Buffer {
    return this.#all()[offset % DISTINCT]!;
  }

  /** Batches of `length` records, which must divide the number of different ones. */
  *batches(count: number, length: number): Generator<readonly Buffer[]> {
    if (DISTINCT % length !== 0) throw new RangeError(`batches of ${length} do not come out even`);
    for (let offset = 0; offset < count; offset += length) {
      const from = offset % DISTINCT;
      yield this.#all().slice(from, from + length);
    }
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

  #all(): readonly Buffer[] {
    this.#made ??= this.#make();
    return this.#made;
  }
}
