import type { SeglogError } from "../../errors.js";
import type { Segment } from "../../segment/segment.js";
import type { LogEnvironment } from "../environment.js";
import type { ResolvedLogOptions } from "../options.js";
import type { AppendQueue } from "../queue/append-queue.js";
import type { ActiveEnd } from "./active-end.js";
import type { LogFailures } from "./log-failures.js";
import { countExpired } from "./retention.js";
import { RetentionClock } from "./retention-clock.js";

/** How often a log with time limits looks at them while nothing is appended. */
const LEAST_UPKEEP_MS = 50;
const MOST_UPKEEP_MS = 60_000;

/** What upkeep does with a log. */
export interface KeptLog {
  readonly options: ResolvedLogOptions;
  readonly queue: AppendQueue;
  readonly segments: readonly Segment[];
  readonly isClosed: boolean;
  settle(): Promise<void>;
  rollAged(): Promise<void>;
  deleteBefore(offset: number): Promise<void>;
  removeDeleted(): Promise<void>;
}

/** Deletes what retention allows, and goes on from segments that are too old, whenever it is time. */
export class LogUpkeep {
  readonly #log: KeptLog;
  readonly #end: ActiveEnd;
  readonly #failures: LogFailures;
  readonly #clock: RetentionClock;
  /** Whether a segment was sealed since it last looked. */
  isDue = true;
  #timer: NodeJS.Timeout | undefined;

  constructor(
    { now, monotonicNow }: LogEnvironment,
    log: KeptLog,
    end: ActiveEnd,
    failures: LogFailures,
  ) {
    this.#log = log;
    this.#end = end;
    this.#failures = failures;
    this.#clock = new RetentionClock(now, monotonicNow, log.options.maxClockStepMs);
  }

  /** Run it exclusively. Failures are told, never thrown: no caller asked for it. */
  async run(): Promise<void> {
    this.isDue = false;
    const { options } = this.#log;
    // It may have waited behind the close, and another writer may have the log by now.
    if (this.#failures.poison !== undefined || this.#log.isClosed) return;
    try {
      // Time limits are judged by what stands in segments. If no more can be put there, what is
      // there goes all the same: that may be what makes room.
      if (this.#hasTimeLimits) {
        await this.#log.settle().catch((error: SeglogError) => options.onError(error));
      }
      if (this.#failures.poison !== undefined) return;
      if (this.#end.isActiveAged() && this.#end.written.lastBlockPosition > 0) {
        await this.#log.rollAged();
      }
      const { segments } = this.#log;
      const { endPosition } = this.#end.written;
      const now = this.#clock.now();
      const expired = await countExpired(segments, endPosition, options.retention, now);
      if (expired > 0) await this.#log.deleteBefore(segments[expired]!.baseOffset);
      else await this.#log.removeDeleted();
    } catch (error) {
      // What could not be changed has poisoned the log already; what could not be read need not.
      options.onError(error as SeglogError);
    }
  }

  /** Where there are time limits, it waits for the appends that are on their way to the journal. */
  async runBesideAppends(): Promise<void> {
    if (this.#hasTimeLimits) void this.#log.queue.exclusive(() => this.run());
    else await this.run();
  }

  /** Looks now and then from now on, if there are time limits. */
  schedule(): void {
    if (!this.#hasTimeLimits) return;
    const { retention, segmentMs } = this.#log.options;
    const shortest = Math.min(retention.ms, segmentMs);
    const delay = Math.min(Math.max(shortest / 2, LEAST_UPKEEP_MS), MOST_UPKEEP_MS);
    this.#timer = setTimeout(() => {
      this.#log.queue
        .exclusive(() => this.run())
        .finally(() => {
          if (!this.#log.isClosed) this.schedule();
        });
    }, delay).unref();
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  get #hasTimeLimits(): boolean {
    const { retention, segmentMs } = this.#log.options;
    return Math.min(retention.ms, segmentMs) < Number.POSITIVE_INFINITY;
  }
}
