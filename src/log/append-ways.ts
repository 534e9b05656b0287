import type { BlockProducer } from "../format/block-header.js";
import { MOST_BATCH_RECORDS } from "../format/journal-key.js";
import { prepare } from "../format/prepared-record.js";
import type { RecordInput } from "../format/record.js";
import type { ActiveEnd } from "./active-end.js";
import type { AppendQueue } from "./append-queue.js";
import type { AppendedBatch } from "./appended-batch.js";
import type { JournaledAppends } from "./journaled-appends.js";
import type { LogClock } from "./log-clock.js";
import type { LogFailures } from "./log-failures.js";
import type { ResolvedLogOptions } from "./options.js";
import type { ProducersKeeper } from "./producers-keeper.js";

/** What decides on the way of an append, and the two ways. */
export interface AppendWaysParts {
  readonly options: ResolvedLogOptions;
  readonly clock: LogClock;
  readonly failures: LogFailures;
  readonly end: ActiveEnd;
  readonly producers: ProducersKeeper;
  readonly queue: AppendQueue;
  readonly journaled: JournaledAppends | undefined;
}

/**
 * The two ways of an append: through the log's own queue to its segments, or to the journal of its
 * store, which has one sync for many logs. An append takes the second only where it is small, the
 * store is busy, and nothing that was accepted before could be overtaken.
 */
export class AppendWays {
  readonly #options: ResolvedLogOptions;
  readonly #clock: LogClock;
  readonly #failures: LogFailures;
  readonly #end: ActiveEnd;
  readonly #producers: ProducersKeeper;
  readonly #queue: AppendQueue;
  readonly #journaled: JournaledAppends | undefined;

  constructor(parts: AppendWaysParts) {
    this.#options = parts.options;
    this.#clock = parts.clock;
    this.#failures = parts.failures;
    this.#end = parts.end;
    this.#producers = parts.producers;
    this.#queue = parts.queue;
    this.#journaled = parts.journaled;
  }

  /** See `CommitLog.append`. */
  append(
    record: RecordInput,
    signal: AbortSignal | undefined,
    producer: BlockProducer | undefined,
  ): Promise<number> {
    if (!this.#mayJournal()) {
      return producer === undefined
        ? this.#queue.append(record, signal)
        : this.#queue.appendBatch([record], signal, producer).then(firstOffset);
    }
    const prepared = prepare(record);
    const { byteLength } = prepared;
    if (!this.#mayTake(byteLength, this.#options.maxRecordBytes, producer, 1)) {
      return producer === undefined
        ? this.#queue.appendPrepared(prepared, signal)
        : this.#queue.appendPreparedBatch([prepared], signal, producer).then(firstOffset);
    }
    const journaled = this.#journaled!;
    const { nextOffset } = journaled;
    const timestamp = prepared.timestamp ?? this.#clock.timestamp();
    const appended = journaled.append(prepared, timestamp, producer);
    this.#noteJournaled(producer, 1, nextOffset);
    return appended;
  }

  /** See `CommitLog.appendBatch`. */
  appendBatch(
    records: readonly RecordInput[],
    signal: AbortSignal | undefined,
    producer: BlockProducer | undefined,
  ): Promise<AppendedBatch> {
    const { length } = records;
    // Larger batches go to the segments at once.
    const isFew = length > 0 && length <= MOST_BATCH_RECORDS;
    if (!isFew || !this.#mayJournal()) {
      return this.#queue.appendBatch(records, signal, producer);
    }
    const prepared = records.map(prepare);
    const byteLength = prepared.reduce((sum, each) => sum + each.byteLength, 0);
    const { maxRecordBytes, maxBatchBytes } = this.#options;
    const mostBytes = Math.min(maxRecordBytes, maxBatchBytes);
    if (!this.#mayTake(byteLength, mostBytes, producer, length)) {
      return this.#queue.appendPreparedBatch(prepared, signal, producer);
    }
    const journaled = this.#journaled!;
    const { nextOffset } = journaled;
    const appended = journaled.appendBatch(prepared, this.#clock.timestamp(), producer);
    this.#noteJournaled(producer, length, nextOffset);
    return appended;
  }

  /** Nothing that was accepted before may be overtaken. */
  #mayJournal(): boolean {
    return (
      this.#journaled !== undefined &&
      this.#options.durability === "always" &&
      this.#queue.isIdle &&
      this.#failures.poison === undefined &&
      // What was written and could not be synced for want of a handle has its offsets already.
      this.#end.written.endOffset <= this.#journaled.endOffset
    );
  }

  /**
   * Whether the journal takes what is prepared by now, for which code of the caller may have run,
   * and appended. What may be too long, or not follow, is left to the queue, which says so.
   */
  #mayTake(
    byteLength: number,
    mostBytes: number,
    producer: BlockProducer | undefined,
    recordCount: number,
  ): boolean {
    return (
      byteLength <= mostBytes &&
      this.#mayJournal() &&
      this.#journaled!.mayTake(byteLength) &&
      this.#producers.isKnownToFollow(producer, recordCount)
    );
  }

  /** Once it is certain that it is on its way: what is noted is answered if it is sent again. */
  #noteJournaled(
    producer: BlockProducer | undefined,
    recordCount: number,
    baseOffset: number,
  ): void {
    if (producer === undefined || this.#journaled!.nextOffset === baseOffset) return;
    this.#producers.known.noteJournaled(producer, recordCount, baseOffset);
  }
}

function firstOffset({ baseOffset }: AppendedBatch): number {
  return baseOffset;
}
