import type { CommitLog } from "../log/commit-log.js";

/** Enough for the disk to work on several syncs together; more only takes memory. */
const CLOSING_AT_A_TIME = 16;

interface Entry {
  /** Set once the log is open. */
  log: CommitLog | undefined;
  /** Resolves when the log is open. */
  ready: Promise<void>;
  /** Uses that wait; while there are any, later ones must not overtake them. */
  waiting: number;
}

/** The logs of a store that are open, each opened when it is first used. */
export class OpenLogs {
  readonly #open: (key: string) => Promise<CommitLog>;
  readonly #entries = new Map<string, Entry>();
  readonly #excluded = new Map<string, Promise<unknown>>();
  readonly #assertOpen: () => void;

  /**
   * @param open - Opens the log of a key.
   * @param assertOpen - Throws once {@link close} was or is about to be called.
   */
  constructor(open: (key: string) => Promise<CommitLog>, assertOpen: () => void) {
    this.#open = open;
    this.#assertOpen = assertOpen;
  }

  /** The log of `key`, if it is open and nobody waits for it. */
  ready(key: string): CommitLog | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined || entry.waiting > 0) return undefined;
    return entry.log?.isOpen ? entry.log : undefined;
  }

  /** The log of `key`, if it is open. */
  opened(key: string): CommitLog | undefined {
    return this.#entries.get(key)?.log;
  }

  /** Whether the log of `key` is open or being opened, or something excludes that. */
  isInUse(key: string): boolean {
    return this.#entries.has(key) || this.#excluded.has(key);
  }

  /** Resolves, never fails, when what {@link exclude} runs now for `key` is done. */
  exclusion(key: string): Promise<unknown> | undefined {
    return this.#excluded.get(key)?.catch(() => undefined);
  }

  /** Runs `run` with the log of `key`, in the order of the calls. */
  async use<T>(key: string, run: (log: CommitLog) => Promise<T>): Promise<T> {
    this.#assertOpen();
    const entry = this.#entry(key);
    let result: Promise<T>;
    entry.waiting++;
    try {
      await entry.ready;
      result = run(entry.log!);
    } finally {
      entry.waiting--;
    }
    return result;
  }

  /** Closes the log of `key` and runs `run` while nobody can open it. */
  async exclude<T>(key: string, run: () => Promise<T>): Promise<T> {
    this.#assertOpen();
    const entry = this.#entries.get(key);
    this.#entries.delete(key);
    const earlier = this.#excluded.get(key);
    const done = (async () => {
      await earlier?.catch(() => undefined);
      await entry?.ready.catch(() => undefined);
      // A poisoned log fails to close, which is no reason to keep its files.
      await entry?.log?.close().catch(() => undefined);
      return run();
    })();
    this.#excluded.set(key, done);
    try {
      return await done;
    } finally {
      if (this.#excluded.get(key) === done) this.#excluded.delete(key);
    }
  }

  /** All logs that are open, with their keys. */
  all(): (readonly [key: string, log: CommitLog])[] {
    return [...this.#entries].flatMap(([key, { log }]) =>
      log === undefined ? [] : [[key, log] as const],
    );
  }

  /**
   * Closes all logs, a few at a time, when what {@link exclude} runs is done; throws the first
   * failure after all were tried.
   */
  async close(): Promise<void> {
    const failures: unknown[] = [];
    // Whoever began an exclusion is told how it ended.
    await Promise.allSettled(this.#excluded.values());
    const entries = this.#entries.values();
    const closeSome = async () => {
      for (const entry of entries) {
        try {
          await entry.ready;
        } catch {
          // It never opened, and whoever asked for it was told.
          continue;
        }
        await entry.log?.close().catch((error) => failures.push(error));
      }
    };
    await Promise.all(Array.from({ length: CLOSING_AT_A_TIME }, closeSome));
    if (failures.length > 0) throw failures[0];
  }

  /** The entry of a key; a new one if its log is not open, or was closed by its user. */
  #entry(key: string): Entry {
    const known = this.#entries.get(key);
    if (known !== undefined && known.log?.isOpen !== false) return known;
    const entry: Entry = { log: undefined, ready: Promise.resolve(), waiting: 0 };
    entry.ready = this.#fill(key, entry, known?.log);
    this.#entries.set(key, entry);
    return entry;
  }

  async #fill(key: string, entry: Entry, closed: CommitLog | undefined): Promise<void> {
    await this.#excluded.get(key)?.catch(() => undefined);
    await closed?.close().catch(() => undefined);
    try {
      entry.log = await this.#open(key);
    } catch (error) {
      if (this.#entries.get(key) === entry) this.#entries.delete(key);
      throw error;
    }
  }
}
