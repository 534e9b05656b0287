import { setImmediate as nextTurn } from "node:timers/promises";
import { SeglogError } from "../errors.js";
import { decodeJournalKey, encodeJournalMark, journalName } from "../format/journal-key.js";
import type { TruncationBound } from "../format/log-metadata.js";
import type { PreparedRecord } from "../format/prepared-record.js";
import type { RecordInput } from "../format/record.js";
import type { AppendQueue } from "./append-queue.js";
import type { AppendedBatch } from "./appended-batch.js";
import type { LogEnvironment } from "./environment.js";
import { type GatheredTail, PRODUCERS_BATCH_BYTES } from "./gathered-tail.js";
import { JournalIndex } from "./journal-index.js";
import { type Gathering, gatherTails } from "./journal-pass.js";
import { journaledBehindTruncation, missingBeforeJournal } from "./log-tail.js";
import type { LogView } from "./log-view.js";
import type { RecordBatch } from "./record-batch.js";

/** Up to so many times the length at which it is settled, appends go to the journal. */
const MOST_LENGTHS = 4;
/** How much memory the tails of logs may take on the way to their segments. */
const GATHERED_BYTES = 48 * 1024 * 1024;
/** Of the memory, what records may fill: buffers double when they are too short. */
const FILLED_SHARE = 1 / 2;
/** What the shortest tail takes, about. */
const TAIL_BYTES = 4 * 1024;
/** Logs that are settled together: enough for the disk to work on several syncs. */
const SETTLING_AT_A_TIME = 8;

/** The log that a journal is. */
export interface JournalLog {
  readonly startOffset: number;
  readonly endOffset: number;
  append(record: RecordInput): Promise<number>;
  batches(): AsyncIterable<RecordBatch>;
  deleteBefore(offset: number): Promise<void>;
  close(): Promise<void>;
}

/** A log of the store that is open. */
export interface JournalMember {
  readonly queue: AppendQueue;
  gatherTail(endOffset: number): GatheredTail;
  settleGathered(gathered: GatheredTail): Promise<boolean>;
  settle(): Promise<void>;
}

/** What the store does for its journal. */
export interface JournalOwner {
  /** Makes or opens the journal's log. */
  open(): Promise<{
    readonly log: JournalLog;
    readonly view: LogView;
    readonly queue: AppendQueue;
  }>;
  /**
   * Opens those of the logs named that there are.
   *
   * @returns The names of those that are no more.
   */
  openLogs(names: ReadonlySet<string>): Promise<ReadonlySet<string>>;
  onError(error: SeglogError): void;
}

/**
 * The journal that the logs of a store share. While many of them take appends at once, a record is
 * written here first, and acknowledged when that is synced: one sync for all logs instead of one
 * for each. Later, much of it at a time, it goes to the log's own segments; a crash in between
 * loses nothing, for a log that is opened finds here what its segments lack.
 */
export class Journal {
  readonly index = new JournalIndex();
  readonly #environment: Pick<LogEnvironment, "journalFrom" | "settleBytes">;
  readonly #owner: JournalOwner;
  readonly #members = new Map<string, JournalMember>();
  #log: JournalLog | undefined;
  /** Set once the journal is open and all that it holds is known. */
  #view: LogView | undefined;
  #queue: AppendQueue | undefined;
  #opening: Promise<void> | undefined;
  /** Tried again after the next moment without any work. */
  #hasFailedToOpen = false;
  /** Logs that have appends on their way, here or to their own segments. */
  #working = 0;
  /** The most of them since there were none, and the time before. */
  #most = 0;
  #mostBefore = 0;
  /** About how much stands here. */
  #heldBytes = 0;
  /** What was added, or would have been were there room, since it was last tried to settle that. */
  #grownBytes = 0;
  #isClosing = false;
  #settling: Promise<void> | undefined;
  /** Logs with appends of which nobody knows whether they stand here, and why. */
  readonly #doubtful = new Map<string, SeglogError>();

  constructor(
    environment: Pick<LogEnvironment, "journalFrom" | "settleBytes">,
    owner: JournalOwner,
  ) {
    this.#environment = environment;
    this.#owner = owner;
  }

  /** The journal as it is read, once there is one. */
  get view(): LogView | undefined {
    return this.#view;
  }

  /** Makes the journal, or opens the one that is there and finds out what it holds. */
  async open(): Promise<void> {
    const { log, view, queue } = await this.#owner.open();
    this.#log = log;
    for await (const batch of log.batches()) {
      for (const { key: bytes, offset: place, timestamp, value, headers = [] } of batch) {
        const key = decodeJournalKey(bytes);
        if (key === undefined) continue;
        if (key.isMark) this.index.forget(key.log);
        else {
          const run = this.index.runFor(key.log);
          this.index.add(run, key.offset, place, timestamp, key.producer !== undefined);
        }
        this.#heldBytes += bytes!.length + value.length;
        for (const [name, content] of headers) this.#heldBytes += name.length + content.length;
      }
    }
    this.#grownBytes = this.#heldBytes;
    this.#view = view;
    this.#queue = queue;
  }

