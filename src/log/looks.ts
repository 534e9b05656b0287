/**
 * Looks at something that others change, one look at a time. Whoever asks gets a look that begins
 * after the question: one that is under way may have seen already what has changed since.
 */
export class Looks {
  readonly #look: () => Promise<void>;
  #running: Promise<void> | undefined;
  /** Shared by all who asked since the running one began. */
  #next: Promise<void> | undefined;

  constructor(look: () => Promise<void>) {
    this.#look = look;
  }

  /** @throws What the look throws. */
  run(): Promise<void> {
    if (this.#next !== undefined) return this.#next;
    if (this.#running === undefined) return this.#begin();
    this.#next = this.#running
      .catch(() => undefined)
      .then(() => {
        this.#next = undefined;
        return this.#begin();
      });
    return this.#next;
  }

  /** Resolves, never fails, when no look is under way. */
  async done(): Promise<void> {
    for (;;) {
      const last = this.#next ?? this.#running;
      if (last === undefined) return;
      await last.catch(() => undefined);
    }
  }

  #begin(): Promise<void> {
    this.#running = this.#look().finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }
}
