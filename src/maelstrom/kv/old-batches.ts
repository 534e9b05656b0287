import { behind, contains, type Place, type PlacedBatch } from "./place.js";
import { lengthOf } from "./recent-batches.js";

/** How many characters of messages are kept; the batch that was added last always is. */
const MAX_CHARACTERS = 256 * 1024;

/**
 * Some batches of a log that are not recent, for readers that are far behind: so they find again
 * where they were.
 */
export class OldBatches {
  readonly #batches: PlacedBatch[] = [];
  #characters = 0;

  /** How many characters of messages are kept. */
  get characters(): number {
    return this.#characters;
  }

  /** Adds a batch that was read, and forgets those that were added first. */
  add(placed: PlacedBatch): void {
    this.#batches.push(placed);
    this.#characters += lengthOf(placed.batch);
    while (this.#characters > MAX_CHARACTERS && this.#batches.length > 1) {
      this.#characters -= lengthOf(this.#batches.shift()!.batch);
    }
  }

  /** The batch that has a message with this offset, if it is here. */
  containing(offset: number): PlacedBatch | undefined {
    return this.#batches.find((placed) => contains(placed, offset));
  }

  /** The place with this base offset, if the batch before it is here. */
  placeAt(offset: number): Place | undefined {
    const before = this.#batches.find((placed) => behind(placed).baseOffset === offset);
    return before && behind(before);
  }
}
