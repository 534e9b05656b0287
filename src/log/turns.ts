/** Whose turn it is, in the order in which they became ready. */
export class Turns<T> {
  readonly #ready: T[] = [];
  readonly #signal: AbortSignal;
  #wake: (() => void) | undefined;

  /** @param signal - Ends the waiting. */
  constructor(signal: AbortSignal) {
    this.#signal = signal;
    signal.addEventListener("abort", () => this.#wake?.(), { once: true });
  }

  /** Puts someone behind all that are ready. */
  add(one: T): void {
    this.#ready.push(one);
    this.#wake?.();
  }

  /**
   * Takes out the first that is ready, waiting until there is one. For one caller at a time.
   *
   * @throws The signal's reason.
   */
  async next(): Promise<T> {
    for (;;) {
      this.#signal.throwIfAborted();
      const first = this.#ready.shift();
      if (first !== undefined) return first;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}
