import { OffsetOutOfRangeError, SeglogError } from "../errors.js";
import type { CheckpointEntry } from "../format/checkpoint-frame.js";
import { describe } from "../format/record-codec.js";
import type { CommitMode } from "./committed-offsets.js";
import type { KeyBounds, KeyedGroup, OffsetsByKey } from "./keyed-log.js";

/** Longest name of a group, in UTF-8. */
const MAX_GROUP_NAME_BYTES = 255;

/** What a group needs of its store. */
export interface GroupStore {
  bounds(key: string): Promise<KeyBounds | undefined>;
  change(entries: readonly CheckpointEntry[], mode: CommitMode): Promise<void>;
  committedBy(group: string): Promise<ReadonlyMap<string, number>>;
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
    this.name = checkName(name);
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
   * The next offset to read of each key.
   *
   * @param keys - Default: all keys that this group has committed. Keys without a committed offset
   *   are left out of the result.
   */
  async committed(keys?: Iterable<string>): Promise<Map<string, number>> {
    const all = await this.#store.committedBy(this.name);
    if (keys === undefined) return new Map(all);
    const result = new Map<string, number>();
    for (const key of keys) {
      const next = all.get(key);
      if (next !== undefined) result.set(key, next);
    }
    return result;
  }

  async #change(offsets: OffsetsByKey, mode: CommitMode): Promise<void> {
    const pairs = toPairs(offsets);
    const entries: CheckpointEntry[] = [];
    for (const [key, next] of pairs) {
      const bounds = await this.#store.bounds(key);
      if (bounds === undefined) {
        throw new SeglogError(
          "KEY_NOT_FOUND",
          `There is no key ${describe(key)} to commit an offset of. Nothing was committed.`,
        );
      }
      if (next > bounds.endOffset) {
        throw new OffsetOutOfRangeError(
          next,
          bounds.startOffset,
          bounds.endOffset,
          `the next offset to read of ${describe(key)} is at most its end. Nothing was committed`,
        );
      }
      entries.push({ kind: "committed", group: this.name, key, next });
    }
    await this.#store.change(entries, mode);
  }
}

function checkName(name: string): string {
  if (typeof name !== "string") {
    throw new TypeError(`The name of a group must be a string, not ${describe(name)}`);
  }
  const isValid =
    name !== "" && name.isWellFormed() && Buffer.byteLength(name) <= MAX_GROUP_NAME_BYTES;
  if (isValid) return name;
  throw new SeglogError(
    "INVALID_KEY",
    `The name of a group must be well-formed text of 1 to ${MAX_GROUP_NAME_BYTES} bytes, ` +
      `not ${describe(name)}`,
  );
}

function toPairs(offsets: OffsetsByKey): (readonly [string, number])[] {
  if (typeof offsets !== "object" || offsets === null) {
    throw new TypeError(
      `offsets must be a Map, pairs or an object of next offsets by key, not ${describe(offsets)}`,
    );
  }
  const pairs = Symbol.iterator in offsets ? [...offsets] : Object.entries(offsets);
  for (const [key, next] of pairs) {
    if (typeof next !== "number") {
      throw new TypeError(`The offset of ${describe(key)} must be a number, not ${describe(next)}`);
    }
    if (!Number.isSafeInteger(next) || next < 0) {
      throw new RangeError(`The offset of ${describe(key)} must be an integer >= 0, not ${next}`);
    }
  }
  return pairs;
}
