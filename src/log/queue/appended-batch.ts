/** The offsets that a batch was given. They follow each other without holes. */
export class AppendedBatch {
  /** Offset of the first record. */
  readonly baseOffset: number;
  /** Offset of the last record, inclusive. */
  readonly lastOffset: number;

  /** @internal */
  constructor(baseOffset: number, lastOffset: number) {
    this.baseOffset = baseOffset;
    this.lastOffset = lastOffset;
  }

  /** Offset of the record at `index` of the batch, from 0. */
  offsetAt(index: number): number {
    return this.baseOffset + index;
  }
}
