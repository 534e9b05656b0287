/** How much work is done at once, and how much may wait. */
export interface QueueLimits {
  readonly maxRunning: number;
  readonly maxRunningBytes: number;
  readonly maxWaitingBytes: number;
}

interface Work {
  /** Rises in the order in which work comes. */
  readonly number: number;
  readonly requestBytes: number;
  readonly answerBytes: number;
  readonly run: () => Promise<void>;
}

/**
 * Begins work in the order in which it comes, a bounded amount at once; the rest waits. Work
 * without a large answer may overtake work with one that there is no room for, never the other way.
 */
export class RequestQueue {
  readonly #limits: QueueLimits;
  /** In their order: those with a large answer, and those without. */
  readonly #large = new Set<Work>();
  readonly #small = new Set<Work>();
  #count = 0;
  #waitingBytes = 0;
  #running = 0;
  #runningBytes = 0;
  #onIdle: (() => void)[] = [];

  constructor(limits: QueueLimits) {
    this.#limits = limits;
  }

  /**
   * Begins work, now or when there is room. Work that is larger than what may run at once runs
   * alone.
   *
   * @param requestBytes - What it holds while it waits.
   * @param answerBytes - What it may hold besides while it runs; 0 if that is little.
   * @param run - Must not reject.
   * @returns Whether it was taken; it is not where too much waits already.
   */
  add(requestBytes: number, answerBytes: number, run: () => Promise<void>): boolean {
    const isIdle = this.#large.size + this.#small.size === 0;
    const work = { number: this.#count++, requestBytes, answerBytes, run };
    if (!(isIdle && this.#hasRoom(work))) {
      if (this.#waitingBytes + requestBytes > this.#limits.maxWaitingBytes) return false;
    }
    (answerBytes > 0 ? this.#large : this.#small).add(work);
    this.#waitingBytes += requestBytes;
    this.#goOn();
    return true;
  }

  /** Resolves when nothing runs or waits. */
  async idle(): Promise<void> {
    if (this.#running === 0) return;
    await new Promise<void>((resolve) => this.#onIdle.push(resolve));
  }

  #goOn(): void {
    for (let next = this.#next(); next !== undefined; next = this.#next()) {
      (next.answerBytes > 0 ? this.#large : this.#small).delete(next);
      this.#waitingBytes -= next.requestBytes;
      this.#begin(next);
    }
    if (this.#running > 0) return;
    for (const tell of this.#onIdle.splice(0)) tell();
  }

  /** What may begin now. */
  #next(): Work | undefined {
    const [large] = this.#large;
    const [small] = this.#small;
    const isLargeFirst =
      large !== undefined && (small === undefined || large.number < small.number);
    if (isLargeFirst && this.#hasRoom(large)) return large;
    return small !== undefined && this.#hasRoom(small) ? small : undefined;
  }

  #hasRoom(work: Work): boolean {
    if (this.#running === 0) return true;
    const { maxRunning, maxRunningBytes } = this.#limits;
    return this.#running < maxRunning && this.#runningBytes + bytesOf(work) <= maxRunningBytes;
  }

  #begin(work: Work): void {
    this.#running++;
    this.#runningBytes += bytesOf(work);
    void work.run().then(() => {
      this.#running--;
      this.#runningBytes -= bytesOf(work);
      this.#goOn();
    });
  }
}

function bytesOf({ requestBytes, answerBytes }: Work): number {
  return requestBytes + answerBytes;
}
