import { setImmediate as nextTurn } from "node:timers/promises";
import { SeglogError } from "../errors.js";
import { runSteps } from "../files/steps.js";
import type { BlockProducer } from "../format/block-header.js";
import { journalName, MOST_BATCH_RECORDS } from "../format/journal-key.js";
import { prepare } from "../format/prepared-record.js";
import type { ProducerState } from "../format/producer-snapshot.js";
import type { RecordInput } from "../format/record.js";
import type { Segment } from "../segment/segment.js";
import type { SegmentIndex } from "../segment/segment-index.js";
import { ActiveEnd, type EndedLog } from "./active-end.js";
import { AppendQueue, type QueueOwner } from "./append-queue.js";
import type { AppendedBatch } from "./appended-batch.js";
import type { BlockCache } from "./block-cache.js";
import type { BufferPool } from "./buffer-pool.js";
import { Changes } from "./changes.js";
import type { LogEnvironment } from "./environment.js";
import { GatheredTail } from "./gathered-tail.js";
import type { IndexCache } from "./index-cache.js";
import type { Journal } from "./journal.js";
import { JournaledAppends } from "./journaled-appends.js";
import { LogBounds } from "./log-bounds.js";
import { LogClock } from "./log-clock.js";
import { isRetryable, LogFailures } from "./log-failures.js";
import type { LogTail } from "./log-tail.js";
import { type KeptLog, LogUpkeep } from "./log-upkeep.js";
import type { LogView } from "./log-view.js";
import { MetadataKeeper } from "./metadata-keeper.js";
import type { ResolvedLogOptions } from "./options.js";
import { judgeOvertaken } from "./overtaken.js";
import { isOfProducer, type PendingBatch, PendingGroup } from "./pending.js";
import { type OpenedEpoch, Producers } from "./producers.js";
import { ProducersKeeper } from "./producers-keeper.js";
import { Publication, type PublishedLog } from "./publication.js";
import type { RecoveredLog } from "./recovery.js";
import { answerRepeated, sortedByVerdict } from "./repeated-batches.js";
import { TailPiece } from "./tail-piece.js";
import { type IndexedLog, WriterIndexes } from "./writer-indexes.js";
import { WriterSegments } from "./writer-segments.js";
import type { PublishedSlots } from "./writer-session.js";

/** So many records are read from the journal, one by one, before something else gets a turn. */
const TAIL_TURN_RECORDS = 200;

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
 * The writing side of a log: commits what is appended, in the order of the calls, goes on from one
 * segment to the next, and changes the bounds.
 *
 * There are three ends. {@link ActiveEnd} has where the next batch goes, `written`, and what the last
 * sync covered, `durable`; {@link Publication} has the one that readers see.
 */
export class LogWriter implements LogView, QueueOwner, EndedLog, IndexedLog, KeptLog, PublishedLog {
  readonly directory: string;
  readonly options: ResolvedLogOptions;
  readonly queue: AppendQueue;
  readonly #environment: LogEnvironment;
  readonly #journal: Journal | undefined;
  readonly #journaled: JournaledAppends | undefined;
  readonly #producers: ProducersKeeper;
  readonly #segments: WriterSegments;
  readonly #bounds: LogBounds;
  readonly #failures: LogFailures;
  readonly #end: ActiveEnd;
  readonly #metadata: MetadataKeeper;
  readonly #indexes: WriterIndexes;
  readonly #publication: Publication;
  readonly #upkeep: LogUpkeep;
  readonly #isJournal: boolean;
  readonly #clock: LogClock;
  readonly #changes = new Changes();
  #closed: SeglogError | undefined;
  /** Why the last commit failed, if it did. */
  #failure: SeglogError | undefined;

