import { SeglogError } from "../errors.js";
import type { FileSystem } from "../files/file-system.js";
import { logIdText } from "../format/checkpoint-frame.js";
import type { CommitLog } from "../log/commit-log.js";
import {
  type CommittedOffset,
  type CommittedState,
  groupsOf,
  loadCheckpoint,
} from "./checkpoint-file.js";
import { forEachKey } from "./each-key.js";
import { storeReadOnly } from "./store-failures.js";
import type { StoreKeys } from "./store-keys.js";
import type { StoreOffsets } from "./store-view.js";

/**
 * The committed offsets of a store that another process may be writing. Nothing is kept of them:
 * each call reads the checkpoint as it is by then, and holds what it finds against the logs, for
 * that writer may have died, and what is past the end of a log is brought back only by the next.
 */
export class FollowedOffsets implements StoreOffsets {
  readonly #fileSystem: FileSystem;
  readonly #directory: string;
  readonly #storeId: Uint8Array;
  readonly #keys: StoreKeys;

  /** @param directory - Of the store. */
  constructor(fileSystem: FileSystem, directory: string, storeId: Uint8Array, keys: StoreKeys) {
    this.#fileSystem = fileSystem;
    this.#directory = directory;
    this.#storeId = storeId;
    this.#keys = keys;
  }

  async groups(): Promise<string[]> {
    return groupsOf(await this.#load());
  }

  existing(key: string): Promise<CommitLog | undefined> {
    return this.#keys.existing(key);
  }

  /** @throws SeglogError `READ_ONLY`, `CLOSED`. */
  async change(): Promise<void> {
    this.#keys.assertOpen();
    throw storeReadOnly(this.#directory);
  }

  async committedBy(
    group: string,
    wanted: Iterable<string> | undefined,
  ): Promise<Map<string, number>> {
    this.#keys.assertOpen();
    const list = wanted === undefined ? undefined : [...wanted];
    const state = await this.#load();
    const offsets: ReadonlyMap<string, CommittedOffset> = state.get(group) ?? new Map();
    const keys = list?.filter((key) => offsets.has(key)) ?? [...offsets.keys()];
    const found = new Map<string, number>();
    await forEachKey(keys, async (key) => {
      const next = await this.#nextOf(key, offsets.get(key)!);
      if (next !== undefined) found.set(key, next);
    });
    return new Map(keys.flatMap((key) => (found.has(key) ? [[key, found.get(key)!]] : [])));
  }

  /** The next offset to read, at most the end of its log; `undefined` if that log is no more. */
  async #nextOf(key: string, { logId, next }: CommittedOffset): Promise<number | undefined> {
    this.#keys.assertOpen();
    const metadata = await this.#keys.metadataOf(key);
    if (metadata !== undefined) {
      if (logIdText(metadata.logId) !== logId) return undefined;
      if (metadata.clean && next <= metadata.end.endOffset) return next;
    }
    let log = await this.#keys.existing(key);
    if (log !== undefined && logIdText(log.logId) !== logId) {
      // Opened before the key was made anew.
      await this.#keys.logs.exclude(key, async () => undefined);
      log = await this.#keys.existing(key);
    }
    if (log === undefined || logIdText(log.logId) !== logId) return undefined;
    await log.refresh().catch((error: unknown) => {
      // Told once; the new end is known by then.
      if (!(error instanceof SeglogError) || error.code !== "LOG_TRUNCATED") throw error;
    });
    return Math.min(next, log.endOffset);
  }

  async #load(): Promise<CommittedState> {
    const { state } = await loadCheckpoint(this.#fileSystem, this.#directory, this.#storeId);
    return state;
  }
}
