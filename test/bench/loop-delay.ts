import { type IntervalHistogram, monitorEventLoopDelay } from "node:perf_hooks";
import { setTimeout } from "node:timers/promises";

/** So that a histogram's resolution does not hide short delays. */
const RESOLUTION_MS = 1;

/** How late the event loop comes to its timers, only while the work runs that is measured. */
export class LoopDelay {
  #p99Ms = 0;
  #maxMs = 0;

  /** Where the work has several parts, that of the worst of them. */
  get p99Ms(): number {
    return this.#p99Ms;
  }

  get maxMs(): number {
    return this.#maxMs;
  }

  /** Runs `work` and tells how many milliseconds it took. */
  async during(work: () => unknown): Promise<number> {
    // A new one for each part: in one that is enabled again, what lay between is a delay.
    const delays = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
    delays.enable();
    try {
      await nextDelay(delays);
      const startedAt = performance.now();
      await work();
      const elapsedMs = performance.now() - startedAt;
      await nextDelay(delays);
      this.#p99Ms = Math.max(this.#p99Ms, lateMs(delays.percentile(99)));
      this.#maxMs = Math.max(this.#maxMs, lateMs(delays.max));
      return elapsedMs;
    } finally {
      delays.disable();
    }
  }
}

/**
 * A delay is noted when the timer fires for the second time, and from then on each time: before the
 * work it must have begun to note, after the work it must note once more.
 */
async function nextDelay(delays: IntervalHistogram): Promise<void> {
  const { count } = delays;
  while (delays.count === count) await setTimeout(RESOLUTION_MS);
}

/** The histogram holds the time from one firing of its timer to the next. */
function lateMs(intervalNs: number): number {
  return Math.max(0, intervalNs / 1e6 - RESOLUTION_MS);
}
