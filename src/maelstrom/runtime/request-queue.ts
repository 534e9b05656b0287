/** How much work is done at once, and how much may wait. */
export interface QueueLimits {
  readonly maxRunning: number;
  readonly maxRunningBytes: number;
  readonly maxWaitingBytes: number;
}

interface Work {
  readonly requestBytes: number;
  /** Of its request and its answer. */
  readonly bytes: number;
  readonly run: () => Promise<void>;
}

/** Begins work in the order in which it comes, a bounded amount at once; the rest waits. */
export class RequestQueue {
  readonly #limits: QueueLimits;
  readonly #waiting = new Set<Work>();
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
   * @param answerBytes - What it may hold besides while it runs.
   * @param run - Must not reject.
   * @returns Whether it was taken; it is not where too much waits already.
   */
  add(requestBytes: number, answerBytes: number, run: () => Promise<void>): boolean {
    const work = { requestBytes, bytes: requestBytes + answerBytes, run };
    if (this.#waiting.size === 0 && this.#hasRoom(work)) {
      this.#begin(work);
      return true;
    }
    if (this.#waitingBytes + requestBytes > this.#limits.maxWaitingBytes) return false;
    this.#waiting.add(work);
    this.#waitingBytes += requestBytes;
    return true;
  }

  /** Resolves when nothing runs or waits. */
  async idle(): Promise<void> {
    if (this.#running === 0) return;
    await new Promise<void>((resolve) => this.#onIdle.push(resolve));
  }

  #hasRoom({ bytes }: Work): boolean {
    if (this.#running === 0) return true;
    const { maxRunning, maxRunningBytes } = this.#limits;
    return this.#running < maxRunning && this.#runningBytes + bytes <= maxRunningBytes;
  }

  #begin({ bytes, run }: Work): void {
    this.#running++;
    this.#runningBytes += bytes;
    void run().then(() => {
      this.#running--;
      this.#runningBytes -= bytes;
      this.#goOn();
    });
  }

  #goOn(): void {
    for (const next of this.#waiting) {
      if (!this.#hasRoom(next)) break;
      this.#waiting.delete(next);
      this.#waitingBytes -= next.requestBytes;
      this.#begin(next);
    }
    if (this.#running > 0) return;
    for (const tell of this.#onIdle.splice(0)) tell();
  }
}
