import { OffsetOutOfRangeError } from "../errors.js";
import { MIN_OPEN_FILES } from "../files/handle-pool.js";
import type { LogRecord, RecordInput } from "../format/record.js";
import type { CommitLog, StoredProducer } from "../log/commit-log.js";
import { createEnvironment, type LogEnvironment } from "../log/environment.js";
import {
  type Durability,
  type LogOptions,
  type ResolvedLogOptions,
  resolveLogOptions,
} from "../log/options.js";
import type { AppendOptions } from "../log/queue/append-options.js";
import { assertAppendable } from "../log/queue/appendable.js";
import type { AppendedBatch } from "../log/queue/appended-batch.js";
import { type ReadOptions, resolveReadOptions } from "../log/read/read-options.js";
import {
  assertBoolean,
  assertDirectory,
  assertOffset,
  assertOptions,
  assertSignal,
  integer,
  requireObject,
} from "../option-checks.js";
import type { NamedProducer, OpenedProducer } from "./checkpoint-file.js";
import { ConsumerGroup } from "./consumer-group.js";
import { copyOptions, copyRecord, copyRecords } from "./copied-input.js";
import { encodeKey } from "./key-directory.js";
import type { KeyBounds, KeyedLog, KeyedRead } from "./keyed-log.js";
import { checkName } from "./name.js";
import type { OpenLogs } from "./open-logs.js";
import { noKey, storeReadOnly } from "./store-failures.js";
import { StoreFollower } from "./store-follower.js";
import type { StoreKeys } from "./store-keys.js";
import type { StoreRecoveryReport, StoreView } from "./store-view.js";
import { StoreWriter } from "./store-writer.js";

/**
 * Options of {@link LogStore.open}; those of logs hold for every log of the store. Retention acts on
 * the logs that are open: a key that nobody uses in a session keeps its segments.
 */
export interface StoreOptions extends LogOptions {
  /**
   * How many files of logs may be open at a time, over all keys. The least recently used are
   * closed; one that was written to is synced first. Where the process has fewer handles than
   * that, the store makes do with fewer. Default: half of what the process may open, at most 16384
   * (128 where the system does not tell); at least 16.
   */
  readonly maxOpenFiles?: number | undefined;
  /**
   * Open for reading only: takes no lock and writes nothing, so it also works beside a writer in
   * another process. Default `false`.
   */
  readonly readOnly?: boolean | undefined;
}

/**
 * A directory of logs, one for each key, with one lock and one file of committed offsets for all.
 * Logs are opened when they are first used, so opening a store of many keys is quick.
 *
 * @example
 * ```ts
 * import { LogStore } from "seglog";
 *
 * await using store = await LogStore.open("data");
 * await store.append("orders", "one pizza");
 * const { records, nextOffset } = await store.read("orders", 0);
 * await store.group("kitchen").commit({ orders: nextOffset });
 * console.log(records.length, await store.group("kitchen").committed());
 * ```
 */
export class LogStore implements KeyedLog {
  /** The directory that the store is in, as it was given. */
  readonly directory: string;
  /** What opening the store found. Each log has a report of its own. */
  readonly recovery: StoreRecoveryReport;
  readonly #options: ResolvedLogOptions;
  /** The store itself, as it is written by this process or followed. */
  readonly #view: StoreView;
  /** The same as {@link #view}, unless the store is open for reading only. */
  readonly #writer: StoreWriter | undefined;
  readonly #keys: StoreKeys;
  readonly #logs: OpenLogs;
  #closing: Promise<void> | undefined;

  private constructor(
    directory: string,
    options: ResolvedLogOptions,
    view: StoreView,
    writer: StoreWriter | undefined,
  ) {
    this.directory = directory;
    this.recovery = view.recovery;
    this.#options = options;
    this.#view = view;
    this.#writer = writer;
    this.#keys = view.keys;
    this.#logs = view.keys.logs;
  }

  /**
   * Opens the store in `directory`, making it (and the directory) if there is none.
   *
   * @throws TypeError or RangeError for wrong options, before any file is touched. SeglogError
   *   `LOCKED` if another writer has it, `NOT_A_STORE`, `CORRUPTION`, `UNSUPPORTED_FORMAT`,
   *   `NO_SPACE`, `FILE_ACCESS`, `UNSAFE_PATH`.
   */
  static open(directory: string, options: StoreOptions = {}): Promise<LogStore> {
    return LogStore.openOn(undefined, directory, options);
  }

