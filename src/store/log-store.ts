import { join } from "node:path";
import { OffsetOutOfRangeError, SeglogError } from "../errors.js";
import { MIN_OPEN_FILES } from "../files/handle-pool.js";
import { logIdText } from "../format/checkpoint-frame.js";
import { JOURNAL_DIRECTORY, LOGS_DIRECTORY } from "../format/file-names.js";
import { journalName } from "../format/journal-key.js";
import type { LogMetadata } from "../format/log-metadata.js";
import type { BytesInput, LogRecord, RecordFields, RecordInput } from "../format/record.js";
import { describe } from "../format/record-codec.js";
import type { AppendOptions } from "../log/append-options.js";
import { assertAppendable } from "../log/appendable.js";
import type { AppendedBatch } from "../log/appended-batch.js";
import { Changes } from "../log/changes.js";
import {
  assertDirectory,
  CommitLog,
  type ReadOptions,
  resolveReadOptions,
  type StoredProducer,
} from "../log/commit-log.js";
import { createEnvironment, type LogEnvironment } from "../log/environment.js";
import { Journal, type JournalOwner } from "../log/journal.js";
import { JournalFollower } from "../log/journal-follower.js";
import { makeDirectories, syncParent } from "../log/log-creation.js";
import { readMetadata } from "../log/log-files.js";
import {
  type Durability,
  type LogOptions,
  type ResolvedLogOptions,
  resolveLogOptions,
} from "../log/options.js";
import { POLL_MS, pause } from "../log/polling.js";
import { WriterSession } from "../log/writer-session.js";
import {
  assertBoolean,
  assertOffset,
  assertOptions,
  assertSignal,
  integer,
  requireObject,
} from "../option-checks.js";
import {
  type CommittedOffset,
  groupsOf,
  loadCheckpoint,
  type NamedProducer,
  type OpenedProducer,
} from "./checkpoint-file.js";
import { type CommitMode, CommittedOffsets } from "./committed-offsets.js";
import { type CommittedEntry, ConsumerGroup, type GroupStore } from "./consumer-group.js";
import { encodeKey } from "./key-directory.js";
import type { KeyBounds, KeyedLog, KeyedRead } from "./keyed-log.js";
import { checkName } from "./name.js";
import { OpenLogs } from "./open-logs.js";
import {
  assertKeyDirectory,
  assertMayCreateStore,
  createStore,
  deletedPath,
  keyPath,
  listKeys,
  listStore,
  readStoreMetadata,
  unfinishedPath,
} from "./store-files.js";

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

/** What opening a store found. */
export interface StoreRecoveryReport {
  /** Whether the store is new. */
  readonly created: boolean;
  /** Keys whose deletion had been interrupted, and was completed. */
  readonly deletedKeys: readonly string[];
  /** Why the end of the file of committed offsets is not used; `undefined` if all of it is. */
  readonly checkpointDamage: string | undefined;
}

/** Logs that are looked at together. */
const LOOKUPS_AT_A_TIME = 16;

interface StoreParts {
  readonly environment: LogEnvironment;
  readonly directory: string;
  readonly options: ResolvedLogOptions;
  readonly storeId: Uint8Array;
  readonly keys: Set<string>;
  readonly session: WriterSession | undefined;
  /** Of a store that is open for writing. */
  readonly journal: Journal | undefined;
  /** Of a store that is open for reading only. */
  readonly followedJournal: JournalFollower | undefined;
  readonly committed: CommittedOffsets | undefined;
  readonly recovery: StoreRecoveryReport;
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
  readonly #environment: LogEnvironment;
  readonly #options: ResolvedLogOptions;
  readonly #storeId: Uint8Array;
  readonly #keys: Set<string>;
  readonly #session: WriterSession | undefined;
  readonly #journal: Journal | undefined;
  readonly #followedJournal: JournalFollower | undefined;
  readonly #committed: CommittedOffsets | undefined;
  readonly #logs: OpenLogs;
  readonly #newKeys = new Changes();
  /**
   * Ids of the logs, by key, past whose end nothing is committed. What holds then stays so: commits
   * are checked, and a truncation brings them back.
   */
  readonly #settled = new Map<string, string>();
  /** Of the producers that were opened, by id. */
  readonly #openedEpochs = new Map<bigint, number>();
  readonly #groupStore: GroupStore;
  #closing: Promise<void> | undefined;

