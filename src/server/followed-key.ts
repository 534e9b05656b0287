import { OffsetOutOfRangeError } from "../errors.js";
import type { LogRecord } from "../format/record.js";
import { describe } from "../format/record-codec.js";
import type { CommitLog } from "../log/commit-log.js";
import type { ReadOptions } from "../log/read-options.js";
import type { LogStore } from "../store/log-store.js";
import { Start } from "../wire/generated/seglog/v1/log_service_pb.js";
import { generationOf, isCurrent, takenBack } from "./generation.js";

/** What a look at a followed key gave. */
export interface Look {
  readonly records: LogRecord[];
  /** Whether the place was moved past records, or back, because it is no longer in the log. */
  readonly isMoved: boolean;
  /** Of the log; 0 if there is no such key. */
  readonly endOffset: number;
}

/** The place of a stream in one key, which need not exist yet. */
export class FollowedKey {
  readonly key: string;
  readonly #store: LogStore;
  readonly #start: Start;
  #log: CommitLog | undefined;
  #epoch = 0;
  #nextOffset = 0;

  constructor(store: LogStore, key: string, start: Start) {
    this.#store = store;
    this.key = key;
    this.#start = start;
  }

  /** Offset of the next record, or above it where there is a hole. */
  get nextOffset(): number {
    return this.#nextOffset;
  }

  /** See `FollowResponse`. */
  get generation(): Uint8Array {
    return generationOf(this.#log);
  }

  /**
   * Goes to an offset, or where the start says if it is not in the log or there is none.
   *
   * @param generation - The {@link generation} in which the offset was told; empty if nobody knows.
   * @returns The end of the log.
   * @throws SeglogError `LOG_TRUNCATED` if the offset may name another record by now;
   *   OffsetOutOfRangeError if the start says so.
   */
  async begin(offset: number | undefined, generation: Uint8Array): Promise<number> {
    await this.#find();
    if (offset !== undefined && !isCurrent(generation, this.#log)) throw takenBack(this.key);
    const { startOffset, endOffset } = this.#bounds();
    const isThere = offset !== undefined && offset >= startOffset && offset <= endOffset;
    if (isThere) this.#nextOffset = offset;
    else this.#restart(offset);
    return endOffset;
  }

  /**
   * Reads what there is, if there is anything; {@link passed} goes on behind it.
   *
   * @throws SeglogError `LOG_TRUNCATED` if offsets may name other records than before;
   *   OffsetOutOfRangeError if the place is no longer in the log, and the start says so.
   */
  async look(limits: ReadOptions): Promise<Look> {
    await this.#find();
    const records = await this.#read(limits);
    this.#assertEpoch(this.#log);
    const { endOffset } = this.#bounds();
    if (records === undefined) return { records: [], isMoved: true, endOffset };
    return { records, isMoved: false, endOffset };
  }

  /** Goes on behind records of {@link look}. */
  passed(records: readonly LogRecord[]): void {
    const last = records[records.length - 1];
    if (last !== undefined) this.#nextOffset = last.offset + 1;
  }

  /** Resolves when there may be more to read. */
  async changed(signal: AbortSignal): Promise<void> {
    if (this.#log === undefined) await this.#store.made(this.key, signal);
    else await this.#log.changed(this.#nextOffset, signal);
  }

  /** @returns `undefined` if the place had to be moved. */
  async #read(limits: ReadOptions): Promise<LogRecord[] | undefined> {
    if (this.#log === undefined) return [];
    try {
      return await this.#log.readFrom(this.#nextOffset, limits);
    } catch (error) {
      if (!(error instanceof OffsetOutOfRangeError)) throw error;
      this.#restart(this.#nextOffset);
      return undefined;
    }
  }

  async #find(): Promise<void> {
    const log = await this.#store.existing(this.key);
    if (this.#log === undefined) this.#epoch = log?.epoch ?? 0;
    else this.#assertEpoch(log);
    this.#log = log;
  }

  /** @param log - The key's log as it is now; another one than before has other records. */
  #assertEpoch(log: CommitLog | undefined): void {
    if (this.#log === undefined || (log === this.#log && log.epoch === this.#epoch)) return;
    throw takenBack(this.key);
  }

  #bounds(): { readonly startOffset: number; readonly endOffset: number } {
    return this.#log ?? { startOffset: 0, endOffset: 0 };
  }

  #restart(offset: number | undefined): void {
    const { startOffset, endOffset } = this.#bounds();
    if (this.#start === Start.ERROR) {
      throw offset === undefined
        ? new OffsetOutOfRangeError(
            -1,
            startOffset,
            endOffset,
            `${describe(this.key)} has none committed`,
          )
        : new OffsetOutOfRangeError(offset, startOffset, endOffset);
    }
    this.#nextOffset = this.#start === Start.LATEST ? endOffset : startOffset;
  }
}
