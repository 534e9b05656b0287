import { CorruptionError, OffsetOutOfRangeError, SeglogError } from "../errors.js";
import { runSteps, runStepsSync } from "../files/steps.js";
import type { LogRecord, RecordInput } from "../format/record.js";
import { assertBoolean, assertDirectory, assertOffset, requireObject } from "../option-checks.js";
import { closedError } from "./closed-error.js";
import { createEnvironment, type LogEnvironment } from "./environment.js";
import type { JournalFollower } from "./follow/journal-follower.js";
import type { LogView } from "./log-view.js";
import { openForReading } from "./open-for-reading.js";
import { type Membership, openForWriting } from "./open-for-writing.js";
import type { OpenedLog } from "./opened-log.js";
import { type LogOptions, type ResolvedLogOptions, resolveLogOptions } from "./options.js";
import { nextSequence } from "./producer-states.js";
import {
  type AppendOptions,
  assertAppendOptions,
  copyProducer,
  toArray,
} from "./queue/append-options.js";
import type { AppendedBatch } from "./queue/appended-batch.js";
import { assertProducerId } from "./queue/producer-checks.js";
import {
  assertIteration,
  type IterationOptions,
  iterateBatches,
  iterateRecords,
} from "./read/iteration.js";
import { findTimestamp, readRange, readRecord } from "./read/log-reader.js";
import { unlessOvertaken } from "./read/overtaken.js";
import { quickRead, quickReadSync } from "./read/quick-read.js";
import { type ReadOptions, resolveReadOptions } from "./read/read-options.js";
import type { RecordBatch } from "./read/record-batch.js";
import { describeSegments, type SegmentInfo } from "./read/segment-info.js";
import { TailMovedError } from "./read/tail-moved-error.js";
import type { RecoveryReport } from "./recovery-report.js";
import type { LogWriter } from "./write/log-writer.js";

/** Options of {@link CommitLog.open}. */
export interface OpenLogOptions extends LogOptions {
  /**
   * Open for reading only: takes no lock and writes nothing, so it also works beside a writer in
   * another process, on a read-only disk, and where the tail is torn. Default `false`.
   */
  readonly readOnly?: boolean | undefined;
}

/** What a log knows of a producer; see {@link CommitLog.producer}. */
export interface StoredProducer {
  /** The latest one in which it has appended. */
  readonly epoch: number;
  /** That of its next record in this epoch; at most 2^32. */
  readonly nextSequence: number;
  /** Offset of its last record. */
  readonly lastOffset: number;
}

/**
 * An append-only log of records in one directory.
 *
 * One process writes to it at a time; any number may read it. Appends made while others are on
 * their way to the disk share one write and one sync.
 *
 * @example
 * ```ts
 * import { CommitLog } from "seglog";
 *
 * await using log = await CommitLog.open("events");
 * const offset = await log.append("something happened");
 * console.log(new TextDecoder().decode((await log.read(offset)).value));
 * ```
 */
export class CommitLog {
  readonly #view: LogView;
  readonly #writer: LogWriter | undefined;
  readonly #release: OpenedLog["release"];
  #closing: Promise<void> | undefined;
  /** What opening the log found and did. */
  readonly recovery: RecoveryReport;

  private constructor({ view, writer, recovery, release }: OpenedLog) {
    this.#view = view;
    this.#writer = writer;
    this.recovery = recovery;
    this.#release = release;
  }

  /**
   * Opens the log in `directory`, making it (and the directory) if there is none.
   *
   * After a crash it first brings the files in order; see {@link CommitLog.recovery}. Everything
   * that was acknowledged under `"always"` is there.
   *
   * @throws TypeError or RangeError for wrong options, before any file is touched. SeglogError
   *   `LOCKED` if another writer has it, `NOT_A_LOG`, `BELONGS_TO_STORE`, `CORRUPTION`,
   *   `UNSUPPORTED_FORMAT`, `NO_SPACE`, `FILE_ACCESS`, `UNSAFE_PATH`.
   */
  static open(directory: string, options: OpenLogOptions = {}): Promise<CommitLog> {
    return CommitLog.openOn(undefined, directory, options);
  }

