/** Someone who waits for room. */
export interface Waiter {
  readonly bytes: number;
  readonly admit: () => void;
}

/** Whoever reads at the other end of a connection. */
export interface Reader {
  /** Whether it took the last response that was read for it. */
  isProven: boolean;
  /** Bytes that its responses hold. */
  takenBytes: number;
  /** Its calls that wait for room, in the order in which they came. */
  readonly waiting: Set<Waiter>;
}

/**
 * Those who wait, in two lines: the readers that are proven, and the others. In each, readers take
 * turns, so nobody gets ahead by asking more often.
 */
export class WaitingReaders {
  readonly #unproven = new Set<Reader>();
  readonly #proven = new Set<Reader>();

  get isEmpty(): boolean {
    return this.#unproven.size + this.#proven.size === 0;
  }

  add(reader: Reader, waiter: Waiter): void {
    reader.waiting.add(waiter);
    this.#lineOf(reader).add(reader);
  }

  delete(reader: Reader, waiter: Waiter): void {
    reader.waiting.delete(waiter);
    if (reader.waiting.size === 0) this.#lineOf(reader).delete(reader);
  }

  /** Changes what is known of a reader; it goes to the end of the other line. */
  judge(reader: Reader, isProven: boolean): void {
    const isWaiting = this.#lineOf(reader).delete(reader);
    reader.isProven = isProven;
    if (isWaiting) this.#lineOf(reader).add(reader);
  }

  /** The first of each line, of the unproven before of the proven. */
  *firsts(): Generator<readonly [Reader, Waiter]> {
    for (const line of [this.#unproven, this.#proven]) {
      for (const reader of line) {
        const [waiter] = reader.waiting;
        yield [reader, waiter!];
        break;
      }
    }
  }

  /** Takes out a waiter whose turn it was; its reader goes to the end. */
  serve(reader: Reader, waiter: Waiter): void {
    this.delete(reader, waiter);
    const line = this.#lineOf(reader);
    if (line.delete(reader)) line.add(reader);
  }

  #lineOf({ isProven }: Reader): Set<Reader> {
    return isProven ? this.#proven : this.#unproven;
  }
}
