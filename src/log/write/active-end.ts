import type { OpenFile } from "../../files/file-system.js";
import { runSteps } from "../../files/steps.js";
import { writeFully, writeFullySync } from "../../files/whole-file.js";
import type { LogEnd } from "../../format/log-metadata.js";
import type { Segment } from "../../segment/segment.js";
import type { SegmentIndex } from "../../segment/segment-index.js";
import { roomBehind, zerosOf } from "../directory/room.js";
import type { LogEnvironment } from "../environment.js";
import type { ResolvedLogOptions } from "../options.js";
import { AcknowledgedBatch, type PendingBatch } from "../queue/pending.js";
import { assertNumbersLast, pieces, type StampedRun, stampRun } from "../queue/stamping.js";
import { isRetryable, type LogFailures } from "./log-failures.js";

/** An index entry holds offsets relative to its segment in 32 bits. */
const MAX_RELATIVE_OFFSET = 2 ** 32 - 1;

/** What the end of a log needs to know of the log. */
export interface EndedLog {
  /** The segment that it is in. */
  readonly active: Segment;
  /** The index of that, which covers all that was written. */
  activeIndex(): SegmentIndex | Promise<SegmentIndex>;
  /** The latest that the clock gave. */
  readonly latestTimestamp: number;
}

/**
 * The end of a log that is open for writing: gives batches their places behind it, writes them to
 * the active segment, makes room behind them, and syncs.
 */
export class ActiveEnd {
  readonly #environment: LogEnvironment;
  readonly #options: ResolvedLogOptions;
  readonly #log: EndedLog;
  readonly #failures: LogFailures;
  #written: LogEnd;
  #durable: LogEnd;
  /** Where the log ends when the write that is on its way is done. */
  #writing: LogEnd;
  /** What is to be written after that. */
  #next: StampedRun | undefined;
  /** Where the room behind the end of the active segment ends; 0 if there is none. */
  #roomEnd = 0;
  /** How much room was made the last time. */
  #roomBytes = 0;
  /** Set when there was no space for it; a new segment tries again. */
  #isRoomRefused = false;
  /**
   * When the active segment got its first record, by the clock; of one with records from an earlier
   * session, when it was made.
   */
  #activeSince: number | undefined;
  /** Set while the next segment's file may be there and the log has not gone on to it. */
  mustRollFirst = false;
  /** One sync after the other: of two at a time, only one is told of a failure. */
  #syncing: Promise<void> = Promise.resolve();
  #isSyncingAhead = false;

  /** @param activeSince - See {@link #activeSince}. */
  constructor(
    environment: LogEnvironment,
    options: ResolvedLogOptions,
    log: EndedLog,
    failures: LogFailures,
    end: LogEnd,
    activeSince: number,
  ) {
    this.#environment = environment;
    this.#options = options;
    this.#log = log;
    this.#failures = failures;
    this.#written = end;
    this.#durable = end;
    this.#writing = end;
    this.#activeSince = end.lastBlockPosition === 0 ? undefined : activeSince;
  }

  /** Where the next batch goes. */
  get written(): LogEnd {
    return this.#written;
  }

  /** What the last sync covered. */
  get durable(): LogEnd {
    return this.#durable;
  }

  /** The log goes on in a segment that has no block yet. */
  enter(end: LogEnd): void {
    this.#roomEnd = 0;
    this.#isRoomRefused = false;
    this.mustRollFirst = false;
    this.#written = end;
    this.#durable = end;
    this.#activeSince = undefined;
  }

  /** Nothing of what was prepared will be written. */
  dropPrepared(): void {
    this.#next = undefined;
  }

  /** Whether the log has to go on in another segment before this batch is written. */
  mustRoll(batch: PendingBatch): boolean {
    if (this.#written.lastBlockPosition === 0) return false;
    if (this.mustRollFirst || this.isActiveAged()) return true;
    return !this.#fits(this.#written.endPosition, this.#written.endOffset, batch);
  }

  #fits(endPosition: number, endOffset: number, batch: PendingBatch): boolean {
    const relativeOffset = endOffset + batch.recordCount - this.#written.activeBaseOffset;
    return (
      endPosition + batch.end - batch.start <= this.#options.segmentBytes &&
      relativeOffset <= MAX_RELATIVE_OFFSET
    );
  }

