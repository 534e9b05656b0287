/** Waits until all of those are settled that were there when the waiting began. */
export class FlushWaits<T> {
  #waits: { readonly left: Set<T>; readonly done: () => void }[] = [];

  /** Resolves when each of these was settled. */
  until(all: Iterable<T>): Promise<void> {
    const left = new Set(all);
    if (left.size === 0) return Promise.resolve();
    return new Promise((done) => {
      this.#waits.push({ left, done });
    });
  }

  /** One of them was settled, or others have taken its place. */
  settle(one: T, successors: readonly T[] = []): void {
    if (this.#waits.length === 0) return;
    for (const { left, done } of this.#waits) {
      if (!left.delete(one)) continue;
      for (const successor of successors) left.add(successor);
      if (left.size === 0) done();
    }
    this.#waits = this.#waits.filter(({ left }) => left.size > 0);
  }
}