  private constructor(parts: StoreParts) {
    const { environment, directory, options, session, storeId } = parts;
    this.directory = directory;
    this.recovery = parts.recovery;
    this.#environment = environment;
    this.#options = options;
    this.#storeId = storeId;
    this.#keys = parts.keys;
    this.#session = session;
    this.#journal = parts.journal;
    this.#followedJournal = parts.followedJournal;
    this.#committed = parts.committed;
    for (const { id, epoch } of parts.committed?.producers.values() ?? []) {
      this.#openedEpochs.set(id, epoch);
    }
    const openLog = async (key: string) => {
      const name = encodeKey(key);
      const path = keyPath(directory, name);
      await assertKeyDirectory(environment.fileSystem, path);
      if (session === undefined) {
        return CommitLog.openForReading(environment, path, options, true, parts.followedJournal);
      }
      // Never called before the log is there.
      const onTruncated = (endOffset: number) =>
        parts.committed!.clamp(key, logIdText(log.logId), endOffset);
      const temporaryDirectory = unfinishedPath(directory, name);
      const { journal } = parts;
      const openedEpoch = (id: bigint) => this.#openedEpochs.get(id);
      const membership = {
        session,
        storeId,
        temporaryDirectory,
        onTruncated,
        journal,
        openedEpoch,
      };
      const log: CommitLog = await environment.pool.transient(() =>
        CommitLog.openForWriting(environment, path, options, membership),
      );
      try {
        // Before it takes an append: a lost offset that is given out again must not be skipped.
        await parts.committed?.clamp(key, logIdText(log.logId), log.endOffset);
      } catch (error) {
        await log.close().catch(() => undefined);
        throw error;
      }
      this.#settled.set(key, logIdText(log.logId));
      return log;
    };
    this.#logs = new OpenLogs(openLog, () => this.#assertOpen());
    this.#groupStore = {
      existing: (key) => this.#existing(key),
      change: (entries, mode) => this.#commit(entries, mode),
      committedBy: (group, keys) =>
        this.#committed === undefined
          ? this.#readCommitted(group, keys)
          : this.#committedBy(group, keys),
    };
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
    return readOnly
      ? LogStore.#openForReading(environment, directory, resolved)
      : LogStore.#openForWriting(environment, directory, resolved);
  }

  static async #openForReading(
    environment: LogEnvironment,
    directory: string,
    options: ResolvedLogOptions,
  ): Promise<LogStore> {
    const { fileSystem } = environment;
    const listing = await listStore(fileSystem, directory);
    if (listing?.hasMetadata !== true) {
      if (listing !== undefined) assertMayCreateStore(directory, listing);
      throw new SeglogError("NOT_A_STORE", `${directory} holds no store. Check the path.`);
    }
    const { storeId } = await readStoreMetadata(fileSystem, directory);
    const { keys } = await listKeys(fileSystem, directory);
    const { damage } = await loadCheckpoint(fileSystem, directory, storeId);
    return new LogStore({
      environment,
      directory,
      options,
      storeId,
      keys: new Set(keys),
      session: undefined,
      journal: undefined,
      followedJournal: new JournalFollower(environment, keyPath(directory, JOURNAL_DIRECTORY)),
      committed: undefined,
      recovery: { created: false, deletedKeys: [], checkpointDamage: damage },
    });
  }

  static async #openForWriting(
    environment: LogEnvironment,
    directory: string,
    options: ResolvedLogOptions,
  ): Promise<LogStore> {
    const { fileSystem } = environment;
    const before = await listStore(fileSystem, directory);
    if (before?.hasMetadata === true) {
      await readStoreMetadata(fileSystem, directory);
    } else {
      if (before !== undefined) assertMayCreateStore(directory, before);
      await makeDirectories(fileSystem, directory);
    }
    const session = await WriterSession.open(environment, directory);
    let committed: CommittedOffsets | undefined;
    let journal: Journal | undefined;
    try {
      // What is seen here may be in the page cache alone: its last writer may have died before it
      // put the names on stable storage, or somebody moved the directory here.
      await fileSystem.syncDirectory(directory);
      if (before?.hasMetadata === true) await syncParent(fileSystem, directory);
      // Listed again, now that no other writer can change it.
      const listing = (await listStore(fileSystem, directory))!;
      for (const name of listing.temporaryFiles) await fileSystem.unlink(join(directory, name));
      const { storeId } = listing.hasMetadata
        ? await readStoreMetadata(fileSystem, directory)
        : await createStore(fileSystem, directory, environment.now());
      const { keys, deleted, unfinished, hasJournal } = await listKeys(fileSystem, directory);
      for (const path of unfinished) await fileSystem.removeTree(path);
      const loaded = await loadCheckpoint(fileSystem, directory, storeId);
      committed = new CommittedOffsets(fileSystem, directory, storeId, options, loaded);
      // Before anybody is told of an offset that a power cut could take back.
      if (session.followsCrash && loaded.fileBytes > 0) await committed.secure();
      const openJournal = () => openJournalLog(environment, directory, storeId, session, options);
      journal = new Journal(environment, {
        open: openJournal,
        openLogs: (names) => store.#openNamed(names),
        onError: options.onError,
      });
      const store: LogStore = new LogStore({
        environment,
        directory,
        options,
        storeId,
        keys: new Set(keys),
        session,
        journal,
        followedJournal: undefined,
        committed,
        recovery: {
          created: !listing.hasMetadata,
          deletedKeys: deleted,
          checkpointDamage: loaded.damage,
        },
      });
      if (hasJournal) await journal.open();
      if (deleted.length > 0) {
        // Before anything of them goes: their renaming may be in the page cache and nowhere else.
        await fileSystem.syncDirectory(join(directory, LOGS_DIRECTORY));
      }
      for (const key of deleted) {
        // A key made since owns the committed offsets that name its log.
        if (store.#keys.has(key)) await store.#removeDeleted(key);
        else await store.#finishDeletion(key);
      }
      return store;
    } catch (error) {
      // Why the store cannot be opened is what counts, not what fails after that.
      await journal?.close().catch(() => undefined);
      await committed?.close().catch(() => undefined);
      await session.close(false).catch(() => undefined);
      throw error;
    }
  }

  /** @internal Throws `CLOSED` if it is closed. */
  assertOpen(): void {
    this.#assertOpen();
  }

  /** @internal When an append is acknowledged. */
  get durability(): Durability {
    return this.#options.durability;
  }

  /** All keys, in no particular order. Of a store opened for reading, as of the last `refresh`. */
  keys(): string[] {
    this.#assertOpen();
    return [...this.#keys];
  }

  /** @internal The logs that are open now, with their keys: to ask them costs no file. */
  openLogs(): (readonly [key: string, log: CommitLog])[] {
    this.#assertOpen();
    return this.#logs.all();
  }

  /** Names of the consumer groups that have committed offsets. */
  async groups(): Promise<string[]> {
    this.#assertOpen();
    if (this.#committed !== undefined) return this.#committed.groups();
    const { state } = await this.#loadCommitted();
    return groupsOf(state);
  }

  /**
   * The log of a key, making it if there is none. It is closed by the store; closing it by itself
   * takes it out of the store until it is asked for again.
   *
   * @throws SeglogError `INVALID_KEY`; `KEY_NOT_FOUND` in a store opened for reading only; as
   *   `CommitLog.open`.
   */
  async log(key: string): Promise<CommitLog> {
    if (this.#session === undefined) {
      const log = await this.#existing(key);
      if (log === undefined) throw this.#noKey(key);
      return log;
    }
    this.#assertOpen();
    encodeKey(key);
    return this.#logs.use(key, (log) => {
      this.#addKey(key);
      return Promise.resolve(log);
    });
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
    const log = await this.#existing(key);
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
    const log = await this.#existing(key);
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
    let log = await this.#existing(key);
    while (log === undefined) {
      options.signal?.throwIfAborted();
      await this.made(key, options.signal);
      log = await this.#existing(key);
    }
    yield* log.records({ ...options, follow: true });
  }

  /** @internal As {@link log}, but makes no key: `undefined` if there is none. */
  existing(key: string): Promise<CommitLog | undefined> {
    return this.#existing(key);
  }

  /** @internal Resolves when there may be such a key. Throws `CLOSED`; the signal's reason. */
  async made(key: string, signal: AbortSignal | undefined): Promise<void> {
    // Whoever closes the store, or makes the key, wakes those who wait by then.
    this.#assertOpen();
    if (this.#session === undefined) await pause(POLL_MS, signal);
    else if (!this.#keys.has(key)) await this.#newKeys.next(signal);
  }

  /**
   * Deletes a key with all its records and committed offsets. A key of the same name that is made
   * later is another log, with another id. After a crash the key is there, whole, or gone.
   *
   * @returns Whether there was such a key.
   */
  async deleteKey(key: string): Promise<boolean> {
    const name = encodeKey(key);
    this.#writable();
    if (!this.#keys.has(key)) return false;
    return this.#logs.exclude(key, async () => {
      if (!this.#keys.has(key)) return false;
      const { fileSystem } = this.#environment;
      const target = deletedPath(this.directory, name);
      const metadata = await this.#metadataOf(key).catch(() => undefined);
      // An earlier deletion of a key of this name may have failed half-way.
      await fileSystem.removeTree(target);
      await fileSystem.rename(keyPath(this.directory, name), target);
      this.#keys.delete(key);
      this.#settled.delete(key);
      await fileSystem.syncDirectory(join(this.directory, LOGS_DIRECTORY));
      // Nobody will look for it any more, and the journal need not keep what it has of it.
      if (metadata !== undefined) this.#journal?.index.forget(journalName(metadata.logId));
      await this.#finishDeletion(key);
      return true;
    });
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
    const producer = await this.#writable().openProducer(checkName(name, "a producer"));
    this.#openedEpochs.set(producer.id, producer.epoch);
    // What is being written was judged before.
    await Promise.all(this.#logs.all().map(([, log]) => log.writer?.queue.passed()));
    await this.#journal?.passed();
    return producer;
  }

  /**
   * What the log of a key knows of a producer; see `CommitLog.producer`.
   *
   * @returns `undefined` also if there is no such key.
   */
  async producer(key: string, id: bigint): Promise<StoredProducer | undefined> {
    const log = await this.#existing(key);
    return log?.producer(id);
  }

  /** @internal Takes over the producers of a store that this one replaces. */
  adoptProducers(producers: ReadonlyMap<string, NamedProducer>): Promise<void> {
    return this.#writable().adoptProducers(producers);
  }

  /** A consumer group; it exists from its first commit on. */
  group(name: string): ConsumerGroup {
    this.#assertOpen();
    return new ConsumerGroup(name, this.#groupStore);
  }

  /**
   * Of a store opened for reading only: looks for keys that its writer has made, deleted, or made
   * anew.
   */
  async refresh(): Promise<void> {
    await this.#lookForKeys();
    if (this.#session !== undefined) return;
    const { fileSystem } = this.#environment;
    for (const [key, log] of this.#logs.all()) {
      const metadata = await readMetadata(fileSystem, log.directory).catch(() => undefined);
      if (metadata !== undefined && Buffer.compare(metadata.logId, log.logId) === 0) continue;
      await this.#logs.exclude(key, async () => undefined);
    }
  }

  /**
   * Resolves when everything accepted before this call is on stable storage: what this session
   * accepted, and every log that is open with what it holds. Logs of a session that crashed are
   * brought in order when they are opened, not here.
   */
  async flush(): Promise<void> {
    const committed = this.#writable();
    await Promise.all([...this.#logs.all().map(([, log]) => log.flush()), committed.flush()]);
  }

  /**
   * Closes all logs, writing and syncing what they accepted, and gives the lock back. Later calls
   * return the same promise.
   *
   * @throws The first failure of a log, such as `LOG_POISONED`; all others are closed all the same.
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
    this.#newKeys.announce();
    const failures: unknown[] = [];
    const note = (error: unknown) => failures.push(error);
    this.#journal?.prepareToClose();
    await this.#logs.close().catch(note);
    await this.#journal?.close().catch(note);
    await this.#followedJournal?.close(this.#closedError()).catch(note);
    await this.#committed?.close().catch(note);
    await this.#session?.close(failures.length === 0).catch(note);
    if (failures.length > 0) throw failures[0];
  }

  /** The committed offsets of `key` go once nobody can open the key any more, then its files. */
  async #finishDeletion(key: string): Promise<void> {
    await this.#committed?.apply([{ kind: "key deleted", key }], "set", true);
    await this.#removeDeleted(key);
  }

  #removeDeleted(key: string): Promise<void> {
    return this.#environment.fileSystem.removeTree(deletedPath(this.directory, encodeKey(key)));
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
    this.#assertOpen();
    encodeKey(key);
    this.#writable();
    const input = copyInput();
    // What no log takes makes none.
    if (!this.#keys.has(key)) assertAppendable(input[0], input[1], this.#options);
    return this.#logs.use(key, (log) => {
      this.#addKey(key);
      return run(log, input);
    });
  }

  /** The log of a key, or `undefined` if there is no such key, also if it is being deleted. */
  async #existing(key: string): Promise<CommitLog | undefined> {
    this.#assertOpen();
    encodeKey(key);
    if (!this.#keys.has(key)) await this.#lookForKeys();
    for (;;) {
      const exclusion = this.#logs.exclusion(key);
      if (exclusion === undefined) break;
      await exclusion;
      this.#assertOpen();
    }
    if (!this.#keys.has(key)) return undefined;
    try {
      return await this.#logs.use(key, (log) => Promise.resolve(log));
    } catch (error) {
      // To a reader, a key that its writer is just making or deleting is none.
      if (this.#session === undefined && isNoLog(error)) return undefined;
      throw error;
    }
  }

  /** @throws OffsetOutOfRangeError, SeglogError `KEY_NOT_FOUND`, `CLOSED`. */
  async #commit(entries: readonly CommittedEntry[], mode: CommitMode): Promise<void> {
    for (;;) {
      const committed = this.#writable();
      const absent = entries.find(({ key }) => this.#logs.opened(key) === undefined);
      if (absent === undefined) {
        // Nothing may come between this and the request: a truncation brings back what it finds.
        for (const entry of entries) this.#assertCommittable(entry);
        return committed.apply(entries, mode);
      }
      if ((await this.#existing(absent.key)) === undefined) throw this.#noKey(absent.key);
    }
  }

  /**
   * Keys may have been deleted, and made anew, and logs truncated, while the logs of others were
   * opened.
   */
  #assertCommittable({ key, logId, next }: CommittedEntry): void {
    const log = this.#logs.opened(key);
    if (log === undefined || logIdText(log.logId) !== logId) throw this.#noKey(key);
    if (next <= log.endOffset) return;
    throw new OffsetOutOfRangeError(next, log.startOffset, log.endOffset);
  }

  #noKey(key: string): SeglogError {
    return new SeglogError("KEY_NOT_FOUND", `${this.directory} has no key ${describe(key)}.`);
  }

  async #lookForKeys(): Promise<void> {
    this.#assertOpen();
    if (this.#session !== undefined) return;
    const { keys } = await listKeys(this.#environment.fileSystem, this.directory);
    const known = new Set(keys);
    for (const key of this.#keys) {
      if (known.has(key)) continue;
      this.#keys.delete(key);
      await this.#logs.exclude(key, async () => undefined);
    }
    for (const key of keys) this.#keys.add(key);
  }

  #addKey(key: string): void {
    if (this.#keys.has(key)) return;
    this.#keys.add(key);
    this.#newKeys.announce();
  }

  #loadCommitted() {
    return loadCheckpoint(this.#environment.fileSystem, this.directory, this.#storeId);
  }

  async #committedBy(
    group: string,
    wanted: Iterable<string> | undefined,
  ): Promise<Map<string, number>> {
    const committed = this.#writable();
    const keys = wanted === undefined ? [...committed.of(group).keys()] : [...wanted];
    const unsettled = keys.filter((key) => committed.of(group).has(key) && !this.#isSettled(key));
    await forEach(unsettled, (key) => this.#settle(key, committed));
    this.#assertOpen();
    const result = new Map<string, number>();
    for (const key of keys) {
      const found = committed.of(group).get(key);
      if (found !== undefined && this.#settled.get(key) === found.logId)
        result.set(key, found.next);
    }
    return result;
  }

  /** A log that its user closed may have been poisoned, and lose records when it is opened. */
  #isSettled(key: string): boolean {
    return this.#settled.has(key) && this.#logs.opened(key)?.isOpen !== false;
  }

  /** Sees to it that nothing is committed past the end of a key's log. */
  async #settle(key: string, committed: CommittedOffsets): Promise<void> {
    this.#assertOpen();
    if (!this.#keys.has(key)) return;
    if (!this.#logs.isInUse(key)) {
      const metadata = await this.#metadataOf(key);
      // Nobody has opened, deleted or made it meanwhile.
      const isCurrent = !this.#logs.isInUse(key) && this.#keys.has(key);
      if (isCurrent && metadata?.clean === true) {
        const logId = logIdText(metadata.logId);
        if (committed.areWithin(key, logId, metadata.end.endOffset)) {
          this.#settled.set(key, logId);
          return;
        }
      }
    }
    await this.#existing(key);
  }

  /** @returns `undefined` if it cannot be read; opening the log tells why. */
  async #metadataOf(key: string): Promise<LogMetadata | undefined> {
    const { fileSystem } = this.#environment;
    const path = keyPath(this.directory, encodeKey(key));
    await assertKeyDirectory(fileSystem, path);
    return readMetadata(fileSystem, path).catch(() => undefined);
  }

  /** As {@link #committedBy}, of a store whose checkpoint another process may be writing. */
  async #readCommitted(
    group: string,
    wanted: Iterable<string> | undefined,
  ): Promise<Map<string, number>> {
    this.#assertOpen();
    const list = wanted === undefined ? undefined : [...wanted];
    const { state } = await this.#loadCommitted();
    const offsets: ReadonlyMap<string, CommittedOffset> = state.get(group) ?? new Map();
    const keys = list?.filter((key) => offsets.has(key)) ?? [...offsets.keys()];
    const found = new Map<string, number>();
    await forEach(keys, async (key) => {
      const next = await this.#nextOf(key, offsets.get(key)!);
      if (next !== undefined) found.set(key, next);
    });
    return new Map(keys.flatMap((key) => (found.has(key) ? [[key, found.get(key)!]] : [])));
  }

  async #nextOf(key: string, { logId, next }: CommittedOffset): Promise<number | undefined> {
    this.#assertOpen();
    const metadata = await this.#metadataOf(key);
    if (metadata !== undefined) {
      if (logIdText(metadata.logId) !== logId) return undefined;
      if (metadata.clean && next <= metadata.end.endOffset) return next;
    }
    let log = await this.#existing(key);
    if (log !== undefined && logIdText(log.logId) !== logId) {
      // Opened before the key was made anew.
      await this.#logs.exclude(key, async () => undefined);
      log = await this.#existing(key);
    }
    if (log === undefined || logIdText(log.logId) !== logId) return undefined;
    await log.refresh().catch((error: unknown) => {
      // Told once; the new end is known by then.
      if (!(error instanceof SeglogError) || error.code !== "LOG_TRUNCATED") throw error;
    });
    return Math.min(next, log.endOffset);
  }

  #writable(): CommittedOffsets {
    this.#assertOpen();
    if (this.#committed !== undefined) return this.#committed;
    throw new SeglogError(
      "READ_ONLY",
      `${this.directory} is open for reading only. Open it without { readOnly: true }.`,
    );
  }

  #assertOpen(): void {
    if (this.#closing !== undefined) throw this.#closedError();
  }

  #closedError(): SeglogError {
    return new SeglogError("CLOSED", `${this.directory} is closed. Open it again.`);
  }

  /**
   * Opens the logs with these names that there are: the journal has something for them.
   *
   * @returns The names of those that are no more, if that can be told.
   */
  async #openNamed(names: ReadonlySet<string>): Promise<ReadonlySet<string>> {
    const gone = new Set(names);
    let areAllKnown = true;
    await forEach(this.keys(), async (key) => {
      const metadata = await this.#metadataOf(key).catch(() => undefined);
      if (metadata === undefined) areAllKnown = false;
      else if (!gone.delete(journalName(metadata.logId))) return;
      // One that cannot be opened keeps what it has in the journal. While the store is being
      // closed, none can be.
      await this.#existing(key).catch((error: SeglogError) => {
        if (this.#closing === undefined) this.#options.onError(error);
      });
    });
    if (!areAllKnown || gone.size === 0) return new Set();
    // A deletion that is in the page cache alone may be undone: then its log still needs all of it.
    await this.#environment.fileSystem.syncDirectory(join(this.directory, LOGS_DIRECTORY));
    return gone;
  }
}

/** Makes the log that is a store's journal, or opens it. */
async function openJournalLog(
  environment: LogEnvironment,
  directory: string,
  storeId: Uint8Array,
  session: WriterSession,
  { onError }: ResolvedLogOptions,
): ReturnType<JournalOwner["open"]> {
  const options = resolveLogOptions({ segmentBytes: environment.journalSegmentBytes, onError }, []);
  const path = keyPath(directory, JOURNAL_DIRECTORY);
  await assertKeyDirectory(environment.fileSystem, path);
  const temporaryDirectory = unfinishedPath(directory, JOURNAL_DIRECTORY);
  const membership = { session, storeId, temporaryDirectory, journal: undefined };
  const log = await environment.pool.transient(() =>
    CommitLog.openForWriting(environment, path, options, membership),
  );
  const view = log.writer!;
  return { log, view, queue: view.queue };
}

/** Runs `run` for each key, a few at a time. */
async function forEach(keys: readonly string[], run: (key: string) => Promise<void>) {
  const rest = keys.values();
  const some = async () => {
    for (const key of rest) await run(key);
  };
  await Promise.all(Array.from({ length: LOOKUPS_AT_A_TIME }, some));
}

/** Whether opening failed because a directory holds no log. */
function isNoLog(error: unknown): boolean {
  return error instanceof SeglogError && error.code === "NOT_A_LOG";
}

/** A record may have to wait until its log is open; the caller's bytes are free by then. */
function copyRecord(record: RecordInput): RecordInput {
  if (record instanceof Uint8Array) return copyBytes(record);
  if (typeof record !== "object" || record === null) return record;
  const { value, key, headers, timestamp } = record;
  return {
    value: copyBytes(value),
    key: copyBytes(key),
    headers: copyHeaders(headers),
    timestamp,
  };
}

/** What is no producer is left to whoever judges it. */
function copyOptions(options: AppendOptions | undefined): AppendOptions | undefined {
  const producer = options?.producer;
  if (typeof producer !== "object" || producer === null) return options;
  const { id, epoch, sequence } = producer;
  return { ...options, producer: { id, epoch, sequence } };
}

/** What is not a list of records is left to whoever judges it. */
function copyRecords(records: Iterable<RecordInput>): Iterable<RecordInput> {
  const isList =
    typeof records === "object" &&
    records !== null &&
    Symbol.iterator in records &&
    !(records instanceof Uint8Array);
  return isList ? Array.from(records, copyRecord) : records;
}

/** Not by `slice()`, which copies nothing of a `Buffer`. */
function copyBytes<T>(input: T): T | Uint8Array {
  return input instanceof Uint8Array ? new Uint8Array(input) : input;
}

/** What is not headers is left to whoever judges the record. */
function copyHeaders(headers: RecordFields["headers"]): RecordFields["headers"] {
  if (typeof headers !== "object" || headers === null) return headers;
  const pairs = Symbol.iterator in headers ? [...headers] : Object.entries(headers);
  return pairs.map((pair): readonly [string, BytesInput] =>
    Array.isArray(pair) ? [pair[0], copyBytes(pair[1])] : pair,
  );
}
