import type { Batch } from "./batch.js";
import { contains, type PlacedBatch } from "./place.js";

/**
 * How many characters of messages of a log are kept at hand; the last batch always is. When it is
 * more, half of it is forgotten: moving up what remains costs what it is long, so it is done seldom.
 */
const MAX_CHARACTERS = 256 * 1024;

/**
 * The last batches of a log, without a gap. What is forgotten stays in the store; what is here is
 * right for ever, since batches do not change.
 */
export class RecentBatches {
  readonly #batches: PlacedBatch[] = [];
  #characters = 0;

  /** How many characters of messages are at hand. */
  get characters(): number {
    return this.#characters;
  }

  /** Adds the batch that follows the last one. */
  add(baseOffset: number, batch: Batch): void {
    this.#batches.push({ baseOffset, batch });
    this.#characters += lengthOf(batch);
    if (this.#characters > MAX_CHARACTERS) this.#forget(MAX_CHARACTERS / 2);
  }

  /** The batch that has a message with this offset, if it is here. */
  containing(offset: number): PlacedBatch | undefined {
    let low = 0;
    let high = this.#batches.length;
    while (high - low > 1) {
      const middle = (low + high) >>> 1;
      if (this.#batches[middle]!.baseOffset <= offset) low = middle;
      else high = middle;
    }
    const found = this.#batches[low];
    return found !== undefined && contains(found, offset) ? found : undefined;
  }

  #forget(charactersLeft: number): void {
    let forgotten = 0;
    while (this.#characters > charactersLeft && forgotten < this.#batches.length - 1) {
      this.#characters -= lengthOf(this.#batches[forgotten++]!.batch);
    }
    this.#batches.splice(0, forgotten);
  }
}

/** How many characters the messages of a batch have together. */
export function lengthOf({ messages }: Batch): number {
  return messages.reduce((sum, message) => sum + message.length, 0);
}
