/** Lets any number of waiters know that something changed; costs nothing while nobody waits. */
export class Changes {
  /** There are none most of the time; then one look tells. */
  #waiters: Set<() => void> | undefined;

  announce(): void {
    const waiters = this.#waiters;
    if (waiters === undefined) return;
    this.#waiters = undefined;
    for (const wake of waiters) wake();
  }

  /**
   * Resolves at the next announcement.
   *
   * @throws The signal's reason, if it is aborted first.
   */
  next(signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const onAbort = () => {
        this.#waiters?.delete(wake);
        reject(signal?.reason);
      };
      const wake = () => {
        signal?.removeEventListener("abort", onAbort);
        resolve();
      };
      if (signal?.aborted) {
        reject(signal.reason);
        return;
      }
      signal?.addEventListener("abort", onAbort, { once: true });
      this.#waiters ??= new Set();
      this.#waiters.add(wake);
    });
  }
}
