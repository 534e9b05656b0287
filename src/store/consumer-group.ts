import { OffsetOutOfRangeError, SeglogError } from "../errors.js";
import { type CheckpointEntry, logIdText } from "../format/checkpoint-frame.js";
import { describe } from "../format/record-codec.js";
import type { CommitLog } from "../log/commit-log.js";
import type { CommitMode } from "./committed-offsets.js";
import type { KeyedGroup, OffsetsByKey } from "./keyed-log.js";
import { checkName } from "./name.js";
import { toOffsetPairs } from "./offset-pairs.js";

/** A change of a committed offset. */
export type CommittedEntry = Extract<CheckpointEntry, { readonly kind: "committed" }>;

/** What a group needs of its store. */
export interface GroupStore {
  /** The log of a key, if there is such a key. */
  existing(key: string): Promise<CommitLog | undefined>;
  change(entries: readonly CommittedEntry[], mode: CommitMode): Promise<void>;
  /** The committed offsets of `keys` that have any; of all by default. */
  committedBy(group: string, keys: Iterable<string> | undefined): Promise<Map<string, number>>;
}

/**
 * A consumer group: for each key, the next offset that its consumers will read. Get one with
 * `LogStore.group`; groups of the same name are one.
 */
export class ConsumerGroup implements KeyedGroup {
  /** Groups of the same name share their committed offsets. */
  readonly name: string;
  readonly #store: GroupStore;

  /** @internal */
  constructor(name: string, store: GroupStore) {
    this.name = checkName(name, "a group");
    this.#store = store;
  }

  /**
   * Commits the next offset to read of each key, as in Kafka: one more than that of the last
   * record processed. An offset below the committed one changes nothing, so a late commit does no
   * harm. As durable as an append when it resolves.
   *
   * @throws OffsetOutOfRangeError past the end of a key's log, SeglogError `KEY_NOT_FOUND`,
   *   `NO_SPACE`, `LOG_POISONED`, `READ_ONLY`, `CLOSED`. Then no key is changed.
   */
  async commit(offsets: OffsetsByKey): Promise<void> {
    await this.#change(offsets, "advance");
  }

  /**
   * Sets the next offset to read of each key, back or forth, on purpose: to read again, or to skip.
   *
   * @throws As {@link commit}.
   */
  async seek(offsets: OffsetsByKey): Promise<void> {
    await this.#change(offsets, "set");
  }

  /**
   * The next offset to read of each key, never past the end of its log.
   *
   * A log that a crash left may have lost unsynced records. So before a key is answered for the
   * first time in a session, its metadata are read (a small file for each key, 16 at a time),
   * and, unless they say that the log was closed properly and reaches that far, the log is opened
   * and recovered. In a store opened for reading only that is done at each call.
   *
   * @param keys - Default: all keys that this group has committed. Keys without a committed offset
   *   are left out of the result; so are keys that were deleted, and made anew, since.
   * @throws As `CommitLog.open` if the log of one of the keys has to be opened and cannot be; name
   *   the other keys to get theirs. SeglogError `CLOSED`.
   */
  committed(keys?: Iterable<string>): Promise<Map<string, number>> {
    return this.#store.committedBy(this.name, keys);
  }

  async #change(offsets: OffsetsByKey, mode: CommitMode): Promise<void> {
    const pairs = toOffsetPairs(offsets);
    const entries: CommittedEntry[] = [];
    for (const [key, next] of pairs) {
      const log = await this.#store.existing(key);
      if (log === undefined) {
        throw new SeglogError(
          "KEY_NOT_FOUND",
          `There is no key ${describe(key)} to commit an offset of. Nothing was committed.`,
        );
      }
      if (next > log.endOffset) {
        throw new OffsetOutOfRangeError(
          next,
          log.startOffset,
          log.endOffset,
          `the next offset to read of ${describe(key)} is at most its end. Nothing was committed`,
        );
      }
      const logId = logIdText(log.logId);
      entries.push({ kind: "committed", group: this.name, key, logId, next });
    }
    await this.#store.change(entries, mode);
  }
}
