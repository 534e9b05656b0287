import { setImmediate as nextTurn } from "node:timers/promises";
import { CorruptionError, OffsetOutOfRangeError, SeglogError } from "../errors.js";
import { isHandleShortage } from "../files/file-errors.js";
import type { OpenFile } from "../files/file-system.js";
import { runSteps, runStepsEagerly } from "../files/steps.js";
import { writeFully, writeFullySync } from "../files/whole-file.js";
import type { BlockProducer } from "../format/block-header.js";
import { journalName } from "../format/journal-key.js";
import { type LogEnd, type LogMetadata, revise } from "../format/log-metadata.js";
import { prepare } from "../format/prepared-record.js";
import type { ProducerState } from "../format/producer-snapshot.js";
import type { RecordInput } from "../format/record.js";
import { loadedIndex, saveIndex } from "../segment/index-loading.js";
import { Segment } from "../segment/segment.js";
import type { SegmentIndex } from "../segment/segment-index.js";
import { AppendQueue, type QueueOwner } from "./append-queue.js";
import type { AppendedBatch } from "./appended-batch.js";
import type { BlockCache } from "./block-cache.js";
import type { BufferPool } from "./buffer-pool.js";
import { Changes } from "./changes.js";
import type { LogEnvironment } from "./environment.js";
import { epochAfter } from "./epoch.js";
import { GatheredTail } from "./gathered-tail.js";
import type { IndexCache } from "./index-cache.js";
import type { Journal } from "./journal.js";
import { JournaledAppends } from "./journaled-appends.js";
import { LogClock } from "./log-clock.js";
import { createSegmentFile, writeMetadata } from "./log-files.js";
import { assertFollowed } from "./log-reader.js";
import type { LogTail } from "./log-tail.js";
import type { LogView } from "./log-view.js";
import type { ResolvedLogOptions } from "./options.js";
import { judgeOvertaken } from "./overtaken.js";
import { AcknowledgedBatch, type PendingBatch, PendingGroup } from "./pending.js";
import { type OpenedEpoch, Producers, type Repetition } from "./producers.js";
import type { RecoveredLog } from "./recovery.js";
import { countExpired } from "./retention.js";
import { RetentionClock } from "./retention-clock.js";
import { roomBehind, zerosOf } from "./room.js";
import { removeSegment } from "./segment-removal.js";
import { segmentIndexOf } from "./segment-search.js";
import { assertNumbersLast, pieces, type StampedRun, stampRun } from "./stamping.js";
import { TailPiece } from "./tail-piece.js";
import { applyTruncation, assertSoundBelow, type TruncationTarget } from "./truncation.js";
import type { PublishedSlots } from "./writer-session.js";

/** An index entry holds offsets relative to its segment in 32 bits. */
const MAX_RELATIVE_OFFSET = 2 ** 32 - 1;
/** Larger batches go to the segments at once. */
const MOST_JOURNALED = 64;
/** So many records are read from the journal, one by one, before something else gets a turn. */
const TAIL_TURN_RECORDS = 200;
/** How often a log with time limits looks at them while nothing is appended. */
const LEAST_UPKEEP_MS = 50;
const MOST_UPKEEP_MS = 60_000;

/** Everything that a log open for writing is made of. */
export interface LogWriterParts {
  readonly environment: LogEnvironment;
  readonly directory: string;
  readonly options: ResolvedLogOptions;
  readonly recovered: RecoveredLog;
  readonly published: PublishedSlots;
  readonly bootId: Uint8Array;
  /** Called after a truncation, before the next append is taken. */
  readonly onTruncated: ((endOffset: number) => Promise<void>) | undefined;
  /** That of the store which the log belongs to. */
  readonly journal: Journal | undefined;
  /** Tells which producers were replaced by later ones. */
  readonly openedEpoch: OpenedEpoch;
  /**
   * Whether the records belong to many logs, each of which goes on in its own segments after one is
   * refused: then all that were accepted behind that one are refused with it.
   */
  readonly isJournal: boolean;
}

/**
 * The writing side of a log: owns the end of the active segment, decides when it is on stable
 * storage, and only then lets readers see it and callers know it.
 *
 * It keeps three ends. `written` is where the next batch goes; `durable` is what the last sync
 * covered; the published one is what readers see: durable under `"always"`, else written.
 */
export class LogWriter implements LogView, QueueOwner {
  readonly directory: string;
  readonly options: ResolvedLogOptions;
  readonly queue: AppendQueue;
  readonly #environment: LogEnvironment;
  readonly #slots: PublishedSlots;
  readonly #bootId: Uint8Array;
  readonly #onTruncated: LogWriterParts["onTruncated"];
  readonly #journal: Journal | undefined;
  readonly #journaled: JournaledAppends | undefined;
  readonly #producers: Producers;
  #poison: SeglogError | undefined;
  readonly #isJournal: boolean;
  readonly #clock: LogClock;
  readonly #retentionClock: RetentionClock;
  readonly #changes = new Changes();
  #metadata: LogMetadata;
  #segments: readonly Segment[];
  /** Segments that were made and, if something failed, never became part of the log. */
  #unentered: Segment[] = [];
  /** Segments before the start, the oldest first, whose files are yet to be removed. */
  #deleted: Segment[] = [];
  #written: LogEnd;
  #durable: LogEnd;
  #published: LogEnd;
  /** Where the log ends when the write that is on its way is done. */
  #writing: LogEnd;
  /** What is to be written after that. */
  #next: StampedRun | undefined;
  /** Of `log.meta` when this opened the log. */
  readonly #openedRevision: number;
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
  #rollBegun = false;
  /** Whether a segment was sealed since retention last looked. */
  #rolled = true;
  #closed: SeglogError | undefined;
  /** One sync after the other: of two at a time, only one is told of a failure. */
  #syncing: Promise<void> = Promise.resolve();
  #isSyncingAhead = false;
  /** Why the last commit failed, if it did. */
  #failure: SeglogError | undefined;
  /** Indexes that readers had to build are saved beside everything else, but not after the close. */
  #savingIndexes: Promise<void> = Promise.resolve();
  #flushTimer: NodeJS.Timeout | undefined;
  #upkeepTimer: NodeJS.Timeout | undefined;