  /**
   * Judges, when a log is opened, what stands here of it.
   *
   * @param segmentsEnd - End offset of its segments.
   * @returns The latest timestamp of its records here.
   * @throws CorruptionError if records between the segments and what stands here are missing;
   *   `LOG_POISONED` if it is not known what stands here.
   */
  judge(directory: string, logId: Uint8Array, segmentsEnd: number): number {
    const name = journalName(logId);
    const cause = this.#doubtful.get(name);
    if (cause !== undefined) {
      throw new SeglogError(
        "LOG_POISONED",
        `${directory}: it is not known which of its last appends the store's journal holds. ` +
          "Close the store and open it again.",
        { cause },
      );
    }
    const run = this.index.runOf(name);
    if (run !== undefined && run.firstOffset > segmentsEnd) {
      throw missingBeforeJournal(directory, segmentsEnd);
    }
    // What the segments have, they tell themselves.
    return run !== undefined && run.endOffset > segmentsEnd ? this.index.maxTimestampOf(name) : 0;
  }

  /**
   * Judges, before an interrupted truncation of a log is carried out, what stands here of it. After
   * that, records that it cut off could not be told from those that came behind it.
   *
   * @throws CorruptionError if it has records that the truncation cuts off.
   */
  judgeTruncation(directory: string, logId: Uint8Array, { offset }: TruncationBound): void {
    const run = this.index.runOf(journalName(logId));
    if (run !== undefined && run.endOffset > offset) {
      throw journaledBehindTruncation(directory, offset);
    }
  }

  /** Resolves when what was on its way here when this was called is done. */
  async passed(): Promise<void> {
    await this.#queue?.passed();
  }

  /** Nobody knows whether the last appends of a log stand here. */
  doubt(log: string, cause: SeglogError): void {
    this.#doubtful.set(log, cause);
  }

  join(log: string, member: JournalMember): void {
    this.#members.set(log, member);
  }

