/** How long nothing is taken for granted once another writer was met. */
const SUSPENDED_MS = 5000;

/**
 * How far a node trusts that it is the only one to write to its keys, so that what it has seen of
 * them is all that there is.
 */
export class Trust {
  readonly #ms: number;
  #suspendedUntilMs = Number.NEGATIVE_INFINITY;

  /** @param ms - For how long what was seen is trusted in; 0 for not at all. */
  constructor(ms: number) {
    this.#ms = ms;
  }

  /** Whether what was seen then, by `performance.now()`, may be taken for all that there is. */
  covers(seenAtMs: number): boolean {
    const nowMs = performance.now();
    return nowMs >= this.#suspendedUntilMs && nowMs - seenAtMs < this.#ms;
  }

  /** Another node has written to a key of this one, or may have: for a while nothing is trusted. */
  suspend(): void {
    this.#suspendedUntilMs = performance.now() + SUSPENDED_MS;
  }
}