  constructor(parts: LogWriterParts) {
    const { environment, recovered } = parts;
    this.#environment = environment;
    this.directory = parts.directory;
    this.options = parts.options;
    this.#slots = parts.published;
    this.#bootId = parts.bootId;
    this.#onTruncated = parts.onTruncated;
    this.#metadata = recovered.metadata;
    this.#openedRevision = recovered.metadata.revision;
    this.#segments = recovered.segments;
    const { openedEpoch } = parts;
    this.#producers = new Producers(environment, this, openedEpoch, parts.options.onError);
    this.#written = recovered.end;
    this.#durable = recovered.end;
    this.#published = recovered.end;
    this.#writing = recovered.end;
    const { maxClockStepMs, onError } = parts.options;
    const { maxTimestamp } = recovered.end;
    const { now, monotonicNow } = environment;
    this.#retentionClock = new RetentionClock(now, monotonicNow, maxClockStepMs);
    this.#clock = new LogClock(now, maxTimestamp, parts.directory, maxClockStepMs, onError);
    this.#activeSince =
      recovered.end.lastBlockPosition === 0 ? undefined : recovered.activeCreatedAt;
    this.#isJournal = parts.isJournal;
    this.#journal = parts.journal;
    this.queue = new AppendQueue(this);
    if (parts.journal !== undefined) {
      const { maxPendingBytes } = parts.options;
      const { endOffset } = recovered.end;
      this.#journaled = new JournaledAppends(parts.journal, this, endOffset, maxPendingBytes);
      parts.journal.join(journalName(this.logId), this);
    }
    for (const segment of this.#segments) this.#adopt(segment);
    this.#adoptActive();
    this.#tellReaders();
    this.#scheduleUpkeep();
  }

  get startOffset(): number {
    return this.#metadata.startOffset;
  }

  get endOffset(): number {
    return Math.max(this.#published.endOffset, this.#journaled?.endOffset ?? 0);
  }

  get segmentsEndOffset(): number {
    return this.#published.endOffset;
  }

  get tail(): LogTail | undefined {
    return this.#journaled?.tail;
  }

  get epoch(): number {
    return this.#metadata.epoch;
  }

  get logId(): Uint8Array {
    return this.#metadata.logId;
  }

  get segments(): readonly Segment[] {
    return this.#segments;
  }

  get endPosition(): number {
    return this.#published.endPosition;
  }

  get indexCache(): IndexCache {
    return this.#environment.indexCache;
  }

  get blockCache(): BlockCache {
    return this.#environment.blockCache;
  }

  get buffers(): BufferPool {
    return this.#environment.buffers;
  }

  assertOpen(): void {
    if (this.#closed !== undefined) throw this.#closed;
  }

  /** A log that lacks records is not opened for writing. */
  assertWhole(): void {}

  /** A writer knows its own end. */
  refresh(): Promise<void> {
    return Promise.resolve();
  }

  changed(seen: number, signal: AbortSignal | undefined): Promise<void> {
    if (this.endOffset !== seen || this.#closed !== undefined) return Promise.resolve();
    return this.#changes.next(signal);
  }

  overtaken(offset: number, epoch: number): Promise<SeglogError | undefined> {
    return Promise.resolve(judgeOvertaken(this, offset, epoch));
  }

  timestamp(): number {
    return this.#clock.timestamp();
  }

  /** See `CommitLog.append`. */
  append(
    record: RecordInput,
    signal: AbortSignal | undefined,
    producer: BlockProducer | undefined,
  ): Promise<number> {
    if (!this.#mayJournal() || !this.#isKnownToFollow(producer, 1)) {
      return producer === undefined
        ? this.queue.append(record, signal)
        : this.queue.appendBatch([record], signal, producer).then(firstOffset);
    }
    const prepared = prepare(record);
    if (!this.#mayTake(prepared.byteLength, this.options.maxRecordBytes)) {
      return producer === undefined
        ? this.queue.appendPrepared(prepared, signal)
        : this.queue.appendPreparedBatch([prepared], signal, producer).then(firstOffset);
    }
    const journaled = this.#journaledFor(producer, 1);
    return journaled.append(prepared, prepared.timestamp ?? this.timestamp(), producer);
  }

  /** See `CommitLog.appendBatch`. */
  appendBatch(
    records: readonly RecordInput[],
    signal: AbortSignal | undefined,
    producer: BlockProducer | undefined,
  ): Promise<AppendedBatch> {
    const { length } = records;
    const isFew = length > 0 && length <= MOST_JOURNALED;
    if (!isFew || !this.#mayJournal() || !this.#isKnownToFollow(producer, length)) {
      return this.queue.appendBatch(records, signal, producer);
    }
    const prepared = records.map(prepare);
    const byteLength = prepared.reduce((sum, each) => sum + each.byteLength, 0);
    const { maxRecordBytes, maxBatchBytes } = this.options;
    if (!this.#mayTake(byteLength, Math.min(maxRecordBytes, maxBatchBytes))) {
      return this.queue.appendPreparedBatch(prepared, signal, producer);
    }
    const journaled = this.#journaledFor(producer, length);
    return journaled.appendBatch(prepared, this.timestamp(), producer);
  }

  /** What an append goes to that is noted as its producer's, if it has one. */
  #journaledFor(producer: BlockProducer | undefined, recordCount: number): JournaledAppends {
    const journaled = this.#journaled!;
    if (producer !== undefined) {
      this.#producers.noteJournaled(producer, recordCount, journaled.nextOffset);
    }
    return journaled;
  }

  /**
   * Whether a batch of a producer follows on all that was accepted. What does not, or cannot be
   * judged before something is read, goes to the queue, which judges it when all is at rest.
   */
  #isKnownToFollow(producer: BlockProducer | undefined, recordCount: number): boolean {
    if (producer === undefined) return true;
    if (!this.#mayHaveProducers) this.#producers.beginWithNone();
    return this.#producers.follows(producer, recordCount);
  }

  /** Whether producers may have appended something that the log has. */
  get #mayHaveProducers(): boolean {
    return this.#metadata.hasProducers || this.producersTail !== undefined;
  }

  get producersTail(): LogTail | undefined {
    return this.#journaled?.hasProducers ? this.#journaled.tail : undefined;
  }

  /** Nothing that was accepted before may be overtaken. */
  #mayJournal(): boolean {
    return (
      this.#journaled !== undefined &&
      this.options.durability === "always" &&
      this.queue.isIdle &&
      this.#poison === undefined
    );
  }

  /** What may be too long is left to the queue, which says so. */
  #mayTake(byteLength: number, mostBytes: number): boolean {
    return byteLength <= mostBytes && this.#journaled!.mayTake(byteLength);
  }

