/**
 * Work that many ask for and that may be done for all of them together, one round at a time. Whoever
 * asks is served by a round that begins after the question: what one that is under way has done, or
 * has seen, may be older.
 */
export class SharedRounds {
  readonly #work: () => Promise<void>;
  #running: Promise<void> | undefined;
  /** Shared by all who asked since the running one began. */
  #next: Promise<void> | undefined;

  constructor(work: () => Promise<void>) {
    this.#work = work;
  }

  /** Resolves with a round that begins now or later; throws what that one throws. */
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

  /** Resolves, never fails, when no round is under way. */
  async done(): Promise<void> {
    for (;;) {
      const last = this.#next ?? this.#running;
      if (last === undefined) return;
      await last.catch(() => undefined);
    }
  }

  #begin(): Promise<void> {
    this.#running = this.#work().finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }
}
