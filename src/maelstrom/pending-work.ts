/** Remembers, by key, the work that was begun and has not ended. */
export class PendingWork {
  readonly #tails = new Map<string, Promise<unknown>>();

  /** Counts `work` as pending on each of `keys` until it ends, well or badly. */
  add(keys: Iterable<string>, work: Promise<unknown>): void {
    for (const key of keys) {
      const tail = Promise.allSettled([this.#tails.get(key), work]);
      this.#tails.set(key, tail);
      void tail.then(() => {
        if (this.#tails.get(key) === tail) this.#tails.delete(key);
      });
    }
  }

  /** Resolves when all that is pending on `keys` now has ended. Never rejects. */
  async settled(keys: Iterable<string>): Promise<void> {
    await Promise.all(Array.from(keys, (key) => this.#tails.get(key)));
  }
}
