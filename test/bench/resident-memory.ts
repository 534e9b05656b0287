const MIB = 1024 * 1024;
/** Often enough to see what lives for a batch or two. */
const SAMPLE_MS = 2;

/** How much memory the process has resident while some work runs. */
export class ResidentMemory {
  #peakBytes = 0;
  #settledBytes = 0;
  #peakSinceBytes = 0;

  /** Runs `work` and watches. */
  async during(work: () => Promise<unknown>): Promise<void> {
    const timer = setInterval(() => this.#sample(), SAMPLE_MS);
    try {
      await work();
      this.#sample();
    } finally {
      clearInterval(timer);
    }
  }

  /** To be called by the work when all that it keeps should be there. */
  settle(): void {
    this.#peakSinceBytes = 0;
    this.#settledBytes = this.#sample();
  }

  /** The most that was resident. */
  get peakMib(): number {
    return this.#peakBytes / MIB;
  }

  /** By how much it rose above what it was when the work had settled. */
  get growthMib(): number {
    return (this.#peakSinceBytes - this.#settledBytes) / MIB;
  }

  #sample(): number {
    const bytes = process.memoryUsage.rss();
    this.#peakBytes = Math.max(this.#peakBytes, bytes);
    this.#peakSinceBytes = Math.max(this.#peakSinceBytes, bytes);
    return bytes;
  }
}
