import { join } from "node:path";
import { OffsetOutOfRangeError, SeglogError } from "../errors.js";
import { MIN_OPEN_FILES } from "../files/handle-pool.js";
import { JOURNAL_DIRECTORY, LOGS_DIRECTORY } from "../format/file-names.js";
import { journalName } from "../format/journal-key.js";
import type { LogRecord, RecordInput } from "../format/record.js";
import { describe } from "../format/record-codec.js";
import { type AppendOptions, assertAppendable } from "../log/append-options.js";
import type { AppendedBatch } from "../log/appended-batch.js";
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
import {
  type Durability,
  type LogOptions,
  type ResolvedLogOptions,
  resolveLogOptions,
} from "../log/options.js";
import { WriterSession } from "../log/writer-session.js";
import { assertOffset, integer } from "../option-checks.js";
import { CheckedOffsets } from "./checked-offsets.js";
import { loadCheckpoint, type NamedProducer, type OpenedProducer } from "./checkpoint-file.js";
import { CommittedOffsets } from "./committed-offsets.js";
import { ConsumerGroup } from "./consumer-group.js";
import { copyOptions, copyRecord, copyRecords } from "./copied-input.js";
import { forEachKey } from "./each-key.js";
import { FollowedOffsets } from "./followed-offsets.js";
import { encodeKey } from "./key-directory.js";
import type { KeyBounds, KeyedLog, KeyedRead } from "./keyed-log.js";
import { checkName } from "./name.js";
import type { OpenLogs } from "./open-logs.js";
import { noKey, storeClosed, storeReadOnly } from "./store-failures.js";
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
import { StoreKeys } from "./store-keys.js";
import type { StoreOffsets } from "./store-view.js";

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

interface StoreParts {
  readonly environment: LogEnvironment;
  readonly directory: string;
  readonly options: ResolvedLogOptions;
  readonly storeId: Uint8Array;
  readonly keys: readonly string[];
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
  readonly #keys: StoreKeys;
  readonly #session: WriterSession | undefined;
  readonly #journal: Journal | undefined;
  readonly #followedJournal: JournalFollower | undefined;
  readonly #committed: CommittedOffsets | undefined;
  readonly #offsets: StoreOffsets;
  readonly #checkedOffsets: CheckedOffsets | undefined;
  readonly #logs: OpenLogs;
  /** Of the producers that were opened, by id. */
  readonly #openedEpochs = new Map<bigint, number>();
  #closing: Promise<void> | undefined;

  private constructor(parts: StoreParts) {
    const { environment, directory, options, session, storeId } = parts;
    this.directory = directory;
    this.recovery = parts.recovery;
    this.#environment = environment;
    this.#options = options;
    this.#session = session;
    this.#journal = parts.journal;
    this.#followedJournal = parts.followedJournal;
    this.#committed = parts.committed;
    for (const { id, epoch } of parts.committed?.producers.values() ?? []) {
      this.#openedEpochs.set(id, epoch);
    }
    const openLog = async (key: string, name: string) => {
      const path = keyPath(directory, name);
      if (session === undefined) {
        return CommitLog.openForReading(environment, path, options, true, parts.followedJournal);
      }
      // Never called before the log is there.
      const onTruncated = (endOffset: number) => this.#checkedOffsets!.clamp(key, log, endOffset);
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
        await this.#checkedOffsets?.check(key, log);
      } catch (error) {
        await log.close().catch(() => undefined);
        throw error;
      }
      return log;
    };
    const { fileSystem } = environment;
    const isFollowed = session === undefined;
    this.#keys = new StoreKeys({ fileSystem, directory, keys: parts.keys, isFollowed, openLog });
    this.#logs = this.#keys.logs;
    this.#checkedOffsets =
      parts.committed && new CheckedOffsets(directory, parts.committed, this.#keys);
    this.#offsets =
      this.#checkedOffsets ?? new FollowedOffsets(fileSystem, directory, storeId, this.#keys);
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
    const { maxOpenFiles, readOnly = false, ...rest } = options;
    if (typeof readOnly !== "boolean") {
      throw new TypeError(`readOnly must be a boolean, not ${describe(readOnly)}`);
    }
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
      keys,
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
        keys,
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

  /** @internal When an append is acknowledged. */
  get durability(): Durability {
    return this.#options.durability;
  }

  /** All keys, in no particular order. Of a store opened for reading, as of the last `refresh`. */
  keys(): string[] {
    return this.#keys.all();
  }

  /** @internal The logs that are open now, with their keys: to ask them costs no file. */
  openLogs(): (readonly [key: string, log: CommitLog])[] {
    this.#keys.assertOpen();
    return this.#logs.all();
  }

  /** Names of the consumer groups that have committed offsets. */
  async groups(): Promise<string[]> {
    this.#keys.assertOpen();
    return this.#offsets.groups();
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
    const name = encodeKey(key);
    this.#writable();
    if (!this.#keys.has(key)) return false;
    return this.#logs.exclude(key, async () => {
      if (!this.#keys.has(key)) return false;
      const { fileSystem } = this.#environment;
      const target = deletedPath(this.directory, name);
      const metadata = await this.#keys.metadataOf(key).catch(() => undefined);
      // An earlier deletion of a key of this name may have failed half-way.
      await fileSystem.removeTree(target);
      await fileSystem.rename(keyPath(this.directory, name), target);
      this.#keys.remove(key);
      this.#checkedOffsets?.forget(key);
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
    return new ConsumerGroup(name, this.#offsets);
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
    const failures: unknown[] = [];
    const note = (error: unknown) => failures.push(error);
    this.#journal?.prepareToClose();
    await this.#keys.close().catch(note);
    await this.#journal?.close().catch(note);
    await this.#followedJournal?.close(storeClosed(this.directory)).catch(note);
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
    this.#keys.assertOpen();
    encodeKey(key);
    this.#writable();
    const input = copyInput();
    // What no log takes makes none.
    if (!this.#keys.has(key)) assertAppendable(input[0], input[1] ?? {}, this.#options);
    return this.#keys.use(key, (log) => run(log, input));
  }

  #writable(): CommittedOffsets {
    this.#keys.assertOpen();
    if (this.#committed !== undefined) return this.#committed;
    throw storeReadOnly(this.directory);
  }

  /**
   * Opens the logs with these names that there are: the journal has something for them.
   *
   * @returns The names of those that are no more, if that can be told.
   */
  async #openNamed(names: ReadonlySet<string>): Promise<ReadonlySet<string>> {
    const gone = new Set(names);
    let areAllKnown = true;
    await forEachKey(this.keys(), async (key) => {
      const metadata = await this.#keys.metadataOf(key).catch(() => undefined);
      if (metadata === undefined) areAllKnown = false;
      else if (!gone.delete(journalName(metadata.logId))) return;
      // One that cannot be opened keeps what it has in the journal. While the store is being
      // closed, none can be.
      await this.#keys.existing(key).catch((error: SeglogError) => {
        if (!this.#keys.isClosed) this.#options.onError(error);
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
