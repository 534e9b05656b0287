/**
 * What is known of whoever reads at the other end of a connection. `new`: nothing yet. `good`: it
 * took the last response that was read for it. `stalled`: its last one had to be ended, for it took
 * nothing.
 */
export type Standing = "good" | "new" | "stalled";

/** Someone who waits for room. */
export interface Waiter {
  readonly bytes: number;
  readonly admit: () => void;
}

/** Whoever reads at the other end of a connection. */
export interface Reader {
  standing: Standing;
  /** Bytes that its responses hold. */
  takenBytes: number;
  /** Its calls that wait for room, in the order in which they came. */
  readonly waiting: Set<Waiter>;
}

/**
 * Those who wait, in turns: between the standings, between the readers of a standing, and between
 * the calls of a reader. So nobody gets ahead by asking more often, or on more connections of which
 * nothing is known.
 */
export class WaitingReaders {
  readonly #lines: Readonly<Record<Standing, Set<Reader>>> = {
    good: new Set(),
    new: new Set(),
    stalled: new Set(),
  };
  /** Whose turn it is. */
  #turns: readonly Standing[] = ["good", "new", "stalled"];

  get isEmpty(): boolean {
    return this.#turns.every((standing) => this.#lines[standing].size === 0);
  }

  add(reader: Reader, waiter: Waiter): void {
    reader.waiting.add(waiter);
    this.#lines[reader.standing].add(reader);
  }

  delete(reader: Reader, waiter: Waiter): void {
    reader.waiting.delete(waiter);
    if (reader.waiting.size === 0) this.#lines[reader.standing].delete(reader);
  }

  /** Changes what is known of a reader; it goes to the end of the new line. */
  move(reader: Reader, standing: Standing): void {
    const isWaiting = this.#lines[reader.standing].delete(reader);
    reader.standing = standing;
    if (isWaiting) this.#lines[standing].add(reader);
  }

  /** The first of each standing, beginning with the standing whose turn it is. */
  *firsts(): Generator<readonly [Reader, Waiter]> {
    for (const standing of this.#turns) {
      for (const reader of this.#lines[standing]) {
        for (const waiter of reader.waiting) {
          yield [reader, waiter];
          break;
        }
        break;
      }
    }
  }

  /** Takes out a waiter whose turn it was: its reader and its standing go to the end. */
  serve(reader: Reader, waiter: Waiter): void {
    const { standing } = reader;
    this.delete(reader, waiter);
    if (this.#lines[standing].delete(reader)) this.#lines[standing].add(reader);
    this.#turns = [...this.#turns.filter((other) => other !== standing), standing];
  }
}
