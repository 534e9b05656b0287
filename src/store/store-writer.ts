import { join } from "node:path";
import { LOGS_DIRECTORY } from "../format/file-names.js";
import { journalName } from "../format/journal-key.js";
import { CommitLog } from "../log/commit-log.js";
import type { LogEnvironment } from "../log/environment.js";
import { Journal } from "../log/journal.js";
import { makeDirectories, syncParent } from "../log/log-creation.js";
import type { ResolvedLogOptions } from "../log/options.js";
import { WriterSession } from "../log/writer-session.js";
import { CheckedOffsets } from "./checked-offsets.js";
import { loadCheckpoint, type NamedProducer, type OpenedProducer } from "./checkpoint-file.js";
import { CommittedOffsets } from "./committed-offsets.js";
import { JournalKeeper } from "./journal-keeper.js";
import { encodeKey } from "./key-directory.js";
import {
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
import type { StoreRecoveryReport, StoreView } from "./store-view.js";
import type { WritingContext } from "./writing-context.js";

/**
 * A store that this process writes: it has the lock on the directory, and with it the journal that
 * the logs share, and the file of committed offsets and producers. Makes and deletes keys.
 */
export class StoreWriter implements StoreView {
  readonly recovery: StoreRecoveryReport;
  readonly keys: StoreKeys;
  readonly offsets: CheckedOffsets;
  readonly #context: WritingContext;
  readonly #committed: CommittedOffsets;
  readonly #journal: Journal;
  /** Of the producers that were opened, by id. */
  readonly #openedEpochs = new Map<bigint, number>();

  private constructor(
    context: WritingContext,
    committed: CommittedOffsets,
    keys: readonly string[],
    recovery: StoreRecoveryReport,
  ) {
    const { environment, directory } = context;
    const { fileSystem } = environment;
    const openLog = (key: string, name: string) => this.#openLog(key, name);
    this.recovery = recovery;
    this.keys = new StoreKeys({ fileSystem, directory, keys, isFollowed: false, openLog });
    this.offsets = new CheckedOffsets(directory, committed, this.keys);
    this.#context = context;
    this.#committed = committed;
    this.#journal = new Journal(environment, new JournalKeeper(context, this.keys));
    for (const { id, epoch } of committed.producers.values()) this.#openedEpochs.set(id, epoch);
  }

  /**
   * Makes the store, or brings in order what the last writer left of it, but for the logs, each of
   * which is brought in order when it is opened.
   *
   * @throws As `LogStore.open`.
   */
  static async open(
    environment: LogEnvironment,
    directory: string,
    options: ResolvedLogOptions,
  ): Promise<StoreWriter> {
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
    let writer: StoreWriter | undefined;
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
      const context = { environment, directory, options, storeId, session };
      writer = new StoreWriter(context, committed, keys, {
        created: !listing.hasMetadata,
        deletedKeys: deleted,
        checkpointDamage: loaded.damage,
      });
      if (hasJournal) await writer.#journal.open();
      await writer.#finishDeletions(deleted);
      return writer;
    } catch (error) {
      // Why the store cannot be opened is what counts, not what fails after that.
      if (writer !== undefined) await writer.#journal.close().catch(() => undefined);
      await committed?.close().catch(() => undefined);
      await session.close(false).catch(() => undefined);
      throw error;
    }
  }

  /** @returns Whether there was such a key. */
  async deleteKey(key: string): Promise<boolean> {
    const name = encodeKey(key);
    if (!this.keys.has(key)) return false;
    return this.keys.logs.exclude(key, async () => {
      if (!this.keys.has(key)) return false;
      const { environment, directory } = this.#context;
      const { fileSystem } = environment;
      const target = deletedPath(directory, name);
      const metadata = await this.keys.metadataOf(key).catch(() => undefined);
      // An earlier deletion of a key of this name may have failed half-way.
      await fileSystem.removeTree(target);
      await fileSystem.rename(keyPath(directory, name), target);
      this.keys.remove(key);
      this.offsets.forget(key);
      await fileSystem.syncDirectory(join(directory, LOGS_DIRECTORY));
      // Nobody will look for it any more, and the journal need not keep what it has of it.
      if (metadata !== undefined) this.#journal.index.forget(journalName(metadata.logId));
      await this.#finishDeletion(key);
      return true;
    });
  }

  /** Opens a producer anew, and resolves when no log takes a batch of an earlier epoch. */
  async openProducer(name: string): Promise<OpenedProducer> {
    const producer = await this.#committed.openProducer(name);
    this.#openedEpochs.set(producer.id, producer.epoch);
    // What is being written was judged before.
    await Promise.all(this.keys.logs.all().map(([, log]) => log.writer?.queue.passed()));
    await this.#journal.passed();
    return producer;
  }

  /** Takes over the producers of a store that this one replaces. */
  adoptProducers(producers: ReadonlyMap<string, NamedProducer>): Promise<void> {
    return this.#committed.adoptProducers(producers);
  }

  /** Resolves when what was accepted before this call is on stable storage. */
  async flush(): Promise<void> {
    const logs = this.keys.logs.all();
    await Promise.all([...logs.map(([, log]) => log.flush()), this.#committed.flush()]);
  }

  async close(): Promise<void> {
    const failures: unknown[] = [];
    const note = (error: unknown) => failures.push(error);
    this.#journal.prepareToClose();
    await this.keys.close().catch(note);
    await this.#journal.close().catch(note);
    await this.#committed.close().catch(note);
    await this.#context.session.close(failures.length === 0).catch(note);
    if (failures.length > 0) throw failures[0];
  }

  /** Opens the log of a key, or makes it; no offset past its end is committed then. */
  async #openLog(key: string, name: string): Promise<CommitLog> {
    const { environment, directory, options, storeId, session } = this.#context;
    const membership = {
      session,
      storeId,
      temporaryDirectory: unfinishedPath(directory, name),
      // Never called before the log is there.
      onTruncated: (endOffset: number) => this.offsets.clamp(key, log, endOffset),
      journal: this.#journal,
      openedEpoch: (id: bigint) => this.#openedEpochs.get(id),
    };
    const log: CommitLog = await environment.pool.transient(() =>
      CommitLog.openForWriting(environment, keyPath(directory, name), options, membership),
    );
    try {
      await this.offsets.check(key, log);
    } catch (error) {
      await log.close().catch(() => undefined);
      throw error;
    }
    return log;
  }

  /** Completes deletions that were interrupted. */
  async #finishDeletions(keys: readonly string[]): Promise<void> {
    if (keys.length === 0) return;
    const { environment, directory } = this.#context;
    // Before anything of them goes: their renaming may be in the page cache and nowhere else.
    await environment.fileSystem.syncDirectory(join(directory, LOGS_DIRECTORY));
    for (const key of keys) {
      // A key made since owns the committed offsets that name its log.
      if (this.keys.has(key)) await this.#removeDeleted(key);
      else await this.#finishDeletion(key);
    }
  }

  /** The committed offsets of `key` go once nobody can open the key any more, then its files. */
  async #finishDeletion(key: string): Promise<void> {
    await this.#committed.apply([{ kind: "key deleted", key }], "set", true);
    await this.#removeDeleted(key);
  }

  #removeDeleted(key: string): Promise<void> {
    const { environment, directory } = this.#context;
    return environment.fileSystem.removeTree(deletedPath(directory, encodeKey(key)));
  }
}