  onJournaled(): void {
    this.#changes.announce();
  }

  onJournalFailed(error: SeglogError): void {
    this.#producers.forgetJournaled();
    if (!isRetryable(error)) this.#poisonWith(error);
  }

  /** What the log's tail in the journal, up to `endOffset`, is to be gathered in for {@link settleGathered}. */
  gatherTail(endOffset: number): GatheredTail {
    const from = this.#published.endOffset;
    return new GatheredTail(this.epoch, from, endOffset, (at) => this.#newPiece(at));
  }

  /**
   * Moves what was gathered of the tail to the log's own segments, and syncs it. Appends may go on
   * coming to the journal meanwhile; run it with nothing else beside it.
   *
   * @param gathered - Of {@link gatherTail}.
   * @returns Whether the segments have all that was to be gathered.
   */
  async settleGathered(gathered: GatheredTail): Promise<boolean> {
    if (this.#journaled === undefined || this.#closed !== undefined) return true;
    if (this.#poison !== undefined) throw this.#poison;
    this.#journal?.beginWork();
    try {
      for (;;) {
        const piece = gathered.take(this.epoch, this.#published.endOffset);
        if (piece === undefined) break;
        await this.#commitPiece(piece);
      }
    } finally {
      if (this.#rolled) await this.#upkeepBesideAppends();
      this.#journal?.endWork();
    }
    this.#journaled.settled(this.#durable.endOffset);
    return this.#durable.endOffset >= gathered.wantedEnd;
  }

  /**
   * Moves what stands in the store's journal to the log's own segments, and syncs it. Run it
   * exclusively.
   */
  async settle(): Promise<void> {
    // One that was closed meanwhile did it then, or could not, and whoever closed it was told.
    if (this.#journaled === undefined || this.#closed !== undefined) return;
    await this.#journaled.drained();
    if (this.#poison !== undefined) throw this.#poison;
    if (this.endOffset > this.#published.endOffset) {
      (await this.commit([]))();
      if (this.#failure !== undefined) throw this.#failure;
    }
    await this.flush();
    this.#journaled.settled(this.#durable.endOffset);
  }

  /** Writes some of the tail, whose memory is then free. */
  async #commitPiece(tail: readonly PendingBatch[]): Promise<void> {
    this.#failure = undefined;
    (await this.#commit(tail))();
    this.#giveBack(tail);
    if (this.#failure !== undefined) throw this.#failure;
  }

  /**
   * What stands in the journal and not yet in the segments, a piece of it, as batches that nobody
   * waits for. The event loop gets a turn now and then, for each record is read by itself.
   */
  async #tailBatches(): Promise<readonly PendingBatch[]> {
    const { tail } = this;
    await this.#journaled?.drained();
    const from = this.#published.endOffset;
    if (tail === undefined || from === this.endOffset) return [];
    const piece = this.#newPiece(from);
    for (let offset = from; offset < this.endOffset; offset++) {
      if (!piece.add(await runSteps(tail.journaled(offset)))) break;
      if ((offset - from) % TAIL_TURN_RECORDS === TAIL_TURN_RECORDS - 1) await nextTurn();
    }
    return piece.finish();
  }

  #newPiece(firstOffset: number): TailPiece {
    const { blockBytes, compression, segmentBytes } = this.options;
    const group = new PendingGroup(this.buffers.take(0), blockBytes, compression);
    return new TailPiece(group, firstOffset, segmentBytes);
  }

  async commit(appended: readonly PendingBatch[]): Promise<() => void> {
    this.#journal?.beginWork();
    try {
      const answer = appended.some(isOfProducer)
        ? await this.#commitOfProducers(appended)
        : await this.#commitBehindTail(appended);
      if (!this.#rolled) return answer;
      answer();
      await this.#upkeep();
      return () => {};
    } finally {
      this.#journal?.endWork();
    }
  }

  /** Stores what is not stored yet; of the rest, it tells where it is or why it is refused. */
  async #commitOfProducers(appended: readonly PendingBatch[]): Promise<() => void> {
    try {
      // Those that are on their way to the journal are judged already.
      await this.#journaled?.drained();
      await this.#producers.load(this.#written, this.#metadata.hasProducers);
    } catch (error) {
      // To fail to read changes nothing.
      this.queue.settle(appended.filter(isOfProducer), (batch) =>
        batch.reject(error as SeglogError),
      );
      return this.#commitBehindTail(appended.filter((batch) => !isOfProducer(batch)));
    }
    const verdicts = this.#producers.judge(appended);
    const fresh: PendingBatch[] = [];
    const repeated: [PendingBatch, Repetition][] = [];
    for (const [index, batch] of appended.entries()) {
      const verdict = verdicts[index]!;
      if (verdict === "follows") fresh.push(batch);
      else if (verdict instanceof SeglogError)
        this.queue.settle([batch], () => batch.reject(verdict));
      else repeated.push([batch, verdict]);
    }
    const answer = fresh.length === 0 ? () => {} : await this.#commitBehindTail(fresh);
    if (repeated.length === 0) return answer;
    const places = await this.#placesOf(repeated.map(([, repetition]) => repetition));
    return () => {
      answer();
      for (const [index, [batch]] of repeated.entries()) {
        const place = places[index]!;
        this.queue.settle([batch], () =>
          typeof place === "number" ? batch.resolve(place) : batch.reject(place),
        );
      }
    };
  }

  /** Offsets of what is stored already, or why that cannot be told. */
  async #placesOf(repetitions: readonly Repetition[]): Promise<(number | SeglogError)[]> {
    // Of those that repeat one which could not be stored just now.
    const notStored = this.#failure;
    try {
      await this.#catchUp();
    } catch (error) {
      const failure = this.#judge(error);
      return repetitions.map(() => failure);
    }
    return repetitions.map(({ of, offset }) => {
      if (of === undefined) return offset;
      return of.storedAt < 0 ? notStored! : of.storedAt + offset;
    });
  }

  /** What was written, and refused all the same for want of a handle to sync it, becomes visible. */
  async #catchUp(): Promise<void> {
    if (this.#poison !== undefined) throw this.#poison;
    const isSynced = this.options.durability === "always";
    if (isSynced) await this.#sync();
    const end = isSynced ? this.#durable : this.#written;
    if (end.endOffset <= this.#published.endOffset) return;
    this.#published = end;
    this.#journaled?.reach(end.endOffset);
    this.#tellReaders();
  }

  /** What stands in the journal comes first; the last piece of it is written with the rest. */
  async #commitBehindTail(appended: readonly PendingBatch[]): Promise<() => void> {
    this.#failure = undefined;
    let tail: readonly PendingBatch[] = [];
    try {
      while (this.#journaled?.hasTail(this.#published.endOffset)) {
        tail = await this.#tailBatches();
        if (this.#isWholeTail(tail)) break;
        await this.#commitPiece(tail);
        tail = [];
      }
    } catch (error) {
      // To fail to read what is to be moved changes nothing.
      const isHarmless = this.#poison === undefined && error instanceof SeglogError;
      const verdict = isHarmless ? error : this.#judge(error);
      this.#failure = verdict;
      this.queue.settle(appended, (batch) => batch.reject(verdict));
      return () => {};
    }
    const answer = await this.#commit([...tail, ...appended]);
    this.#giveBack(tail);
    return answer;
  }

  /** Lets others use the buffer of the batches of one piece. */
  #giveBack([first]: readonly PendingBatch[]): void {
    if (first !== undefined) this.buffers.give(first.group.encoder.bytes);
  }

  #isWholeTail(batches: readonly PendingBatch[]): boolean {
    const records = batches.reduce((sum, { recordCount }) => sum + recordCount, 0);
    return this.#published.endOffset + records === this.endOffset;
  }

  async #commit(batches: readonly PendingBatch[]): Promise<() => void> {
    const unsynced: PendingBatch[] = [];
    let answer = () => {};
    let next = 0;
    try {
      if (this.#poison !== undefined) throw this.#poison;
      // Nothing on this way waits for a turn unless it has to: the disk idles until it is written.
      const isFirstOfProducers = !this.#metadata.hasProducers && batches.some(isOfProducer);
      if (this.#metadata.clean || isFirstOfProducers) await this.#beginSession(isFirstOfProducers);
      while (next < batches.length) {
        if (this.#mustRoll(batches[next]!)) {
          await this.#takeRoomBack();
          await this.#sync();
          this.#acknowledge(unsynced);
          await this.#roll();
        }
        const run = this.#takeRun(batches, next, this.#written);
        const baseOffset = this.#written.endOffset;
        await this.#write(run);
        this.#producers.note(run, baseOffset);
        unsynced.push(...run);
        next += run.length;
      }
      if (this.options.durability === "always") await this.#sync();
      else this.#syncAhead();
      answer = this.#publish(unsynced);
    } catch (error) {
      const failure = this.#judge(error);
      if (this.#poison === undefined && unsynced.length > 0) {
        // What was written before the failure is whole; it is acknowledged as the policy says.
        await this.#acknowledgeRest(unsynced);
      }
      const verdict = this.#poison ?? failure;
      this.#failure = verdict;
      this.queue.settle(unsynced, (batch) => batch.reject(verdict));
      this.queue.settle(batches.slice(next), (batch) => batch.reject(verdict));
      if (this.#isJournal) this.queue.failAll(verdict);
    }
    return answer;
  }

  /** Resolves when everything written so far is on stable storage. Run it exclusively. */
  async flush(): Promise<void> {
    if (this.#poison !== undefined) throw this.#poison;
    try {
      // What is acknowledged there is synced.
      await this.#journaled?.drained();
      await this.#sync();
    } catch (error) {
      throw this.#judge(error);
    }
  }

  /** See `CommitLog.truncateTo`. Run it exclusively. */
  async truncateTo(offset: number): Promise<void> {
    if (this.#poison !== undefined) throw this.#poison;
    await this.settle();
    // Should the truncation fail now, nothing is lost: the segments have all of it.
    await this.#journaled?.mark();
    this.#assertWithin(offset, "truncateTo takes an offset from the start to the end offset");
    if (offset === this.endOffset) return;
    const floor = this.#segments.findLast((segment) => segment.baseOffset < offset);
    if (floor !== undefined) {
      if (floor === this.#active) floor.setEndPosition(this.#written.endPosition);
      const { endOffset, lastChecksum } = await assertSoundBelow(floor, offset);
      // What is lost at the end of a file shows only in what the next one names.
      if (endOffset < offset) await runSteps(assertFollowed(this, floor, lastChecksum));
    }
    if (this.#metadata.hasProducers && (await this.#hasLoadedProducers())) {
      await this.#change(() => this.#producers.saveDeleted());
    }
    // Once it may be there, a crash would cut off what is appended behind the bound.
    let boundMayHold = false;
    await this.#change(async () => {
      await this.#beginSession();
      await this.#takeRoomBack();
      await this.#sync();
      if (this.#rollBegun) await this.#roll();
      await this.#truncate(offset, floor, () => {
        boundMayHold = true;
      });
    }).catch((error: SeglogError) => {
      throw boundMayHold ? this.#poisonWith(error) : error;
    });
  }

  async #truncate(
    offset: number,
    floor: Segment | undefined,
    onBoundWritten: () => void,
  ): Promise<void> {
    const epoch = epochAfter(this.epoch, this.directory);
    const bound = { epoch, offset };
    const activeBaseOffset = floor?.baseOffset ?? offset;
    await this.#replaceMetadata(
      { epoch, truncation: bound, end: { ...this.#durable, endOffset: offset, activeBaseOffset } },
      onBoundWritten,
      // With the new epoch comes the new end: nobody reads what is about to go as if it were of it.
      () => {
        this.#published = { ...this.#published, endOffset: offset };
        this.#journaled?.setEndOffset(offset);
      },
    );
    // Other processes learn it when the files are changed: their handles must not be of old ones.
    this.#changes.announce();
    const { fileSystem, pool } = this.#environment;
    const segments = await pool.transient(async () => {
      const behind = this.#segments.filter(({ baseOffset }) => baseOffset >= offset);
      for (const segment of behind.toReversed()) await removeSegment(fileSystem, segment);
      const target: TruncationTarget = {
        environment: this.#environment,
        options: this.options,
        directory: this.directory,
        metadata: this.#metadata,
        openSegment: (baseOffset) => this.#openSegment(baseOffset),
      };
      const kept = this.#segments.filter(({ baseOffset }) => baseOffset < offset);
      return applyTruncation(target, bound, kept);
    });
    this.#forgetIndexes(segments);
    this.#producers.forget();
    await this.#enterSegments(segments);
    this.#metadata = { ...this.#metadata, truncation: undefined, end: this.#durable };
    await this.#onTruncated?.(offset);
  }

  /** See `CommitLog.deleteBefore`. Run it exclusively. */
  async deleteBefore(offset: number): Promise<void> {
    if (offset > this.segmentsEndOffset) await this.settle();
    if (offset > this.endOffset) {
      this.#assertWithin(offset, "deleteBefore takes at most the end offset");
    }
    if (offset > this.startOffset) {
      await this.#keepProducers(this.#firstSegmentWith(offset).baseOffset);
      await this.#change(async () => {
        await this.#beginSession();
        // A crash must not leave an end before the start.
        await this.#sync();
        await this.#replaceMetadata({ startOffset: offset });
        this.#tellReaders();
      });
      const count = this.#segments.indexOf(this.#firstSegmentWith(offset));
      for (const segment of this.#segments.slice(0, count)) {
        this.#environment.indexCache.forget(segment);
        this.#deleted.push(segment);
      }
      this.#segments = this.#segments.slice(count);
    }
    await this.#removeDeleted();
  }

  /** The first segment of a log that begins with `offset`; at most the active one. */
  #firstSegmentWith(offset: number): Segment {
    return this.#segments[segmentIndexOf(this.#segments, offset)]!;
  }

  /** What the segments in front of one tell of producers must be known without them. */
  async #keepProducers(firstBaseOffset: number): Promise<void> {
    const isFirst = firstBaseOffset === this.#segments[0]!.baseOffset;
    if (isFirst || !this.#metadata.hasProducers) return;
    if (!(await this.#hasLoadedProducers())) return;
    if (!this.#producers.mustSaveBefore(firstBaseOffset)) return;
    await this.#change(async () => {
      // Else a crash could leave a file that tells of more than there is.
      await this.#sync();
      await this.#producers.save(this.#durable);
    });
  }

  /** Damage must not keep anybody from removing what is damaged: then nothing is known of them. */
  async #hasLoadedProducers(): Promise<boolean> {
    try {
      await this.#producers.load(this.#written, true);
      return true;
    } catch (error) {
      if (!(error instanceof CorruptionError)) throw error;
      this.options.onError(error);
      await this.#change(() => this.#producers.discard());
      return false;
    }
  }

  /** Saves what is known of producers for the next session, which else finds it in the blocks. */
  async #saveProducers(): Promise<void> {
    if (!this.#producers.isUnsaved) return;
    await this.#producers.save(this.#durable).catch((error: SeglogError) => {
      this.options.onError(error);
    });
  }

  /** See `CommitLog.producer`. Run it exclusively. */
  async producer(id: bigint): Promise<ProducerState | undefined> {
    await this.#journaled?.drained();
    if (!this.#mayHaveProducers) return undefined;
    await this.#producers.load(this.#written, this.#metadata.hasProducers);
    // What a crash can still take is not to be built on.
    await this.#catchUp();
    return this.#producers.state(id);
  }

  /**
   * Removes the files of segments that are no longer part of the log. Nothing depends on it, so a
   * failure is told and no more; the next deletion tries again, and so does the next open.
   */
  async #removeDeleted(): Promise<void> {
    try {
      for (let oldest = this.#deleted[0]; oldest !== undefined; oldest = this.#deleted[0]) {
        await removeSegment(this.#environment.fileSystem, oldest);
        this.#deleted.shift();
      }
    } catch (error) {
      this.options.onError(error as SeglogError);
    }
  }

  /** Syncs, leaves the marker of a clean close, and lets go of all files. Run it exclusively. */
  async close(reason: SeglogError): Promise<void> {
    clearTimeout(this.#flushTimer);
    clearTimeout(this.#upkeepTimer);
    try {
      // Before anything else: what is answered after the close would be of another writer's log.
      await this.#journaled?.drained();
      if (this.#poison !== undefined) throw this.#poison;
      await this.settle();
      await this.#change(async () => {
        await this.#takeRoomBack();
        await this.#sync();
        if (this.#metadata.clean) return;
        await this.#saveActiveIndex();
        await this.#saveProducers();
        await this.#replaceMetadata({ clean: true, end: this.#durable });
      });
    } finally {
      this.#closed = reason;
      this.#journal?.leave(journalName(this.logId), this);
      this.#changes.announce();
      await this.#savingIndexes;
      await this.#closeFiles();
    }
  }

  /** What was to be kept is synced by now, so that nothing depends on how closing a file goes. */
  async #closeFiles(): Promise<void> {
    for (const segment of [...this.#deleted, ...this.#segments, ...this.#unentered]) {
      this.#environment.indexCache.forget(segment);
      await segment.file.close().catch(() => undefined);
    }
    await this.#environment.pool.discardsDone();
  }

  get #active(): Segment {
    return this.#segments[this.#segments.length - 1]!;
  }

  #openSegment(baseOffset: number): Segment {
    const { indexIntervalBytes } = this.options;
    const owner = { directory: this.directory, logId: this.logId, indexIntervalBytes };
    const segment = new Segment(this.#environment.pool, owner, baseOffset, "update");
    this.#unentered.push(segment);
    this.#adopt(segment);
    return segment;
  }

  /** A sealed segment whose index files were of no use gets new ones when somebody notices. */
  #adopt(segment: Segment): void {
    segment.onIndexRebuilt = (rebuilt, index) => {
      if (rebuilt === this.#active) return;
      this.#savingIndexes = this.#savingIndexes.then(() => this.#saveIndex(rebuilt, index));
    };
  }

  /** The active segment's handle may be closed as idle, and its index dropped, but not just so. */
  #adoptActive(): void {
    const active = this.#active;
    active.file.syncBeforeClose = () => this.#syncInBackground();
    active.onIndexUnwanted = () => {
      active.onIndexUnwanted = undefined;
      void this.queue.exclusive(() => this.#giveIndexBack(active));
    };
  }

  async #giveIndexBack(segment: Segment): Promise<void> {
    if (this.#closed !== undefined) return;
    if (segment.index !== undefined) await this.#saveIndex(segment, segment.index);
    segment.setEndPosition(
      segment === this.#active ? this.#written.endPosition : segment.endPosition!,
    );
    segment.dropIndex();
    this.#environment.indexCache.forget(segment);
    if (segment === this.#active) this.#adoptActive();
  }

  /** The index of the active segment, which covers all that was written. */
  #activeIndex(): SegmentIndex | Promise<SegmentIndex> {
    // A reader may have put one in its place that it built while the segment was shorter.
    this.#active.setEndPosition(this.#written.endPosition);
    return runStepsEagerly(loadedIndex(this.#active));
  }

  /** Saves it for the next session, unless nobody has used it in this one. */
  async #saveActiveIndex(): Promise<void> {
    const active = this.#active;
    if (active.index === undefined) return;
    try {
      await this.#saveIndex(active, await this.#activeIndex());
    } catch {
      // An index is a hint.
    }
  }

  /** Makes the marker of the last clean close void before anything is written. */
  async #beginSession(hasProducers = false): Promise<void> {
    if (!this.#metadata.clean && !hasProducers) return;
    await this.#replaceMetadata({
      clean: false,
      hasProducers: this.#metadata.hasProducers || hasProducers,
      bootId: this.#bootId,
      synced: this.options.durability === "always",
      end: this.#durable,
    });
  }

  /**
   * @param onRenamed - Called when the new metadata has its name on disk.
   * @param onReplaced - Called in the same turn in which it begins to hold in memory.
   */
  async #replaceMetadata(
    changes: Partial<LogMetadata>,
    onRenamed?: () => void,
    onReplaced?: () => void,
  ): Promise<void> {
    const metadata = revise(this.#metadata, changes);
    let isRenamed = false;
    try {
      await this.#environment.pool.transient(() =>
        writeMetadata(this.#environment.fileSystem, this.directory, metadata, () => {
          isRenamed = true;
          onRenamed?.();
        }),
      );
    } catch (error) {
      // Nobody knows which of the two a crash would leave. Where only a handle was lacking, no sync
      // has failed: both are true of the log, and the next replacement settles it.
      throw isRenamed && !isHandleShortage(error) ? this.#poisonWith(error) : error;
    }
    this.#metadata = metadata;
    onReplaced?.();
  }

  #mustRoll(batch: PendingBatch): boolean {
    if (this.#written.lastBlockPosition === 0) return false;
    if (this.#rollBegun || this.#isActiveAged()) return true;
    return !this.#fits(this.#written.endPosition, this.#written.endOffset, batch);
  }

  #fits(endPosition: number, endOffset: number, batch: PendingBatch): boolean {
    const relativeOffset = endOffset + batch.recordCount - this.#written.activeBaseOffset;
    return (
      endPosition + batch.end - batch.start <= this.options.segmentBytes &&
      relativeOffset <= MAX_RELATIVE_OFFSET
    );
  }

  #isActiveAged(): boolean {
    const { segmentMs } = this.options;
    if (segmentMs === Number.POSITIVE_INFINITY || this.#activeSince === undefined) return false;
    return this.#environment.now() - this.#activeSince >= segmentMs;
  }

  /** The batches from `first` on that go together behind `end`; at least one. */
  #takeRun(batches: readonly PendingBatch[], first: number, end: LogEnd): PendingBatch[] {
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

  prepareNext(batches: readonly PendingBatch[]): void {
    const blockSeed = this.#active.knownHeader?.blockSeed;
    if (blockSeed === undefined || batches.length === 0) return;
    this.#next = this.#stamp(this.#takeRun(batches, 0, this.#writing), this.#writing, blockSeed);
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
    return stampRun(run, before, { durableEndOffset, blockSeed, maxTimestamp: this.#clock.latest });
  }

  /** Writes batches at the end of the active segment, or leaves the file as it was. */
  async #write(run: readonly PendingBatch[]): Promise<void> {
    const active = this.#active;
    const loading = this.#activeIndex();
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
    for (const block of blocks) index.add(block, this.options.indexIntervalBytes);
    this.#environment.indexCache.touch(active);
    this.#activeSince ??= this.#environment.now();
    this.#written = after;
  }

  #needsRoom(end: number, run: readonly PendingBatch[]): boolean {
    return (
      this.options.durability === "always" &&
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
    const { segmentBytes } = this.options;
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
  async #takeRoomBack(): Promise<void> {
    const end = this.#written.endPosition;
    if (this.#roomEnd <= end) return;
    const { file: handle } = this.#active;
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
    if (!isRetryable(error)) throw this.#poisonWith(error);
    this.#roomEnd = 0;
    try {
      await file.truncate(endPosition);
      await file.datasync();
    } catch (second) {
      throw this.#poisonWith(second);
    }
  }

  /** Puts everything written on stable storage, or poisons the log. */
  #sync(): Promise<void> {
    const run = this.#syncing.then(() => this.#syncNow());
    this.#syncing = run.catch(() => undefined);
    return run;
  }

  async #syncNow(): Promise<void> {
    if (this.#poison !== undefined) throw this.#poison;
    const end = this.#written;
    const { file: handle } = this.#active;
    if (end === this.#durable && !handle.hasUnsyncedWrites) return;
    const file = await handle.acquire();
    try {
      handle.hasUnsyncedWrites = false;
      await file.datasync();
    } catch (error) {
      throw this.#poisonWith(error);
    } finally {
      handle.release();
    }
    this.#durable = end;
  }

  /**
   * Begins to sync, when that has become much, what was acknowledged before it was synced: else
   * going on to the next segment would have to wait for all of this one.
   */
  #syncAhead(): void {
    if (this.#poison !== undefined) throw this.#poison;
    const unsyncedBytes = this.#written.endPosition - this.#durable.endPosition;
    if (this.#isSyncingAhead || unsyncedBytes < this.#environment.syncAheadBytes) return;
    this.#isSyncingAhead = true;
    this.#sync()
      .catch((error) => this.options.onError(this.#judge(error)))
      .finally(() => {
        this.#isSyncingAhead = false;
      });
  }

  /** For the pool, which is about to close the idle handle of the active segment. */
  async #syncInBackground(): Promise<void> {
    const { file } = this.#active;
    try {
      file.hasUnsyncedWrites = true;
      await this.#sync();
    } catch (error) {
      // The log is poisoned: no sync will ever tell more of this file, so it may be closed.
      file.hasUnsyncedWrites = false;
      this.options.onError(this.#judge(error));
    }
  }

  /**
   * Seals the active segment, which must be synced, and begins the next one. If that fails, nothing
   * may be written before it is done again: what went into this segment would be hidden by the
   * file of the next one, which may be there.
   */
  async #roll(): Promise<void> {
    const sealed = this.#active;
    const { fileSystem, pool } = this.#environment;
    this.#rollBegun = true;
    const { checksum: headerChecksum } = await runSteps(sealed.header());
    await pool.transient(() =>
      createSegmentFile(fileSystem, this.directory, {
        logId: this.logId,
        epoch: this.epoch,
        baseOffset: this.#written.endOffset,
        createdAt: this.#environment.now(),
        predecessor: {
          baseOffset: sealed.baseOffset,
          checksum: this.#written.lastChecksum,
          headerChecksum,
        },
      }),
    );
    await this.#saveActiveIndex();
    sealed.setEndPosition(this.#written.endPosition);
    await this.#enterSegments([...this.#segments, this.#openSegment(this.#written.endOffset)]);
    sealed.file.syncBeforeClose = undefined;
    sealed.onIndexUnwanted = undefined;
    await this.#saveProducers();
    this.#rolled = true;
  }

  /** Takes over segments of which the last one is new. */
  async #enterSegments(segments: readonly Segment[]): Promise<void> {
    const active = segments[segments.length - 1]!;
    const header = await runSteps(active.header());
    const end: LogEnd = {
      activeBaseOffset: active.baseOffset,
      endOffset: active.baseOffset,
      maxTimestamp: this.#written.maxTimestamp,
      endPosition: header.headerLength,
      lastBlockPosition: 0,
      lastChecksum: header.checksum,
    };
    this.#segments = segments;
    this.#roomEnd = 0;
    this.#isRoomRefused = false;
    this.#unentered = [];
    this.#rollBegun = false;
    this.#written = end;
    this.#durable = end;
    this.#published = end;
    this.#activeSince = undefined;
    this.#adoptActive();
    this.#tellReaders();
  }

  /** An index is a hint: if it cannot be saved, it is rebuilt when it is next needed. */
  async #saveIndex(segment: Segment, index: SegmentIndex): Promise<void> {
    const { fileSystem, pool } = this.#environment;
    await pool.transient(() => saveIndex(fileSystem, segment, index)).catch(() => undefined);
  }

  #forgetIndexes(kept: readonly Segment[]): void {
    for (const segment of this.#segments) {
      if (!kept.includes(segment)) this.#environment.indexCache.forget(segment);
    }
  }

  /** Shows readers what was written, then tells the callers. */
  #acknowledge(batches: PendingBatch[]): void {
    const answer = this.#publish(batches);
    answer();
    batches.length = 0;
  }

  /**
   * Shows readers what was written.
   *
   * @param batches - All that was written since the last time.
   * @returns What tells the callers.
   */
  #publish(batches: readonly PendingBatch[]): () => void {
    if (batches.length === 0) return () => {};
    const { durability, flushIntervalMs } = this.options;
    const baseOffset = this.#published.endOffset;
    this.#published = durability === "always" ? this.#durable : this.#written;
    this.#journaled?.reach(this.#published.endOffset);
    this.#tellReaders();
    if (durability === "interval") {
      this.#flushTimer ??= setTimeout(() => this.#flushInBackground(), flushIntervalMs).unref();
    }
    return () => {
      let offset = baseOffset;
      this.queue.settle(batches, (batch) => {
        batch.resolve(offset);
        offset += batch.recordCount;
      });
    };
  }

  async #acknowledgeRest(batches: PendingBatch[]): Promise<void> {
    try {
      if (this.options.durability === "always") await this.#sync();
      this.#acknowledge(batches);
    } catch {
      // The log is poisoned now; the caller rejects what is left.
    }
  }

