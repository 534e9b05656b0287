/**
 * The time by which retention judges age. It runs as far ahead as the clock that nobody can set has
 * run since the log was opened, and no further: while the machine's clock has jumped into the
 * future, nothing grows old by that jump. (After the machine has slept it is late by as much, until
 * the log is opened again: it keeps more, never less.)
 */
export class RetentionClock {
  readonly #now: () => number;
  readonly #monotonicNow: () => number;
  readonly #maxStepMs: number;
  readonly #offset: number;

  /** @param maxStepMs - By how much the two clocks may differ before that counts as a jump. */
  constructor(now: () => number, monotonicNow: () => number, maxStepMs: number) {
    this.#now = now;
    this.#monotonicNow = monotonicNow;
    this.#maxStepMs = maxStepMs;
    this.#offset = now() - monotonicNow();
  }

  /** Milliseconds since 1970. */
  now(): number {
    return Math.min(this.#now(), this.#monotonicNow() + this.#offset + this.#maxStepMs);
  }
}