  /** @internal {@link LogStore.open} on another file system or with another clock, for tests. */
  static async openOn(
    given: LogEnvironment | undefined,
    directory: string,
    options: StoreOptions = {},
  ): Promise<LogStore> {
    assertDirectory(directory);
    requireObject(options, "options");
    const { maxOpenFiles, readOnly = false, ...rest } = options;
    assertBoolean(readOnly, "readOnly");
    const limit = integer(maxOpenFiles, "maxOpenFiles", MIN_OPEN_FILES, 2 ** 31 - 1);
    const resolved = resolveLogOptions(rest, ["maxOpenFiles", "readOnly"]);
    const environment = given ?? createEnvironment(undefined, limit);
    if (readOnly) {
      const follower = await StoreFollower.open(environment, directory, resolved);
      return new LogStore(directory, resolved, follower, undefined);
    }
    const writer = await StoreWriter.open(environment, directory, resolved);
    return new LogStore(directory, resolved, writer, writer);
  }

  /** @internal When an append is acknowledged. */
  get durability(): Durability {
    return this.#options.durability;
  }

  /** All keys, in no particular order. Of a store opened for reading, as of the last `refresh`. */
  keys(): string[] {
    return this.#keys.all();
  }

  /** @internal How many keys there are, as {@link keys} tells them. */
  get keyCount(): number {
    return this.#keys.count;
  }

  /**
   * @internal Of {@link keys}, those from `start` on, in the order of their names (UTF-16 code
   * units). To go on anywhere takes no look at those before; keys must not change meanwhile.
   */
  keysFrom(start: string): Iterable<string> {
    return this.#keys.from(start);
  }

  /** @internal The logs that are open now, with their keys: to ask them costs no file. */
  openLogs(): (readonly [key: string, log: CommitLog])[] {
    this.#keys.assertOpen();
    return this.#logs.all();
  }

  /** Names of the consumer groups that have committed offsets. */
  async groups(): Promise<string[]> {
    this.#keys.assertOpen();
    return this.#view.offsets.groups();
  }

  /**
   * The log of a key, making it if there is none. It is closed by the store; closing it by itself
   * takes it out of the store until it is asked for again.
   *
   * @throws SeglogError `INVALID_KEY`; `KEY_NOT_FOUND` in a store opened for reading only; as
   *   `CommitLog.open`.
   */
  async log(key: string): Promise<CommitLog> {
    if (this.#writer === undefined) {
      const log = await this.#keys.existing(key);
      if (log === undefined) throw noKey(this.directory, key);
      return log;
    }
    this.#keys.assertOpen();
    encodeKey(key);
    return this.#keys.use(key, (log) => Promise.resolve(log));
  }

  /**
   * Appends a record to the log of `key`, making that if there is none. See `CommitLog.append`.
   */
  append(key: string, record: RecordInput, options?: AppendOptions): Promise<number> {
    const open = this.#logs.ready(key);
    if (open !== undefined && this.#closing === undefined) return open.append(record, options);
    return this.#use(
      key,
      () => [[copyRecord(record)], copyOptions(options)],
      (log, [[copy], copiedOptions]) => log.append(copy!, copiedOptions),
    );
  }

