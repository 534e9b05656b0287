import { OffsetOutOfRangeError } from "../errors.js";
import { logIdText } from "../format/checkpoint-frame.js";
import type { CommitLog } from "../log/commit-log.js";
import type { CommitMode, CommittedOffsets } from "./committed-offsets.js";
import type { CommittedEntry } from "./consumer-group.js";
import { forEachKey } from "./each-key.js";
import { noKey } from "./store-failures.js";
import type { StoreKeys } from "./store-keys.js";
import type { StoreOffsets } from "./store-view.js";

/**
 * The committed offsets of a store that this process writes, held against its logs: none is taken
 * or told that lies past the end of its log, or is of an earlier log of that key.
 *
 * What an earlier session left is checked before a group is first told of it, for a crash may have
 * taken records that were committed. A log that was closed properly says in its metadata where it
 * ends; any other is opened, and whoever opens a log lets {@link check} see it. What holds then
 * stays so: commits are judged, and a truncation ends in a {@link clamp}.
 */
export class CheckedOffsets implements StoreOffsets {
  readonly #directory: string;
  readonly #committed: CommittedOffsets;
  readonly #keys: StoreKeys;
  /** Ids of the logs, by key, past whose end nothing is committed. */
  readonly #settled = new Map<string, string>();

  /** @param directory - Of the store. */
  constructor(directory: string, committed: CommittedOffsets, keys: StoreKeys) {
    this.#directory = directory;
    this.#committed = committed;
    this.#keys = keys;
  }

  groups(): string[] {
    return this.#committed.groups();
  }

  existing(key: string): Promise<CommitLog | undefined> {
    return this.#keys.existing(key);
  }

  /** @throws OffsetOutOfRangeError, SeglogError `KEY_NOT_FOUND`, `CLOSED`. */
  async change(entries: readonly CommittedEntry[], mode: CommitMode): Promise<void> {
    for (;;) {
      this.#keys.assertOpen();
      const absent = entries.find(({ key }) => this.#keys.logs.opened(key) === undefined);
      if (absent === undefined) {
        // Nothing may come between this and the request: a truncation brings back what it finds.
        for (const entry of entries) this.#assertCommittable(entry);
        return this.#committed.apply(entries, mode);
      }
      const log = await this.#keys.existing(absent.key);
      if (log === undefined) throw noKey(this.#directory, absent.key);
    }
  }

  async committedBy(
    group: string,
    wanted: Iterable<string> | undefined,
  ): Promise<Map<string, number>> {
    this.#keys.assertOpen();
    const committed = this.#committed;
    const keys = wanted === undefined ? [...committed.of(group).keys()] : [...wanted];
    const unsettled = keys.filter((key) => committed.of(group).has(key) && !this.#isSettled(key));
    await forEachKey(unsettled, (key) => this.#settle(key));
    this.#keys.assertOpen();
    const result = new Map<string, number>();
    for (const key of keys) {
      const found = committed.of(group).get(key);
      if (found !== undefined && this.#settled.get(key) === found.logId)
        result.set(key, found.next);
    }
    return result;
  }

  /**
   * Brings back what lies past the end of a log, durably. To be called when it is opened, before it
   * takes an append: a lost offset that is given out again must not be skipped.
   */
  async check(key: string, log: CommitLog): Promise<void> {
    await this.clamp(key, log, log.endOffset);
    this.#settled.set(key, logIdText(log.logId));
  }

  /** Brings back what lies past `endOffset`, to which a log is truncated, durably. */
  clamp(key: string, log: CommitLog, endOffset: number): Promise<void> {
    return this.#committed.clamp(key, logIdText(log.logId), endOffset);
  }

  /** The log of a key has gone. */
  forget(key: string): void {
    this.#settled.delete(key);
  }

  /**
   * Keys may have been deleted, and made anew, and logs truncated, while the logs of others were
   * opened.
   */
  #assertCommittable({ key, logId, next }: CommittedEntry): void {
    const log = this.#keys.logs.opened(key);
    if (log === undefined || logIdText(log.logId) !== logId) throw noKey(this.#directory, key);
    if (next <= log.endOffset) return;
    throw new OffsetOutOfRangeError(next, log.startOffset, log.endOffset);
  }

  /** A log that its user closed may have been poisoned, and lose records when it is opened. */
  #isSettled(key: string): boolean {
    return this.#settled.has(key) && this.#keys.logs.opened(key)?.isOpen !== false;
  }

  /** Sees to it that nothing is committed past the end of a key's log. */
  async #settle(key: string): Promise<void> {
    const { logs } = this.#keys;
    this.#keys.assertOpen();
    if (!this.#keys.has(key)) return;
    if (!logs.isInUse(key)) {
      const metadata = await this.#keys.metadataOf(key);
      // Nobody has opened, deleted or made it meanwhile.
      const isCurrent = !logs.isInUse(key) && this.#keys.has(key);
      if (isCurrent && metadata?.clean === true) {
        const logId = logIdText(metadata.logId);
        if (this.#committed.areWithin(key, logId, metadata.end.endOffset)) {
          this.#settled.set(key, logId);
          return;
        }
      }
    }
    await this.#keys.existing(key);
  }
}
