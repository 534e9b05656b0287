import type { SeglogError } from "../errors.js";
import type { BlockProducer } from "../format/block-header.js";
import { encodeJournalKey, type JournaledProducer, journalName } from "../format/journal-key.js";
import type { PreparedRecord } from "../format/prepared-record.js";
import { encodedLength, type StructuredRecord } from "../format/record-codec.js";
import { AppendedBatch } from "./appended-batch.js";
import type { Journal } from "./journal.js";
import type { LogRun } from "./journal-index.js";
import { LogTail } from "./log-tail.js";

/** Longer appends go to the log's own segments at once: the sync is then the smaller part. */
const MOST_BYTES = 16 * 1024;

/** What a log does when something has become of its appends in the journal. */
export interface JournalingLog {
  readonly logId: Uint8Array;
  onJournaled(): void;
  onJournalFailed(error: SeglogError): void;
}

/** The side of the journal that one log sees: its appends there, and where its tail stands. */
export class JournaledAppends {
  readonly #journal: Journal;
  readonly #log: JournalingLog;
  readonly #name: string;
  readonly #maxPendingBytes: number;
  /** Appends that are not yet answered, their records and bytes. */
  #pending = 0;
  #pendingRecords = 0;
  #pendingBytes = 0;
  /** Set while appends that were to follow one that failed are yet to fail. */
  #isFailing = false;
  /** Who waits until there are none, if anybody does. */
  #waiting: (() => void)[] | undefined;
  #tail: LogTail | undefined;
  #endOffset: number;
  /** What the journal's index has of the log, once something was added. */
  #run: LogRun | undefined;

  /** @param segmentsEnd - End offset of the log's segments, with which the journal must meet. */
  constructor(journal: Journal, log: JournalingLog, segmentsEnd: number, maxPendingBytes: number) {
    this.#journal = journal;
    this.#log = log;
    this.#name = journalName(log.logId);
    this.#maxPendingBytes = maxPendingBytes;
    this.#endOffset = Math.max(segmentsEnd, journal.index.runOf(this.#name)?.endOffset ?? 0);
  }

  /** One past the last offset that is acknowledged, as far as the journal has it. */
  get endOffset(): number {
    return this.#endOffset;
  }

  get tail(): LogTail | undefined {
    const { view, index } = this.#journal;
    if (view !== undefined) {
      this.#tail ??= new LogTail(view, () => index.runOf(this.#name), this.#name);
    }
    return this.#tail;
  }

  /** Whether there is more of the log than its segments have. */
  hasTail(segmentsEnd: number): boolean {
    return this.#pending > 0 || this.#endOffset > segmentsEnd;
  }

  /** The tail, if some of it may be of producers. */
  get producersTail(): LogTail | undefined {
    return this.#journal.index.hasProducers(this.#name) ? this.tail : undefined;
  }

