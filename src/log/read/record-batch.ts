import type { Block } from "../../format/block.js";
import type { LogRecord } from "../../format/record.js";

/**
 * Records that were read and verified together, in the order of their offsets: what one read of
 * about a mebibyte gave. It is not the unit that was appended; batches of `appendBatch` may share
 * one or span several.
 *
 * Iterating makes each record anew, so iterate once where speed matters.
 */
export class RecordBatch implements Iterable<LogRecord> {
  readonly #blocks: readonly Block[];
  readonly #from: number;
  readonly #to: number;

  /** @internal Of the blocks, only offsets in [from, to) count; there must be some. */
  constructor(blocks: readonly Block[], from: number, to: number) {
    this.#blocks = blocks;
    this.#from = from;
    this.#to = to;
  }

  /** Offset of the first record. */
  get baseOffset(): number {
    const first = this.#blocks[0]!;
    return first.offsetAt(first.lowerBound(this.#from));
  }

  /** Offset of the last record, inclusive. */
  get lastOffset(): number {
    const last = this.#blocks[this.#blocks.length - 1]!;
    return last.offsetAt(last.lowerBound(this.#to) - 1);
  }

  /** How many records there are. */
  get recordCount(): number {
    let count = 0;
    for (const block of this.#blocks) {
      count += block.lowerBound(this.#to) - block.lowerBound(this.#from);
    }
    return count;
  }

  /** The records in the order of their offsets. */
  [Symbol.iterator](): IterableIterator<LogRecord> {
    return new Records(this.#blocks, this.#from, this.#to);
  }
}

/** Written out, for a generator costs more than the records that it gives. */
class Records implements IterableIterator<LogRecord> {
  readonly #blocks: readonly Block[];
  readonly #from: number;
  readonly #to: number;
  #next = 0;
  #block: Block | undefined;
  #index = 0;
  #end = 0;

  constructor(blocks: readonly Block[], from: number, to: number) {
    this.#blocks = blocks;
    this.#from = from;
    this.#to = to;
  }

  [Symbol.iterator](): IterableIterator<LogRecord> {
    return this;
  }

  next(): IteratorResult<LogRecord, undefined> {
    while (this.#index >= this.#end) {
      const block = this.#blocks[this.#next++];
      if (block === undefined) return { done: true, value: undefined };
      this.#block = block;
      this.#index = block.lowerBound(this.#from);
      this.#end = block.lowerBound(this.#to);
    }
    return { done: false, value: this.#block!.recordAt(this.#index++) };
  }
}
