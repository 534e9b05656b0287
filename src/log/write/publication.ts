import type { SeglogError } from "../../errors.js";
import type { LogEnd } from "../../format/log-metadata.js";
import type { Changes } from "../changes.js";
import type { PublishedSlots } from "../directory/writer-session.js";
import type { JournaledAppends } from "../journal/journaled-appends.js";
import type { ResolvedLogOptions } from "../options.js";
import type { AppendQueue } from "../queue/append-queue.js";
import type { PendingBatch } from "../queue/pending.js";
import type { ActiveEnd } from "./active-end.js";
import type { LogFailures } from "./log-failures.js";

/** The log that is published. */
export interface PublishedLog {
  readonly logId: Uint8Array;
  readonly epoch: number;
  readonly startOffset: number;
  /** Of `log.meta` when this opened the log. */
  readonly openedRevision: number;
  readonly options: ResolvedLogOptions;
  readonly queue: AppendQueue;
  readonly journaled: JournaledAppends | undefined;
  flush(): Promise<void>;
}

/**
 * How far readers may see what was written, in this process and in others: to what is durable under
 * `"always"`, else to what is written. And who is told when they may.
 */
export class Publication {
  readonly #log: PublishedLog;
  readonly #written: ActiveEnd;
  readonly #failures: LogFailures;
  readonly #changes: Changes;
  readonly #slots: PublishedSlots;
  #end: LogEnd;
  #flushTimer: NodeJS.Timeout | undefined;

  constructor(
    log: PublishedLog,
    written: ActiveEnd,
    failures: LogFailures,
    changes: Changes,
    slots: PublishedSlots,
  ) {
    this.#log = log;
    this.#written = written;
    this.#failures = failures;
    this.#changes = changes;
    this.#slots = slots;
    this.#end = written.written;
  }

  /** Where the segments end for readers. */
  get end(): LogEnd {
    return this.#end;
  }

  /** What was published is no longer so; readers are told by {@link tellReaders}. */
  moveTo(end: LogEnd): void {
    this.#end = end;
  }

  stop(): void {
    clearTimeout(this.#flushTimer);
  }

  /** Whether there is something for {@link catchUp}, while nothing is being committed. */
  get isBehind(): boolean {
    return this.#written.written.endOffset > this.#end.endOffset;
  }

  /** What was written, and refused all the same for want of a handle to sync it, becomes visible. */
  async catchUp(): Promise<void> {
    this.#failures.assertSound();
    const isSynced = this.#log.options.durability === "always";
    if (isSynced) await this.#written.sync();
    const end = isSynced ? this.#written.durable : this.#written.written;
    if (end.endOffset <= this.#end.endOffset) return;
    this.#end = end;
    this.#log.journaled?.reach(end.endOffset);
    this.tellReaders();
  }

  /** Shows readers what was written, then tells the callers. */
  acknowledge(batches: PendingBatch[]): void {
    const answer = this.publish(batches);
    answer();
    batches.length = 0;
  }

  /**
   * Shows readers what was written.
   *
   * @param batches - All that was written since the last time.
   * @returns What tells the callers.
   */
  publish(batches: readonly PendingBatch[]): () => void {
    if (batches.length === 0) return () => {};
    const { durability, flushIntervalMs } = this.#log.options;
    const baseOffset = this.#end.endOffset;
    this.#end = durability === "always" ? this.#written.durable : this.#written.written;
    this.#log.journaled?.reach(this.#end.endOffset);
    this.tellReaders();
    if (durability === "interval") {
      this.#flushTimer ??= setTimeout(() => this.#flushInBackground(), flushIntervalMs).unref();
    }
    return () => {
      let offset = baseOffset;
      this.#log.queue.settle(batches, (batch) => {
        batch.resolve(offset);
        offset += batch.recordCount;
      });
    };
  }

  /** As {@link acknowledge}, of what was written before something failed. */
  async acknowledgeRest(batches: PendingBatch[]): Promise<void> {
    try {
      if (this.#log.options.durability === "always") await this.#written.sync();
      this.acknowledge(batches);
    } catch {
      // The log is poisoned now; the caller rejects what is left.
    }
  }

  /** Shows the bounds as they are, in this process and to others. */
  tellReaders(): void {
    const { activeBaseOffset, endOffset, endPosition, maxTimestamp } = this.#end;
    try {
      this.#slots.publish({
        logId: this.#log.logId,
        epoch: this.#log.epoch,
        startOffset: this.#log.startOffset,
        endOffset,
        activeBaseOffset,
        endPosition,
        maxTimestamp,
        revision: this.#log.openedRevision,
      });
    } catch (error) {
      // Readers in other processes see it with the next publication; the data is not touched.
      this.#log.options.onError(error as SeglogError);
    }
    this.#changes.announce();
  }

  #flushInBackground(): void {
    this.#flushTimer = undefined;
    this.#log.queue
      .exclusive(() => this.#log.flush())
      .catch((error: SeglogError) => this.#log.options.onError(error));
  }
}