  constructor(parts: LogWriterParts) {
    const { environment, directory, options, recovered, journal } = parts;
    const { end, metadata } = recovered;
    const { maxClockStepMs, maxPendingBytes, onError } = options;
    this.#environment = environment;
    this.directory = directory;
    this.options = options;
    this.#isJournal = parts.isJournal;
    this.#journal = journal;
    this.queue = new AppendQueue(this);
    this.#clock = new LogClock(
      environment.now,
      end.maxTimestamp,
      directory,
      maxClockStepMs,
      onError,
    );
    const failures = new LogFailures(directory, (poison) => {
      this.#end.dropPrepared();
      this.queue.refuse(poison);
      this.queue.rejectQueued(poison);
    });
    this.#failures = failures;
    this.#end = new ActiveEnd(environment, options, this, failures, end, recovered.activeCreatedAt);
    const { bootId, published } = parts;
    this.#metadata = new MetadataKeeper(
      environment,
      directory,
      options,
      bootId,
      failures,
      metadata,
    );
    this.#indexes = new WriterIndexes(environment, this, this.#end);
    this.#publication = new Publication(this, this.#end, failures, this.#changes, published);
    this.#upkeep = new LogUpkeep(environment, this, this.#end, failures);
    if (journal !== undefined) {
      this.#journaled = new JournaledAppends(journal, this, end.endOffset, maxPendingBytes);
      journal.join(journalName(this.logId), this);
    }
    this.#producers = new ProducersKeeper(
      new Producers(environment, this, parts.openedEpoch, onError),
      {
        metadata: this.#metadata,
        end: this.#end,
        failures,
        journaled: this.#journaled,
        onError,
      },
    );
    this.#segments = new WriterSegments(
      {
        environment,
        directory,
        options,
        failures,
        metadata: this.#metadata,
        end: this.#end,
        indexes: this.#indexes,
        publication: this.#publication,
        producers: this.#producers,
        upkeep: this.#upkeep,
      },
      recovered.segments,
    );
    this.#bounds = new LogBounds(this, {
      environment,
      options,
      failures,
      metadata: this.#metadata,
      end: this.#end,
      publication: this.#publication,
      segments: this.#segments,
      producers: this.#producers,
      journaled: this.#journaled,
      changes: this.#changes,
      onTruncated: parts.onTruncated,
    });
    this.#publication.tellReaders();
    this.#upkeep.schedule();
  }

  get startOffset(): number {
    return this.#metadata.now.startOffset;
  }

  get endOffset(): number {
    return Math.max(this.#publication.end.endOffset, this.#journaled?.endOffset ?? 0);
  }

  get segmentsEndOffset(): number {
    return this.#publication.end.endOffset;
  }

  get journaled(): JournaledAppends | undefined {
    return this.#journaled;
  }

  get tail(): LogTail | undefined {
    return this.#journaled?.tail;
  }

  get epoch(): number {
    return this.#metadata.now.epoch;
  }

  get logId(): Uint8Array {
    return this.#metadata.now.logId;
  }

  get segments(): readonly Segment[] {
    return this.#segments.all;
  }

  get active(): Segment {
    return this.#segments.active;
  }

  get endPosition(): number {
    return this.#publication.end.endPosition;
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

  get latestTimestamp(): number {
    return this.#clock.latest;
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
    if (!this.#mayJournal()) {
      return producer === undefined
        ? this.queue.append(record, signal)
        : this.queue.appendBatch([record], signal, producer).then(firstOffset);
    }
    const prepared = prepare(record);
    const { byteLength } = prepared;
    if (!this.#mayTake(byteLength, this.options.maxRecordBytes, producer, 1)) {
      return producer === undefined
        ? this.queue.appendPrepared(prepared, signal)
        : this.queue.appendPreparedBatch([prepared], signal, producer).then(firstOffset);
    }
    const journaled = this.#journaled!;
    const { nextOffset } = journaled;
    const appended = journaled.append(prepared, prepared.timestamp ?? this.timestamp(), producer);
    this.#noteJournaled(producer, 1, nextOffset);
    return appended;
  }

  /** See `CommitLog.appendBatch`. */
  appendBatch(
    records: readonly RecordInput[],
    signal: AbortSignal | undefined,
    producer: BlockProducer | undefined,
  ): Promise<AppendedBatch> {
    const { length } = records;
    // Larger batches go to the segments at once.
    const isFew = length > 0 && length <= MOST_BATCH_RECORDS;
    if (!isFew || !this.#mayJournal()) {
      return this.queue.appendBatch(records, signal, producer);
    }
    const prepared = records.map(prepare);
    const byteLength = prepared.reduce((sum, each) => sum + each.byteLength, 0);
    const { maxRecordBytes, maxBatchBytes } = this.options;
    const mostBytes = Math.min(maxRecordBytes, maxBatchBytes);
    if (!this.#mayTake(byteLength, mostBytes, producer, length)) {
      return this.queue.appendPreparedBatch(prepared, signal, producer);
    }
    const journaled = this.#journaled!;
    const { nextOffset } = journaled;
    const appended = journaled.appendBatch(prepared, this.timestamp(), producer);
    this.#noteJournaled(producer, length, nextOffset);
    return appended;
  }

  /** Once it is certain that it is on its way: what is noted is answered if it is sent again. */
  #noteJournaled(
    producer: BlockProducer | undefined,
    recordCount: number,
    baseOffset: number,
  ): void {
    if (producer === undefined || this.#journaled!.nextOffset === baseOffset) return;
    this.#producers.known.noteJournaled(producer, recordCount, baseOffset);
  }

  get producersTail(): LogTail | undefined {
    return this.#journaled?.producersTail;
  }

  /** Nothing that was accepted before may be overtaken. */
  #mayJournal(): boolean {
    return (
      this.#journaled !== undefined &&
      this.options.durability === "always" &&
      this.queue.isIdle &&
      this.#failures.poison === undefined &&
      // What was written and could not be synced for want of a handle has its offsets already.
      this.#end.written.endOffset <= this.#journaled.endOffset
    );
  }

  /**
   * Whether the journal takes what is prepared by now, for which code of the caller may have run,
   * and appended. What may be too long, or not follow, is left to the queue, which says so.
   */
  #mayTake(
    byteLength: number,
    mostBytes: number,
    producer: BlockProducer | undefined,
    recordCount: number,
  ): boolean {
    return (
      byteLength <= mostBytes &&
      this.#mayJournal() &&
      this.#journaled!.mayTake(byteLength) &&
      this.#producers.isKnownToFollow(producer, recordCount)
    );
  }

  onJournaled(): void {
    this.#changes.announce();
  }

  onJournalFailed(error: SeglogError): void {
    this.#producers.known.forgetJournaled();
    if (!isRetryable(error)) this.#failures.poisonWith(error);
  }

  /** What the log's tail in the journal, up to `endOffset`, is to be gathered in for {@link settleGathered}. */
  gatherTail(endOffset: number): GatheredTail {
    const from = this.#publication.end.endOffset;
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
    this.#failures.assertSound();
    this.#journal?.beginWork();
    try {
      if (this.#publication.isBehind) await this.#publication.catchUp();
      for (;;) {
        const piece = gathered.take(this.epoch, this.#publication.end.endOffset);
        if (piece === undefined) break;
        await this.#commitPiece(piece);
      }
    } finally {
      if (this.#upkeep.isDue) await this.#upkeep.runBesideAppends();
      this.#journal?.endWork();
    }
    this.#journaled.settled(this.#end.durable.endOffset);
    return this.#end.durable.endOffset >= gathered.wantedEnd;
  }

  /**
   * Moves what stands in the store's journal to the log's own segments, and syncs it. Run it
   * exclusively.
   */
  async settle(): Promise<void> {
    // One that was closed meanwhile did it then, or could not, and whoever closed it was told.
    if (this.#journaled === undefined || this.#closed !== undefined) return;
    await this.#journaled.drained();
    this.#failures.assertSound();
    if (this.endOffset > this.#publication.end.endOffset) {
      (await this.commit([]))();
      if (this.#failure !== undefined) throw this.#failure;
    }
    await this.flush();
    this.#journaled.settled(this.#end.durable.endOffset);
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
    const from = this.#publication.end.endOffset;
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

  prepareNext(batches: readonly PendingBatch[]): void {
    this.#end.prepareNext(batches);
  }

  async commit(appended: readonly PendingBatch[]): Promise<() => void> {
    this.#journal?.beginWork();
    try {
      const answer = appended.some(isOfProducer)
        ? await this.#commitOfProducers(appended)
        : await this.#commitBehindTail(appended);
      if (!this.#upkeep.isDue) return answer;
      answer();
      await this.#upkeep.run();
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
      await this.#producers.load();
    } catch (error) {
      // To fail to read changes nothing.
      this.queue.settle(appended.filter(isOfProducer), (batch) =>
        batch.reject(error as SeglogError),
      );
      return this.#commitBehindTail(appended.filter((batch) => !isOfProducer(batch)));
    }
    const { fresh, repeated } = sortedByVerdict(appended, this.#producers.known, this.queue);
    const answer = fresh.length === 0 ? () => {} : await this.#commitBehindTail(fresh);
    if (repeated.length === 0) return answer;
    // Of those that repeat one which could not be stored just now.
    const notStored = this.#failure;
    const failure = await this.#publication.catchUp().then(
      () => undefined,
      (error: unknown) => this.#failures.judge(error),
    );
    return () => {
      answer();
      answerRepeated(repeated, this.queue, failure, notStored);
    };
  }

  /** What stands in the journal comes first; the last piece of it is written with the rest. */
  async #commitBehindTail(appended: readonly PendingBatch[]): Promise<() => void> {
    this.#failure = undefined;
    let tail: readonly PendingBatch[] = [];
    try {
      // Else what comes now would be taken for what was written then.
      if (this.#publication.isBehind) await this.#publication.catchUp();
      while (this.#journaled?.hasTail(this.#publication.end.endOffset)) {
        tail = await this.#tailBatches();
        if (this.#isWholeTail(tail)) break;
        await this.#commitPiece(tail);
        tail = [];
      }
    } catch (error) {
      // To fail to read what is to be moved changes nothing.
      const isHarmless = this.#failures.poison === undefined && error instanceof SeglogError;
      const verdict = isHarmless ? error : this.#failures.judge(error);
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
    return this.#publication.end.endOffset + records === this.endOffset;
  }

  async #commit(batches: readonly PendingBatch[]): Promise<() => void> {
    const unsynced: PendingBatch[] = [];
    let answer = () => {};
    let next = 0;
    try {
      this.#failures.assertSound();
      // Nothing on this way waits for a turn unless it has to: the disk idles until it is written.
      const isFirstOfProducers = !this.#metadata.now.hasProducers && batches.some(isOfProducer);
      if (this.#metadata.now.clean || isFirstOfProducers)
        await this.#metadata.beginSession(this.#end.durable, isFirstOfProducers);
      while (next < batches.length) {
        if (this.#end.mustRoll(batches[next]!)) {
          await this.#end.takeRoomBack();
          await this.#end.sync();
          this.#publication.acknowledge(unsynced);
          await this.#segments.roll();
        }
        const run = this.#end.takeRun(batches, next);
        const baseOffset = this.#end.written.endOffset;
        await this.#end.write(run);
        this.#producers.known.note(run, baseOffset);
        unsynced.push(...run);
        next += run.length;
      }
      if (this.options.durability === "always") await this.#end.sync();
      else this.#end.syncAhead();
      answer = this.#publication.publish(unsynced);
    } catch (error) {
      const failure = this.#failures.judge(error);
      if (this.#failures.poison === undefined && unsynced.length > 0) {
        // What was written before the failure is whole; it is acknowledged as the policy says.
        await this.#publication.acknowledgeRest(unsynced);
      }
      // Logs would give the offsets of what was written and refused to other records.
      if (this.#isJournal && this.#publication.isBehind) this.#failures.poisonWith(failure);
      const verdict = this.#failures.poison ?? failure;
      this.#failure = verdict;
      this.queue.settle(unsynced, (batch) => batch.reject(verdict));
      this.queue.settle(batches.slice(next), (batch) => batch.reject(verdict));
      if (this.#isJournal) this.queue.failAll(verdict);
    }
    return answer;
  }

  /** Resolves when everything written so far is on stable storage. Run it exclusively. */
  async flush(): Promise<void> {
    this.#failures.assertSound();
    try {
      // What is acknowledged there is synced.
      await this.#journaled?.drained();
      await this.#end.sync();
    } catch (error) {
      throw this.#failures.judge(error);
    }
  }

  /** See `CommitLog.truncateTo`. Run it exclusively. */
  truncateTo(offset: number): Promise<void> {
    return this.#bounds.truncateTo(offset);
  }

  /** See `CommitLog.deleteBefore`. Run it exclusively. */
  deleteBefore(offset: number): Promise<void> {
    return this.#bounds.deleteBefore(offset);
  }

  /** See `CommitLog.producer`. Run it exclusively. */
  async producer(id: bigint): Promise<ProducerState | undefined> {
    await this.#journaled?.drained();
    if (!this.#producers.mayBeAny) return undefined;
    await this.#producers.load();
    // What a crash can still take is not to be built on.
    await this.#publication.catchUp();
    return this.#producers.known.state(id);
  }

  /** Syncs, leaves the marker of a clean close, and lets go of all files. Run it exclusively. */
  async close(reason: SeglogError): Promise<void> {
    this.#publication.stop();
    this.#upkeep.stop();
    try {
      // Before anything else: what is answered after the close would be of another writer's log.
      await this.#journaled?.drained();
      this.#failures.assertSound();
      await this.settle();
      await this.#failures.change(async () => {
        await this.#end.takeRoomBack();
        await this.#end.sync();
        if (this.#metadata.now.clean) return;
        await this.#indexes.saveActive();
        await this.#producers.save();
        await this.#metadata.replace({ clean: true, end: this.#end.durable });
      });
    } finally {
      this.#closed = reason;
      this.#journal?.leave(journalName(this.logId), this);
      this.#changes.announce();
      await this.#indexes.saved();
      await this.#segments.close();
    }
  }

  activeIndex(): SegmentIndex | Promise<SegmentIndex> {
    return this.#indexes.active();
  }

  get openedRevision(): number {
    return this.#metadata.openedRevision;
  }

  get isClosed(): boolean {
    return this.#closed !== undefined;
  }

  rollAged(): Promise<void> {
    return this.#segments.rollAged();
  }

  removeDeleted(): Promise<void> {
    return this.#segments.removeDropped();
  }
}

function firstOffset({ baseOffset }: AppendedBatch): number {
  return baseOffset;
}