  /** Whether the active segment has its first record for `segmentMs`. */
  isActiveAged(): boolean {
    const { segmentMs } = this.#options;
    if (segmentMs === Number.POSITIVE_INFINITY || this.#activeSince === undefined) return false;
    return this.#environment.now() - this.#activeSince >= segmentMs;
  }

  /** The batches from `first` on that go together behind `end`; at least one. */
  takeRun(
    batches: readonly PendingBatch[],
    first: number,
    end: LogEnd = this.#written,
  ): PendingBatch[] {
    const run = [batches[first]!];
    let position = end.endPosition + run[0]!.end - run[0]!.start;
    let offset = end.endOffset + run[0]!.recordCount;
    for (const batch of batches.slice(first + 1)) {
      if (!this.#fits(position, offset, batch)) break;
      run.push(batch);
      position += batch.end - batch.start;
      offset += batch.recordCount;
    }
    return run;
  }

  /** Gives complete batches their places behind what is being written, as far as that is known. */
  prepareNext(batches: readonly PendingBatch[]): void {
    const blockSeed = this.#log.active.knownHeader?.blockSeed;
    if (blockSeed === undefined || batches.length === 0) return;
    this.#next = this.#stamp(this.takeRun(batches, 0, this.#writing), this.#writing, blockSeed);
  }

  /** The batches with their places behind what is written, given to them just now if need be. */
  #stamped(run: readonly PendingBatch[], blockSeed: number): StampedRun {
    const next = this.#next;
    this.#next = undefined;
    const isNext =
      next?.before === this.#written &&
      // Else they would vouch for less than they can.
      next.durableEndOffset === this.#durable.endOffset &&
      next.batches.length === run.length &&
      run.every((batch, index) => batch === next.batches[index]);
    return isNext ? next : this.#stamp(run, this.#written, blockSeed);
  }

  #stamp(run: readonly PendingBatch[], before: LogEnd, blockSeed: number): StampedRun {
    const durableEndOffset = this.#durable.endOffset;
    return stampRun(run, before, {
      durableEndOffset,
      blockSeed,
      maxTimestamp: this.#log.latestTimestamp,
    });
  }

  /** Writes batches at the end of the active segment, or leaves the file as it was. */
  async write(run: readonly PendingBatch[]): Promise<void> {
    const active = this.#log.active;
    const loading = this.#log.activeIndex();
    const index = loading instanceof Promise ? await loading : loading;
    const header = active.knownHeader ?? (await runSteps(active.header()));
    const stamped = this.#stamped(run, header.blockSeed);
    assertNumbersLast(stamped);
    const { blocks, before, after } = stamped;
    const file = active.file.acquireOpen() ?? (await active.file.acquire());
    try {
      active.file.hasUnsyncedWrites = true;
      this.#writing = after;
      if (this.#needsRoom(after.endPosition, run)) {
        await this.#makeRoom(file, before.endPosition, after.endPosition);
      }
      let position = before.endPosition;
      for (const bytes of pieces(run)) {
        // Nothing on this way waits for a turn unless it has to.
        if (bytes.length <= this.#environment.smallWriteBytes) {
          writeFullySync(file, bytes, position);
        } else {
          await writeFully(file, bytes, position);
        }
        position += bytes.length;
      }
    } catch (error) {
      await this.#cut(file, before.endPosition, error);
      throw error;
    } finally {
      // Said again: a sync for the pool may have begun before the write and ended during it.
      active.file.hasUnsyncedWrites = true;
      active.file.release();
    }
    for (const block of blocks) index.add(block, this.#options.indexIntervalBytes);
    this.#environment.indexCache.touch(active);
    this.#activeSince ??= this.#environment.now();
    this.#written = after;
  }

  #needsRoom(end: number, run: readonly PendingBatch[]): boolean {
    return (
      this.#options.durability === "always" &&
      end > this.#roomEnd &&
      !this.#isRoomRefused &&
      // What comes from the journal alone may be the last for long, and nobody waits for its sync.
      !(run.at(-1) instanceof AcknowledgedBatch)
    );
  }