  /**
   * @internal {@link CommitLog.open} on another file system or with another clock, for tests.
   */
  static async openOn(
    environment: LogEnvironment | undefined,
    directory: string,
    options: OpenLogOptions = {},
  ): Promise<CommitLog> {
    assertDirectory(directory);
    requireObject(options, "options");
    const { readOnly = false, ...rest } = options;
    assertBoolean(readOnly, "readOnly");
    const resolved = resolveLogOptions(rest, ["readOnly"]);
    const world = environment ?? createEnvironment();
    return readOnly
      ? CommitLog.openForReading(world, directory, resolved, false)
      : CommitLog.openForWriting(world, directory, resolved, undefined);
  }

  /** @internal `storesJournal` is given by the store that the log belongs to, which closes it. */
  static async openForReading(
    environment: LogEnvironment,
    directory: string,
    options: ResolvedLogOptions,
    isOfStore: boolean,
    storesJournal?: JournalFollower,
  ): Promise<CommitLog> {
    return new CommitLog(
      await openForReading(environment, directory, options, isOfStore, storesJournal),
    );
  }

  /** @internal `membership` is given by the store that the log belongs to, which has the lock. */
  static async openForWriting(
    environment: LogEnvironment,
    directory: string,
    options: ResolvedLogOptions,
    membership: Membership | undefined,
  ): Promise<CommitLog> {
    return new CommitLog(await openForWriting(environment, directory, options, membership));
  }

  /** @internal What writes the log, unless it is open for reading only. */
  get writer(): LogWriter | undefined {
    return this.#writer;
  }

  /** @internal */
  get segmentCount(): number {
    return this.#view.segments.length;
  }

  /** @internal Whether `close()` has not been called. */
  get isOpen(): boolean {
    return this.#closing === undefined;
  }

  /** @internal Random, of this log alone. */
  get logId(): Uint8Array {
    return this.#view.logId;
  }

  /** The directory that the log is in, as it was given. */
  get directory(): string {
    return this.#view.directory;
  }

  /** Earliest readable offset, inclusive. It rises with `deleteBefore` and retention. */
  get startOffset(): number {
    return this.#view.startOffset;
  }

  /**
   * One past the last readable offset: what the next record gets, if nothing is on its way. Of a
   * log opened for reading only, as of the last {@link refresh} or read at the end.
   */
  get endOffset(): number {
    return this.#view.endOffset;
  }

  /**
   * Rises with every truncation and with every recovery that may have lost accepted records: with
   * the same epoch, an offset names the same record once that was acknowledged.
   */
  get epoch(): number {
    return this.#view.epoch;
  }