  leave(log: string, member: JournalMember): void {
    if (this.#members.get(log) === member) this.#members.delete(log);
  }

  /** A log begins to have appends on their way. */
  beginWork(): void {
    this.#working++;
    this.#most = Math.max(this.#most, this.#working);
  }

  endWork(): void {
    this.#working--;
    if (this.#working > 0) return;
    this.#mostBefore = this.#most;
    this.#most = 0;
    if (this.#hasFailedToOpen) this.#opening = undefined;
    this.#hasFailedToOpen = false;
  }

  /** Whether an append should go here, for so many others are on their way, and there is room. */
  mayTake(byteLength: number): boolean {
    const { journalFrom, settleBytes } = this.#environment;
    if (Math.max(this.#working, this.#mostBefore) < journalFrom) return false;
    if (this.#heldBytes > MOST_LENGTHS * settleBytes) {
      this.#grow(byteLength);
      return false;
    }
    if (this.#queue !== undefined) return this.#queue.hasRoomFor(byteLength);
    this.#opening ??= this.#openBeside();
    return false;
  }

  /** Tells the record's place in the journal when it is synced. */
  append(
    record: PreparedRecord,
    resolve: (place: number) => void,
    reject: (error: SeglogError) => void,
  ): void {
    this.#queue!.add(record, resolve, reject);
  }

  /** As {@link append}; all of them are stored or none. */
  appendBatch(
    records: readonly PreparedRecord[],
    resolve: (places: AppendedBatch) => void,
    reject: (error: SeglogError) => void,
  ): void {
    this.#queue!.addBatch(records, resolve, reject);
  }

  /** So many bytes were added. */
  hasGrown(byteLength: number): void {
    this.#heldBytes += byteLength;
    this.#grow(byteLength);
  }

  /**
   * Notes, durably, that what the journal holds of a log no longer counts: its segments have it,
   * and are about to lose some of it.
   */
  async mark(logId: Uint8Array, log: string): Promise<void> {
    if (this.index.runOf(log) === undefined) return;
    await this.#log!.append({ value: "", key: encodeJournalMark(logId) });
    this.index.forget(log);
  }

  /**
   * Moves what stands here now to the segments of its logs, synced, and frees the space. What some
   * log cannot take stays, with all that stands behind it.
   *
   * @throws The first failure.
   */
  settle(): Promise<void> {
    this.#settling ??= this.#settle().finally(() => {
      this.#settling = undefined;
    });
    return this.#settling;
  }

  /** For the store that is about to close its logs, each of which settles what it has here. */
  prepareToClose(): void {
    this.#isClosing = true;
  }

  async close(): Promise<void> {
    await this.#opening;
    await this.#settling?.catch(() => undefined);
    if (this.#log === undefined) return;
    try {
      // Not before all that it holds is known.
      if (this.#view !== undefined) await this.#trim(this.#log, this.#log.endOffset);
    } catch (error) {
      // Nothing depends on it: what stands there twice is there the next time.
      this.#owner.onError(error as SeglogError);
    }
    await this.#log.close();
  }

  #grow(byteLength: number): void {
    this.#grownBytes += byteLength;
    if (this.#grownBytes < this.#environment.settleBytes) return;
    if (this.#settling !== undefined || this.#isClosing) return;
    this.settle().catch((error) => {
      // At the close, whoever closes is told.
      if (!this.#isClosing) this.#owner.onError(error as SeglogError);
    });
  }

  /** Makes the journal while logs still write to their own segments; tried again if it fails. */
  async #openBeside(): Promise<void> {
    try {
      await this.open();
    } catch (error) {
      this.#owner.onError(error as SeglogError);
      await this.#log?.close().catch(() => undefined);
      this.#log = undefined;
      this.#hasFailedToOpen = true;
    }
  }

  async #settle(): Promise<void> {
    const log = this.#log;
    if (log === undefined) return;
    this.#grownBytes = 0;
    const end = this.index.endPlace;
    const absent = new Set<string>();
    for (const name of this.index.unsettled()) if (!this.#members.has(name)) absent.add(name);
    const failures: unknown[] = [];
    if (absent.size > 0) {
      const gone = await this.#owner.openLogs(absent).catch((error) => {
        failures.push(error);
        return [];
      });
      for (const name of gone) this.index.forget(name);
    }
    // It may have begun amid the answers to appends, which go first.
    await nextTurn();
    for (const names of this.#portions()) {
      const gathered = await this.#gather(names);
      const rest = names.values();
      const settleSome = async () => {
        for (const name of rest) {
          await this.#settleLog(name, gathered.get(name)).catch((error) => failures.push(error));
        }
      };
      await Promise.all(Array.from({ length: SETTLING_AT_A_TIME }, settleSome));
    }
    await this.#trim(log, end);
    if (failures.length > 0) throw failures[0];
  }

  /** One that is being closed settles by itself; one that is not open stays as it is. */
  async #settleLog(name: string, gathered: GatheredTail | undefined): Promise<void> {
    const member = this.#members.get(name);
    if (member === undefined) return;
    const { queue } = member;
    const isDone =
      gathered !== undefined && (await queue.silent(() => member.settleGathered(gathered)));
    if (!isDone) await queue.exclusive(() => member.settle());
  }

  /** The logs that have something here, in portions of which memory can hold all. */
  #portions(): string[][] {
    const { startOffset, endOffset } = this.#log!;
    const recordBytes = this.#heldBytes / Math.max(endOffset - startOffset, 1);
    const portions: string[][] = [];
    let portionBytes = Number.POSITIVE_INFINITY;
    for (const name of this.index.unsettled()) {
      const batchBytes = this.index.hasProducers(name) ? PRODUCERS_BATCH_BYTES : 0;
      const bytes = TAIL_BYTES + this.index.unsettledCount(name) * (recordBytes + batchBytes);
      if (portionBytes + bytes > GATHERED_BYTES * FILLED_SHARE) {
        portions.push([]);
        portionBytes = 0;
      }
      portions.at(-1)!.push(name);
      portionBytes += bytes;
    }
    return portions;
  }

  /** What stands here of the logs that are open. */
  async #gather(names: readonly string[]): Promise<ReadonlyMap<string, GatheredTail>> {
    const gatherings = names.flatMap((log): Gathering[] => {
      const run = this.index.runOf(log);
      const member = this.#members.get(log);
      if (run === undefined || member === undefined) return [];
      return [{ log, run, tail: member.gatherTail(run.endOffset) }];
    });
    await gatherTails(this.#view!, gatherings, GATHERED_BYTES).catch((error) => {
      // What cannot be read is told to the log that needs it.
      if (!(error instanceof SeglogError)) throw error;
    });
    return new Map(gatherings.map(({ log, tail }) => [log, tail]));
  }

  /** Frees what stands before `end` and before all that segments may lack. */
  async #trim(log: JournalLog, end: number): Promise<void> {
    const unneeded = Math.min(end, this.index.firstUnsettledPlace());
    const { startOffset, endOffset } = log;
    if (unneeded <= startOffset) return;
    const freedBytes = (this.#heldBytes * (unneeded - startOffset)) / (endOffset - startOffset);
    // First there, then here: a log that is truncated meanwhile must still find that it was here.
    await log.deleteBefore(unneeded);
    this.index.dropBefore(unneeded);
    this.#heldBytes -= freedBytes;
  }
}
