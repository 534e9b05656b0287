/** How far a consumer is in each key, where that is not committed: next offsets to read. */
export class ConsumerProgress {
  readonly #handedOut = new Map<string, number>();
  readonly #processed = new Map<string, number>();
  /** What was handed out and is being processed. */
  #latest: { readonly key: string; readonly nextOffset: number }[] = [];

  /** Behind what was handed out. */
  get handedOut(): ReadonlyMap<string, number> {
    return this.#handedOut;
  }

  /** Behind what is processed. */
  get processed(): ReadonlyMap<string, number> {
    return this.#processed;
  }

  /** Something was handed out, up to this offset. */
  note(key: string, nextOffset: number): void {
    this.#handedOut.set(key, nextOffset);
    this.#latest.push({ key, nextOffset });
  }

  /** More is asked for: what was handed out before is processed. */
  finish(): void {
    for (const { key, nextOffset } of this.#latest) this.#processed.set(key, nextOffset);
    this.#latest.length = 0;
  }

  /** These were committed; what has gone on since is not. */
  committed(offsets: ReadonlyMap<string, number>): void {
    for (const [key, next] of offsets) {
      for (const map of [this.#handedOut, this.#processed]) {
        if (map.get(key) === next) map.delete(key);
      }
    }
  }

  /** Of a key that goes on elsewhere, nothing is to be committed; nothing of it is being processed. */
  forget(key: string): void {
    this.#handedOut.delete(key);
    this.#processed.delete(key);
  }

  /** Nothing is to be committed, of no key. */
  forgetAll(): void {
    this.#handedOut.clear();
    this.#processed.clear();
    this.#latest.length = 0;
  }
}