  /**
   * Appends a record and resolves with its offset, when it is as safe as the durability policy
   * says. The value is copied before this returns (unless it has to wait for room; then it must
   * not be changed until it resolves). Records get their offsets in the order of the calls.
   *
   * @throws TypeError for a record of the wrong type. SeglogError `RECORD_TOO_LARGE`, `NO_SPACE`
   *   (the log is unharmed; try again), `LOG_POISONED` (not known whether it is stored), `CLOSED`,
   *   `READ_ONLY`; with a producer `PRODUCER_FENCED`, `SEQUENCE_GAP`, `SEQUENCE_FORGOTTEN`. The
   *   signal's reason, when it is aborted while waiting for room.
   */
  append(record: RecordInput, options?: AppendOptions): Promise<number> {
    try {
      if (options !== undefined) assertAppendOptions(options);
      const producer = copyProducer(options?.producer, 1);
      return this.#writable().append(record, options?.signal, producer);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /**
   * Appends records as one batch: all of them or none, also after a crash. Their offsets follow
   * each other.
   *
   * @returns The offsets of the first and the last record, both inclusive.
   * @throws As {@link append}; RangeError for no records, SeglogError `BATCH_TOO_LARGE`.
   */
  appendBatch(records: Iterable<RecordInput>, options?: AppendOptions): Promise<AppendedBatch> {
    try {
      if (options !== undefined) assertAppendOptions(options);
      const list = toArray(records);
      const producer = copyProducer(options?.producer, list.length);
      return this.#writable().appendBatch(list, options?.signal, producer);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /**
   * Reads one record.
   *
   * @throws OffsetOutOfRangeError outside of [startOffset, endOffset); CorruptionError if its block
   *   is damaged; SeglogError `CLOSED`.
   */
  async read(offset: number): Promise<LogRecord> {
    this.#assertReadable(offset, "offset");
    const quick = quickRead(this.#view, offset);
    const record = quick instanceof Promise ? await quick : quick;
    if (record !== undefined) return record;
    if (offset >= this.#view.endOffset) await this.#view.refresh();
    return unlessOvertaken(this.#view, offset, () => runSteps(readRecord(this.#view, offset)));
  }

  /**
   * As {@link read}, blocking the event loop for one small read of the disk, or of the page cache.
   * A log opened for reading only does not look for new records here.
   */
  readSync(offset: number): LogRecord {
    this.#assertReadable(offset, "offset");
    const quick = quickReadSync(this.#view, offset);
    if (quick !== undefined) return quick;
    try {
      return runStepsSync(readRecord(this.#view, offset));
    } catch (error) {
      // A reader that has not looked for a while may know files of the journal that have gone since.
      const { segmentsEndOffset, endOffset } = this.#view;
      const isOfTail = offset >= segmentsEndOffset && offset < endOffset;
      const mayHaveMoved = this.#writer === undefined && isOfTail;
      if (!mayHaveMoved || !(error instanceof CorruptionError)) throw error;
      throw new TailMovedError({ cause: error });
    }
  }

  /**
   * Reads records from `offset` on. At the end offset there are none, which is how a consumer
   * polls. The range may begin and end inside of a batch.
   *
   * @throws OffsetOutOfRangeError outside of [startOffset, endOffset]; as {@link read}.
   */
  async readFrom(offset: number, options: ReadOptions = {}): Promise<LogRecord[]> {
    this.#assertReadable(offset, "offset");
    const limits = resolveReadOptions(options);
    if (offset >= this.#view.endOffset) await this.#view.refresh();
    const { startOffset, endOffset } = this.#view;
    if (offset === endOffset) return [];
    if (offset > endOffset) throw new OffsetOutOfRangeError(offset, startOffset, endOffset);
    return unlessOvertaken(this.#view, offset, () => readRange(this.#view, offset, limits));
  }

  /**
   * Iterates over records, one by one.
   *
   * @throws While iterating: OffsetOutOfRangeError if `from` is outside of [startOffset, endOffset]
   *   or retention overtakes; SeglogError `LOG_TRUNCATED` when the epoch rises, `CLOSED`;
   *   CorruptionError; the signal's reason.
   */
  records(options: IterationOptions = {}): AsyncIterable<LogRecord> {
    assertIteration(options);
    return iterateRecords(this.#view, options);
  }

  /**
   * Iterates over records in pieces that were read together: the fast way, since only a piece is
   * awaited, not each record. Failures as {@link records}.
   */
  batches(options: IterationOptions = {}): AsyncIterable<RecordBatch> {
    assertIteration(options);
    return iterateBatches(this.#view, options);
  }

  /**
   * The first offset whose record has a timestamp of at least `timestampMs` (milliseconds since
   * 1970), or the end offset if there is none.
   */
  async offsetForTimestamp(timestampMs: number): Promise<number> {
    this.#assertReadable(timestampMs, "timestampMs");
    await this.#view.refresh();
    const { startOffset } = this.#view;
    return unlessOvertaken(this.#view, startOffset, () =>
      runSteps(findTimestamp(this.#view, timestampMs)),
    );
  }

  /**
   * Resolves when everything accepted before this call is on stable storage, whatever the policy.
   *
   * @throws SeglogError `LOG_POISONED` if the sync fails.
   */
  async flush(): Promise<void> {
    const writer = this.#writable();
    await writer.queue.exclusive(() => writer.flush());
  }

  /**
   * Drops the record with this offset and all later ones; their offsets will be given out again.
   * The epoch rises. A cut through a batch keeps the batch's beginning. Durable when it resolves.
   *
   * @param offset - In [startOffset, endOffset]; the end offset drops nothing.
   * @throws OffsetOutOfRangeError; CorruptionError if what would be left is damaged; SeglogError
   *   `NO_SPACE`, `IO_ERROR`, `TOO_MANY_OPEN_FILES` if nothing was changed, `LOG_POISONED`.
   */
  async truncateTo(offset: number): Promise<void> {
    const writer = this.#writable();
    assertOffset(offset, "offset");
    await writer.queue.exclusive(() => writer.truncateTo(offset));
  }

  /**
   * Moves the start offset up to `offset` and deletes the segments that hold nothing at or behind
   * it; space is freed segment by segment. Durable when it resolves. An offset at or below the
   * start changes nothing.
   *
   * @param offset - At most the end offset.
   * @throws OffsetOutOfRangeError; SeglogError `NO_SPACE`, `TOO_MANY_OPEN_FILES`, `LOG_POISONED`.
   */
  async deleteBefore(offset: number): Promise<void> {
    const writer = this.#writable();
    assertOffset(offset, "offset");
    await writer.queue.exclusive(() => writer.deleteBefore(offset));
  }

  /**
   * What the log knows of a producer: where one goes on that does not know what of its own was
   * stored. Of a log with many producers, only those that appended last are known.
   *
   * @returns `undefined` if nothing is known of it.
   * @throws TypeError, RangeError for what is no id. CorruptionError if blocks are damaged that have
   *   to be read for it. SeglogError `READ_ONLY`, `CLOSED`.
   */
  async producer(id: bigint): Promise<StoredProducer | undefined> {
    const writer = this.#writable();
    assertProducerId(id);
    const state = await writer.queue.exclusive(() => writer.producer(id));
    if (state === undefined) return undefined;
    const { baseOffset, recordCount } = state.batches.at(-1)!;
    const lastOffset = baseOffset + recordCount - 1;
    return { epoch: state.epoch, nextSequence: nextSequence(state), lastOffset };
  }

  /**
   * What the log is made of, in the order of offsets. Reads the headers of indexes that are not in
   * memory, synchronously: meant for people and for tools.
   */
  segments(): SegmentInfo[] {
    this.#view.assertOpen();
    return describeSegments(this.#view);
  }

  /**
   * Of a log opened for reading only: looks whether its writer has published more. A writer need
   * not call it.
   *
   * @throws SeglogError `LOG_TRUNCATED` once after the epoch has risen.
   */
  async refresh(): Promise<void> {
    this.#view.assertOpen();
    await this.#view.refresh();
  }

  /**
   * @internal Resolves when the end offset is no longer `seen`, when the epoch changes, or when the
   *   log closes. Throws the signal's reason.
   */
  changed(seen: number, signal: AbortSignal): Promise<void> {
    return this.#view.changed(seen, signal);
  }

  /**
   * Writes and syncs what was accepted, then gives files and lock back. Later calls return the same
   * promise; other methods fail with `CLOSED`.
   *
   * @throws SeglogError `LOG_POISONED` if the log was poisoned or the sync fails; `NO_SPACE`,
   *   `TOO_MANY_OPEN_FILES` or `IO_ERROR` if all is synced but the clean close cannot be recorded, so
   *   that the next open reads the last segment to its end. It is closed all the same.
   */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  /** As {@link close}, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    const writer = this.#writer;
    if (writer !== undefined) {
      const reason = closedError(this.directory);
      const done = writer.queue.exclusive(() => writer.close(reason));
      writer.queue.refuse(reason);
      try {
        await done;
      } catch (error) {
        // What became of the records is what counts, not how giving the lock back goes.
        await this.#release(false).catch(() => undefined);
        throw error;
      }
    }
    await this.#release(true);
  }

  #writable(): LogWriter {
    if (this.#writer === undefined) {
      this.#view.assertOpen();
      throw new SeglogError(
        "READ_ONLY",
        `${this.directory} is open for reading only. Open it without { readOnly: true }.`,
      );
    }
    if (this.#closing !== undefined) throw closedError(this.directory);
    return this.#writer;
  }

  #assertReadable(offset: number, name: string): void {
    if (this.#closing !== undefined) throw closedError(this.directory);
    this.#view.assertOpen();
    assertOffset(offset, name);
  }
}