  /** Whether an append of so many bytes should go to the journal, and can at once. */
  mayTake(byteLength: number): boolean {
    if (this.#isFailing || byteLength > MOST_BYTES) return false;
    if (this.#pendingBytes + byteLength > this.#maxPendingBytes) return false;
    return this.#journal.mayTake(byteLength);
  }

  /** The offset that the next append gets. */
  get nextOffset(): number {
    return this.#endOffset + this.#pendingRecords;
  }

  /** Resolves with the record's offset when the journal is synced. */
  append(record: PreparedRecord, timestamp: number, producer?: BlockProducer): Promise<number> {
    const offset = this.nextOffset;
    const ofProducer = journaledProducer(producer, 0);
    // It is copied before the next one is made.
    const journaled = this.#journaled(record, offset, timestamp, ofProducer, true);
    const { byteLength } = journaled;
    return new Promise((resolve, reject) => {
      this.#journal.append(
        journaled,
        (place) => {
          this.#note(offset, place, timestamp, producer !== undefined);
          this.#acknowledge(offset + 1, 1, byteLength);
          resolve(offset);
        },
        (error) => reject(this.#failed(1, byteLength, error)),
      );
      this.#begin(1, byteLength);
    });
  }

  /**
   * As {@link append}, of a batch: all of it is stored or nothing.
   *
   * @param producer - The sequence is that of the first record.
   */
  async appendBatch(
    records: readonly PreparedRecord[],
    now: number,
    producer: BlockProducer | undefined,
  ): Promise<AppendedBatch> {
    const [first] = records;
    if (records.length === 1) {
      // It shares a block of the journal with other logs' records.
      const offset = await this.append(first!, first!.timestamp ?? now, producer);
      return new AppendedBatch(offset, offset);
    }
    const baseOffset = this.nextOffset;
    const journaled = records.map((record, index) => {
      const ofProducer = journaledProducer(producer, index);
      const timestamp = record.timestamp ?? now;
      return this.#journaled(record, baseOffset + index, timestamp, ofProducer, false);
    });
    const byteLength = journaled.reduce((sum, record) => sum + record.byteLength, 0);
    const count = records.length;
    return new Promise((resolve, reject) => {
      this.#journal.appendBatch(
        journaled,
        ({ baseOffset: place }) => {
          for (let index = 0; index < count; index++) {
            const { timestamp } = journaled[index]!;
            this.#note(baseOffset + index, place + index, timestamp!, producer !== undefined);
          }
          this.#acknowledge(baseOffset + count, count, byteLength);
          resolve(new AppendedBatch(baseOffset, baseOffset + count - 1));
        },
        (error) => reject(this.#failed(count, byteLength, error)),
      );
      this.#begin(count, byteLength);
    });
  }

  /** Resolves when no append of this log is on its way to the journal. */
  async drained(): Promise<void> {
    while (this.#pending > 0) {
      await new Promise<void>((resolve) => {
        this.#waiting ??= [];
        this.#waiting.push(resolve);
      });
    }
  }

  /** The segments end here now. */
  reach(segmentsEnd: number): void {
    this.#endOffset = Math.max(this.#endOffset, segmentsEnd);
  }

  /** The log was cut. */
  setEndOffset(endOffset: number): void {
    this.#endOffset = endOffset;
  }

  /** The log's own segments have what is below `endOffset`, on stable storage. */
  settled(endOffset: number): void {
    this.#journal.index.settled(this.#name, endOffset);
  }

  /** Before the log is cut: what the journal has of it must never come back. */
  mark(): Promise<void> {
    return this.#journal.mark(this.#log.logId, this.#name);
  }

  #journaled(
    record: PreparedRecord,
    offset: number,
    timestamp: number,
    producer: JournaledProducer | undefined,
    isCopiedAtOnce: boolean,
  ): PreparedRecord {
    const { value: bytes, parts } = record;
    const value = parts?.value ?? (typeof bytes === "string" ? Buffer.from(bytes) : bytes!);
    const key = encodeJournalKey(this.#name, offset, parts?.key, producer, isCopiedAtOnce);
    const headers = parts?.headers;
    const byteLength = encodedLength({ value, key, headers });
    const keyNamesProducer = producer !== undefined;
    const structured: StructuredRecord = {
      value,
      key,
      headers,
      timestamp,
      byteLength,
      keyNamesProducer,
    };
    return { value: undefined, parts: structured, byteLength, timestamp };
  }

  #note(offset: number, place: number, timestamp: number, isOfProducer: boolean): void {
    const { index } = this.#journal;
    if (this.#run === undefined || this.#run.isDropped) this.#run = index.runFor(this.#name);
    index.add(this.#run, offset, place, timestamp, isOfProducer);
  }

  #begin(records: number, byteLength: number): void {
    if (this.#pending === 0) this.#journal.beginWork();
    this.#pending++;
    this.#pendingRecords += records;
    this.#pendingBytes += byteLength;
  }

  #acknowledge(endOffset: number, records: number, byteLength: number): void {
    this.#endOffset = endOffset;
    this.#end(records, byteLength);
    this.#journal.hasGrown(byteLength);
    this.#log.onJournaled();
  }

  #failed(records: number, byteLength: number, error: SeglogError): SeglogError {
    this.#isFailing = true;
    this.#end(records, byteLength);
    if (error.code === "LOG_POISONED") this.#journal.doubt(this.#name, error);
    this.#log.onJournalFailed(error);
    return error;
  }

  #end(records: number, byteLength: number): void {
    this.#pending--;
    this.#pendingRecords -= records;
    this.#pendingBytes -= byteLength;
    if (this.#pending > 0) return;
    this.#isFailing = false;
    this.#journal.endWork();
    const waiting = this.#waiting;
    this.#waiting = undefined;
    if (waiting !== undefined) for (const wake of waiting) wake();
  }
}

/** What the record with this index in a batch says of its producer. */
function journaledProducer(
  producer: BlockProducer | undefined,
  index: number,
): JournaledProducer | undefined {
  if (producer === undefined) return undefined;
  const { id, epoch, sequence } = producer;
  return { id, epoch, sequence: sequence + index, goesOn: index > 0 };
}
