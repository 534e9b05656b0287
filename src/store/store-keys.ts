import { SeglogError } from "../errors.js";
import type { FileSystem } from "../files/file-system.js";
import type { LogMetadata } from "../format/log-metadata.js";
import { Changes } from "../log/changes.js";
import type { CommitLog } from "../log/commit-log.js";
import { readMetadata } from "../log/log-files.js";
import { POLL_MS, pause } from "../log/polling.js";
import { encodeKey } from "./key-directory.js";
import { KnownKeys } from "./known-keys.js";
import { OpenLogs } from "./open-logs.js";
import { storeClosed } from "./store-failures.js";
import { assertKeyDirectory, keyPath, listKeys } from "./store-files.js";

interface StoreKeysParts {
  readonly fileSystem: FileSystem;
  /** Of the store. */
  readonly directory: string;
  /** The keys that the store has. */
  readonly keys: Iterable<string>;
  /** Whether another process may make and delete keys. */
  readonly isFollowed: boolean;
  /**
   * Opens the log of a key. Where this process writes the store, it makes the log if there is none.
   *
   * @param name - Of that log's directory, which is no symbolic link.
   */
  readonly openLog: (key: string, name: string) => Promise<CommitLog>;
}

/**
 * Which keys a store has, and their logs, each of which is opened when it is first used. The
 * writer's keys are those that there are: one is added when its log is made, and goes when it is
 * deleted. A reader beside a writer knows those of its last look at the directory, and looks again
 * when it is asked for a key that it does not know.
 *
 * Nothing is opened, and no key is told, once {@link close} was called.
 */
export class StoreKeys {
  /** The logs that are open, or being opened. */
  readonly logs: OpenLogs;
  readonly #fileSystem: FileSystem;
  readonly #directory: string;
  readonly #isFollowed: boolean;
  readonly #known: KnownKeys;
  readonly #newKeys = new Changes();
  #isClosed = false;

  constructor({ fileSystem, directory, keys, isFollowed, openLog }: StoreKeysParts) {
    this.#fileSystem = fileSystem;
    this.#directory = directory;
    this.#isFollowed = isFollowed;
    this.#known = new KnownKeys(keys);
    const open = async (key: string) => {
      const name = encodeKey(key);
      await assertKeyDirectory(fileSystem, keyPath(directory, name));
      return openLog(key, name);
    };
    this.logs = new OpenLogs(open, () => this.assertOpen());
  }

  /** Whether {@link close} was called. */
  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** @throws SeglogError `CLOSED`. */
  assertOpen(): void {
    if (this.#isClosed) throw storeClosed(this.#directory);
  }

  /** All keys, in no particular order. */
  all(): string[] {
    this.assertOpen();
    return [...this.#known];
  }

  /** How many keys there are. */
  get count(): number {
    this.assertOpen();
    return this.#known.size;
  }

  /** Those from `start` on, in their order; they must not change meanwhile. */
  from(start: string): Iterable<string> {
    this.assertOpen();
    return this.#known.from(start);
  }

  /** Whether there is such a key, as far as is known without a look at the disk. */
  has(key: string): boolean {
    return this.#known.has(key);
  }

  /** The log of a key, or `undefined` if there is no such key, also if it is being deleted. */
  async existing(key: string): Promise<CommitLog | undefined> {
    this.assertOpen();
    encodeKey(key);
    if (!this.#known.has(key)) await this.#look();
    for (;;) {
      const exclusion = this.logs.exclusion(key);
      if (exclusion === undefined) break;
      await exclusion;
      this.assertOpen();
    }
    if (!this.#known.has(key)) return undefined;
    try {
      return await this.logs.use(key, (log) => Promise.resolve(log));
    } catch (error) {
      // To a reader, a key that its writer is just making or deleting is none.
      if (this.#isFollowed && isNoLog(error)) return undefined;
      throw error;
    }
  }

  /**
   * Runs `run` with the log of a key, in the order of the calls. The writer's way: it makes the
   * key if there is none.
   */
  use<T>(key: string, run: (log: CommitLog) => Promise<T>): Promise<T> {
    return this.logs.use(key, (log) => {
      this.#add(key);
      return run(log);
    });
  }

  /** The directory of a key's log has gone. To be called where nobody can open that log. */
  remove(key: string): void {
    this.#known.delete(key);
  }

  /** Resolves when there may be such a key. Throws `CLOSED`; the signal's reason. */
  async made(key: string, signal: AbortSignal | undefined): Promise<void> {
    // Whoever closes the store, or makes the key, wakes those who wait by then.
    this.assertOpen();
    if (this.#isFollowed) await pause(POLL_MS, signal);
    else if (!this.#known.has(key)) await this.#newKeys.next(signal);
  }

  /** Looks for keys that another process has made, deleted, or made anew. */
  async refresh(): Promise<void> {
    await this.#look();
    if (!this.#isFollowed) return;
    for (const [key, log] of this.logs.all()) {
      const metadata = await readMetadata(this.#fileSystem, log.directory).catch(() => undefined);
      if (metadata !== undefined && Buffer.compare(metadata.logId, log.logId) === 0) continue;
      await this.logs.exclude(key, async () => undefined);
    }
  }

  /**
   * What the metadata of a key's log say, be it open or not.
   *
   * @returns `undefined` if they cannot be read; opening the log tells why.
   * @throws SeglogError `UNSAFE_PATH`.
   */
  async metadataOf(key: string): Promise<LogMetadata | undefined> {
    const path = keyPath(this.#directory, encodeKey(key));
    await assertKeyDirectory(this.#fileSystem, path);
    return readMetadata(this.#fileSystem, path).catch(() => undefined);
  }

  /**
   * Closes all logs. Whoever waits for a key is woken.
   *
   * @throws The first failure of a log; all others are closed all the same.
   */
  close(): Promise<void> {
    this.#isClosed = true;
    this.#newKeys.announce();
    return this.logs.close();
  }

  #add(key: string): void {
    if (this.#known.has(key)) return;
    this.#known.add(key);
    this.#newKeys.announce();
  }

  async #look(): Promise<void> {
    this.assertOpen();
    if (!this.#isFollowed) return;
    const { keys } = await listKeys(this.#fileSystem, this.#directory);
    const found = new Set(keys);
    for (const key of this.#known) {
      if (found.has(key)) continue;
      this.#known.delete(key);
      await this.logs.exclude(key, async () => undefined);
    }
    for (const key of keys) this.#known.add(key);
  }
}

/** Whether opening failed because a directory holds no log. */
function isNoLog(error: unknown): boolean {
  return error instanceof SeglogError && error.code === "NOT_A_LOG";
}