  /** Appends records to the log of `key` as one batch. See `CommitLog.appendBatch`. */
  appendBatch(
    key: string,
    records: Iterable<RecordInput>,
    options?: AppendOptions,
  ): Promise<AppendedBatch> {
    const open = this.#logs.ready(key);
    if (open !== undefined && this.#closing === undefined) {
      return open.appendBatch(records, options);
    }
    return this.#use(
      key,
      () => [copyRecords(records), copyOptions(options)],
      (log, [copies, copiedOptions]) => log.appendBatch(copies, copiedOptions),
    );
  }

  /**
   * Reads records of a key from an offset on. A key that does not exist reads as an empty log; it
   * is not made.
   *
   * @throws OffsetOutOfRangeError outside of [start offset, end offset]; as `CommitLog.readFrom`.
   */
  async read(key: string, from: number, options: ReadOptions = {}): Promise<KeyedRead> {
    assertOffset(from, "from");
    resolveReadOptions(options);
    const log = await this.#keys.existing(key);
    if (log === undefined) {
      if (from !== 0) throw new OffsetOutOfRangeError(from, 0, 0);
      return { records: [], nextOffset: 0, endOffset: 0 };
    }
    const records = await log.readFrom(from, options);
    const last = records[records.length - 1];
    const nextOffset = last === undefined ? from : last.offset + 1;
    return { records, nextOffset, endOffset: log.endOffset };
  }

  /** The readable offsets of a key, or `undefined` if there is no such key. */
  async bounds(key: string): Promise<KeyBounds | undefined> {
    const log = await this.#keys.existing(key);
    if (log === undefined) return undefined;
    return { startOffset: log.startOffset, endOffset: log.endOffset };
  }

  /**
   * Iterates over the records of a key and waits for more; also for the key, if there is none yet.
   * Failures as `CommitLog.records`.
   */
  async *follow(
    key: string,
    options: { readonly from?: number | undefined; readonly signal?: AbortSignal | undefined } = {},
  ): AsyncGenerator<LogRecord, void, void> {
    encodeKey(key);
    assertOptions(options, ["from", "signal"]);
    assertSignal(options.signal);
    let log = await this.#keys.existing(key);
    while (log === undefined) {
      options.signal?.throwIfAborted();
      await this.made(key, options.signal);
      log = await this.#keys.existing(key);
    }
    yield* log.records({ ...options, follow: true });
  }

  /** @internal As {@link log}, but makes no key: `undefined` if there is none. */
  existing(key: string): Promise<CommitLog | undefined> {
    return this.#keys.existing(key);
  }

  /** @internal Resolves when there may be such a key. Throws `CLOSED`; the signal's reason. */
  made(key: string, signal: AbortSignal | undefined): Promise<void> {
    return this.#keys.made(key, signal);
  }

  /**
   * Deletes a key with all its records and committed offsets. A key of the same name that is made
   * later is another log, with another id. After a crash the key is there, whole, or gone.
   *
   * @returns Whether there was such a key.
   */
  async deleteKey(key: string): Promise<boolean> {
    encodeKey(key);
    return this.#writable().deleteKey(key);
  }

  /**
   * Opens a producer by name, for `AppendOptions.producer`: it has the same id each time and an
   * epoch that is one higher, durably. From then on no log takes a batch of an earlier epoch, also
   * none that was on its way: of two programs that both believe to be the producer, the one that
   * came later goes on.
   *
   * Its sequences begin with 0 in each key. A batch that the one before it got no answer to may be
   * stored: ask {@link producer} for the last record of each key before the first append, and go on
   * behind that, or it is stored twice.
   *
   * @param name - Well-formed text of 1 to 255 bytes.
   * @throws SeglogError `INVALID_KEY`, `NO_SPACE`, `LOG_POISONED`, `READ_ONLY`, `CLOSED`.
   */
  async openProducer(name: string): Promise<OpenedProducer> {
    return this.#writable().openProducer(checkName(name, "a producer"));
  }

  /**
   * What the log of a key knows of a producer; see `CommitLog.producer`.
   *
   * @returns `undefined` also if there is no such key.
   */
  async producer(key: string, id: bigint): Promise<StoredProducer | undefined> {
    const log = await this.#keys.existing(key);
    return log?.producer(id);
  }

  /** @internal Takes over the producers of a store that this one replaces. */
  adoptProducers(producers: ReadonlyMap<string, NamedProducer>): Promise<void> {
    return this.#writable().adoptProducers(producers);
  }

  /** A consumer group; it exists from its first commit on. */
  group(name: string): ConsumerGroup {
    this.#keys.assertOpen();
    return new ConsumerGroup(name, this.#view.offsets);
  }

  /**
   * Of a store opened for reading only: looks for keys that its writer has made, deleted, or made
   * anew.
   */
  refresh(): Promise<void> {
    return this.#keys.refresh();
  }

  /**
   * Resolves when everything accepted before this call is on stable storage: what this session
   * accepted, and every log that is open with what it holds. Logs of a session that crashed are
   * brought in order when they are opened, not here.
   */
  async flush(): Promise<void> {
    await this.#writable().flush();
  }

  /**
   * Closes all logs, writing and syncing what they accepted, and gives the lock back. Later calls
   * return the same promise.
   *
   * @throws The first failure of a log, such as `LOG_POISONED`; all others are closed all the same.
   */
  close(): Promise<void> {
    this.#closing ??= this.#view.close();
    return this.#closing;
  }

  /** As {@link close}, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /**
   * Appends to a log that may have to be opened, or made, first.
   *
   * @param copyInput - Called at once, while the caller's input is as it was given.
   */
  async #use<R extends Iterable<RecordInput>, T>(
    key: string,
    copyInput: () => readonly [records: R, options: AppendOptions | undefined],
    run: (log: CommitLog, input: readonly [R, AppendOptions | undefined]) => Promise<T>,
  ): Promise<T> {
    this.#keys.assertOpen();
    encodeKey(key);
    this.#writable();
    const input = copyInput();
    // What no log takes makes none.
    if (!this.#keys.has(key)) assertAppendable(input[0], input[1], this.#options);
    return this.#keys.use(key, (log) => run(log, input));
  }

  #writable(): StoreWriter {
    this.#keys.assertOpen();
    if (this.#writer !== undefined) return this.#writer;
    throw storeReadOnly(this.directory);
  }
}