  /**
   * Makes room behind the group in [start, end) of the active segment, if so short a one should have
   * some; it becomes durable with the group. Where there is no space for it, the group goes without.
   */
  async #makeRoom(file: OpenFile, start: number, end: number): Promise<void> {
    const { segmentBytes } = this.#options;
    const byteLength = roomBehind(start, end, this.#roomBytes, segmentBytes, this.#environment);
    if (byteLength === 0) return;
    this.#roomEnd = end + byteLength;
    this.#roomBytes = byteLength;
    try {
      await writeFully(file, zerosOf(byteLength), end);
    } catch (error) {
      await this.#cut(file, start, error);
      this.#isRoomRefused = true;
    }
  }

  /**
   * Before the active segment is sealed, or the log closed: takes back what room is left. A sync
   * must follow.
   */
  async takeRoomBack(): Promise<void> {
    const end = this.#written.endPosition;
    if (this.#roomEnd <= end) return;
    const { file: handle } = this.#log.active;
    const file = await handle.acquire();
    try {
      handle.hasUnsyncedWrites = true;
      await file.truncate(end);
    } finally {
      // Said again: a sync for the pool may have begun before the cut and ended during it.
      handle.hasUnsyncedWrites = true;
      handle.release();
    }
    this.#roomEnd = 0;
  }

  /**
   * After a failed write: a full disk is no reason to give the log up, if the file can be cut. That
   * is synced: what is refused must not be there after a power cut, least of all in the journal,
   * where the log may never write again.
   */
  async #cut(file: OpenFile, endPosition: number, error: unknown): Promise<void> {
    if (!isRetryable(error)) throw this.#failures.poisonWith(error);
    this.#roomEnd = 0;
    try {
      await file.truncate(endPosition);
      await file.datasync();
    } catch (second) {
      throw this.#failures.poisonWith(second);
    }
  }

  /** Puts everything written on stable storage, or poisons the log. */
  sync(): Promise<void> {
    const run = this.#syncing.then(() => this.#syncNow());
    this.#syncing = run.catch(() => undefined);
    return run;
  }

  async #syncNow(): Promise<void> {
    this.#failures.assertSound();
    const end = this.#written;
    const { file: handle } = this.#log.active;
    if (end === this.#durable && !handle.hasUnsyncedWrites) return;
    const file = await handle.acquire();
    try {
      handle.hasUnsyncedWrites = false;
      await file.datasync();
    } catch (error) {
      throw this.#failures.poisonWith(error);
    } finally {
      handle.release();
    }
    this.#durable = end;
  }

  /**
   * Begins to sync, when that has become much, what was acknowledged before it was synced: else
   * going on to the next segment would have to wait for all of this one.
   */
  syncAhead(): void {
    this.#failures.assertSound();
    const unsyncedBytes = this.#written.endPosition - this.#durable.endPosition;
    if (this.#isSyncingAhead || unsyncedBytes < this.#environment.syncAheadBytes) return;
    this.#isSyncingAhead = true;
    this.sync()
      .catch((error) => this.#options.onError(this.#failures.judge(error)))
      .finally(() => {
        this.#isSyncingAhead = false;
      });
  }

  /** For the pool, which is about to close the idle handle of the active segment. */
  async syncInBackground(): Promise<void> {
    const { file } = this.#log.active;
    try {
      file.hasUnsyncedWrites = true;
      await this.sync();
    } catch (error) {
      // The log is poisoned: no sync will ever tell more of this file, so it may be closed.
      file.hasUnsyncedWrites = false;
      this.#options.onError(this.#failures.judge(error));
    }
  }
}
