/** One timer for many times: it rings at the earliest that was asked for since it rang last. */
export class WakeTimer {
  readonly #ring: () => void;
  #timer: NodeJS.Timeout | undefined;
  #atMs = Number.POSITIVE_INFINITY;

  constructor(ring: () => void) {
    this.#ring = ring;
  }

  /** @param timeMs - By `performance.now()`. */
  wakeAt(timeMs: number): void {
    if (timeMs >= this.#atMs) return;
    clearTimeout(this.#timer);
    this.#atMs = timeMs;
    const delayMs = Math.max(0, Math.ceil(timeMs - performance.now()));
    this.#timer = setTimeout(() => {
      this.#atMs = Number.POSITIVE_INFINITY;
      this.#ring();
    }, delayMs);
  }

  /** Nothing is left to wait for: the process may end. */
  stop(): void {
    clearTimeout(this.#timer);
    this.#atMs = Number.POSITIVE_INFINITY;
  }
}