  #tellReaders(): void {
    const { activeBaseOffset, endOffset, endPosition, maxTimestamp } = this.#published;
    try {
      this.#slots.publish({
        logId: this.logId,
        epoch: this.epoch,
        startOffset: this.startOffset,
        endOffset,
        activeBaseOffset,
        endPosition,
        maxTimestamp,
        revision: this.#openedRevision,
      });
    } catch (error) {
      // Readers in other processes see it with the next publication; the data is not touched.
      this.options.onError(error as SeglogError);
    }
    this.#changes.announce();
  }

  #flushInBackground(): void {
    this.#flushTimer = undefined;
    this.queue
      .exclusive(() => this.flush())
      .catch((error: SeglogError) => this.options.onError(error));
  }

  /** Runs a change of bounds; a failure that may have left it half done poisons the log. */
  async #change(run: () => Promise<void>): Promise<void> {
    if (this.#poison !== undefined) throw this.#poison;
    try {
      await run();
    } catch (error) {
      throw this.#judge(error);
    }
  }

  /** What a failure means for the log: a retryable one is passed on, any other poisons it. */
  #judge(error: unknown): SeglogError {
    if (this.#poison !== undefined) return this.#poison;
    return isRetryable(error) ? error : this.#poisonWith(error);
  }

  #poisonWith(cause: unknown): SeglogError {
    this.#poison ??= new SeglogError(
      "LOG_POISONED",
      `${this.directory} takes no more appends: ${(cause as Error).message} ` +
        "What was acknowledged is safe as the durability policy says; whether appends that were " +
        "waiting are stored is not known. Close the log and open it again.",
      { cause },
    );
    this.#next = undefined;
    this.queue.refuse(this.#poison);
    this.queue.rejectQueued(this.#poison);
    return this.#poison;
  }

  #assertWithin(offset: number, hint: string): void {
    if (offset >= this.startOffset && offset <= this.endOffset) return;
    throw new OffsetOutOfRangeError(offset, this.startOffset, this.endOffset, hint);
  }

  /** Deletes what retention allows. Failures are told, never thrown: no caller asked for it. */
  async #upkeep(): Promise<void> {
    this.#rolled = false;
    // It may have waited behind the close, and another writer may have the log by now.
    if (this.#poison !== undefined || this.#closed !== undefined) return;
    try {
      // Time limits are judged by what stands in segments. If no more can be put there, what is
      // there goes all the same: that may be what makes room.
      if (this.#hasTimeLimits) {
        await this.settle().catch((error: SeglogError) => this.options.onError(error));
      }
      if (this.#poison !== undefined) return;
      if (this.#isActiveAged() && this.#written.lastBlockPosition > 0) {
        await this.#change(async () => {
          await this.#beginSession();
          await this.#takeRoomBack();
          await this.#sync();
          await this.#roll();
        });
      }
      const expired = await countExpired(
        this.#segments,
        this.#written.endPosition,
        this.options.retention,
        this.#retentionClock.now(),
      );
      if (expired > 0) await this.deleteBefore(this.#segments[expired]!.baseOffset);
      else await this.#removeDeleted();
    } catch (error) {
      // What could not be changed has poisoned the log already; what could not be read need not.
      this.options.onError(error as SeglogError);
    }
  }

  /** Where there are time limits, it waits for the appends that are on their way to the journal. */
  async #upkeepBesideAppends(): Promise<void> {
    if (this.#hasTimeLimits) void this.queue.exclusive(() => this.#upkeep());
    else await this.#upkeep();
  }

  get #hasTimeLimits(): boolean {
    const { retention, segmentMs } = this.options;
    return Math.min(retention.ms, segmentMs) < Number.POSITIVE_INFINITY;
  }

  #scheduleUpkeep(): void {
    const { retention, segmentMs } = this.options;
    if (!this.#hasTimeLimits) return;
    const shortest = Math.min(retention.ms, segmentMs);
    const delay = Math.min(Math.max(shortest / 2, LEAST_UPKEEP_MS), MOST_UPKEEP_MS);
    this.#upkeepTimer = setTimeout(() => {
      this.queue
        .exclusive(() => this.#upkeep())
        .finally(() => {
          if (this.#closed === undefined) this.#scheduleUpkeep();
        });
    }, delay).unref();
  }
}

function firstOffset({ baseOffset }: AppendedBatch): number {
  return baseOffset;
}

function isOfProducer({ producer }: PendingBatch): boolean {
  return producer !== undefined;
}

/** Failures that leave nothing half done and may pass: no space, no handles, no access. */
function isRetryable(error: unknown): error is SeglogError {
  return (
    error instanceof SeglogError &&
    (error.code === "NO_SPACE" ||
      error.code === "TOO_MANY_OPEN_FILES" ||
      error.code === "FILE_ACCESS" ||
      error.code === "OFFSET_OUT_OF_RANGE")
  );
}
