import type { SeglogError } from "../errors.js";
import type { BlockProducer } from "../format/block-header.js";
import { journalName } from "../format/journal-key.js";
import type { ProducerState } from "../format/producer-snapshot.js";
import type { RecordInput } from "../format/record.js";
import type { Segment } from "../segment/segment.js";
import type { SegmentIndex } from "../segment/segment-index.js";
import { ActiveEnd, type EndedLog } from "./active-end.js";
import { AppendQueue, type QueueOwner } from "./append-queue.js";
import { AppendWays } from "./append-ways.js";
import type { AppendedBatch } from "./appended-batch.js";
import type { BlockCache } from "./block-cache.js";
import type { BufferPool } from "./buffer-pool.js";
import { Changes } from "./changes.js";
import type { LogEnvironment } from "./environment.js";
import type { GatheredTail } from "./gathered-tail.js";
import { GroupCommit } from "./group-commit.js";
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
import type { PendingBatch } from "./pending.js";
import { type OpenedEpoch, Producers } from "./producers.js";
import { ProducersKeeper } from "./producers-keeper.js";
import { Publication, type PublishedLog } from "./publication.js";
import type { RecoveredLog } from "./recovery.js";
import { SegmentCommits } from "./segment-commits.js";
import { TailSettling } from "./tail-settling.js";
import { type IndexedLog, WriterIndexes } from "./writer-indexes.js";
import { WriterSegments } from "./writer-segments.js";
import type { PublishedSlots } from "./writer-session.js";

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
 * The writing side of a log. It has no rules of its own but for how it closes: it makes the parts
 * that have them, and is what each of them knows of the log.
 *
 * An append takes one of two ways ({@link AppendWays}): into the {@link AppendQueue}, whose rounds
 * {@link GroupCommit} brings to the segments by {@link SegmentCommits}, or to the journal of the
 * store ({@link JournaledAppends}), from where {@link TailSettling} moves it to the segments later.
 *
 * There are three ends. {@link ActiveEnd} has where the next batch goes, `written`, and what the last
 * sync covered, `durable`; {@link Publication} has the one that readers see.
 *
 * What is to be run exclusively goes through the queue, so that no two things change the log at once.
 */
export class LogWriter implements LogView, QueueOwner, EndedLog, IndexedLog, KeptLog, PublishedLog {
  readonly directory: string;
  readonly options: ResolvedLogOptions;
  readonly queue: AppendQueue;
  readonly #environment: LogEnvironment;
  readonly #clock: LogClock;
  readonly #failures: LogFailures;
  readonly #metadata: MetadataKeeper;
  readonly #end: ActiveEnd;
  readonly #changes = new Changes();
  readonly #publication: Publication;
  readonly #indexes: WriterIndexes;
  readonly #upkeep: LogUpkeep;
  readonly #journal: Journal | undefined;
  readonly #journaled: JournaledAppends | undefined;
  readonly #producers: ProducersKeeper;
  readonly #segments: WriterSegments;
  readonly #bounds: LogBounds;
  readonly #settling: TailSettling | undefined;
  readonly #groupCommit: GroupCommit;
  readonly #ways: AppendWays;
  #closed: SeglogError | undefined;

  constructor(given: LogWriterParts) {
    const { environment, directory, options, recovered, bootId, published, journal } = given;
    const { maxClockStepMs, maxPendingBytes, onError } = options;
    const { end: opened, activeCreatedAt } = recovered;
    this.directory = directory;
    this.options = options;
    this.#environment = environment;

    // What tells the state of the log.
    const queue = new AppendQueue(this);
    const { now } = environment;
    const clock = new LogClock(now, opened.maxTimestamp, directory, maxClockStepMs, onError);
    const failures = new LogFailures(directory, (poison) => {
      end.dropPrepared();
      queue.refuse(poison);
      queue.rejectQueued(poison);
    });
    const end = new ActiveEnd(environment, options, this, failures, opened, activeCreatedAt);
    const metadata = new MetadataKeeper(
      environment,
      directory,
      options,
      bootId,
      failures,
      recovered.metadata,
    );
    const changes = this.#changes;
    const publication = new Publication(this, end, failures, changes, published);
    const indexes = new WriterIndexes(environment, this, end);
    const upkeep = new LogUpkeep(environment, this, end, failures);
    this.queue = queue;
    this.#clock = clock;
    this.#failures = failures;
    this.#end = end;
    this.#metadata = metadata;
    this.#publication = publication;
    this.#indexes = indexes;
    this.#upkeep = upkeep;
    this.#journal = journal;
    const journaled =
      journal && new JournaledAppends(journal, this, opened.endOffset, maxPendingBytes);
    this.#journaled = journaled;

    // What is done with it.
    const state = { environment, directory, options, clock, queue, failures, metadata, end };
    const parts = { ...state, changes, publication, indexes, upkeep, journal, journaled };
    const known = new Producers(environment, this, given.openedEpoch, onError);
    const producers = new ProducersKeeper(known, { ...parts, onError });
    const segments = new WriterSegments({ ...parts, producers }, recovered.segments);
    const { onTruncated, isJournal } = given;
    const commits = new SegmentCommits({ ...parts, producers: known, segments, isJournal });
    this.#producers = producers;
    this.#segments = segments;
    this.#bounds = new LogBounds(this, { ...parts, producers, segments, onTruncated });
    if (journal !== undefined && journaled !== undefined) {
      this.#settling = new TailSettling(this, journal, journaled, { ...parts, commits });
      journal.join(journalName(this.logId), this);
    }
    const settling = this.#settling;
    this.#groupCommit = new GroupCommit({ ...parts, producers, commits, settling });
    this.#ways = new AppendWays({ ...parts, producers });
    publication.tellReaders();
    upkeep.schedule();
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

  get producersTail(): LogTail | undefined {
    return this.#journaled?.producersTail;
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

  get openedRevision(): number {
    return this.#metadata.openedRevision;
  }

  get isClosed(): boolean {
    return this.#closed !== undefined;
  }

  activeIndex(): SegmentIndex | Promise<SegmentIndex> {
    return this.#indexes.active();
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
    return this.#ways.append(record, signal, producer);
  }

  /** See `CommitLog.appendBatch`. */
  appendBatch(
    records: readonly RecordInput[],
    signal: AbortSignal | undefined,
    producer: BlockProducer | undefined,
  ): Promise<AppendedBatch> {
    return this.#ways.appendBatch(records, signal, producer);
  }

  onJournaled(): void {
    this.#changes.announce();
  }

  onJournalFailed(error: SeglogError): void {
    this.#producers.known.forgetJournaled();
    if (!isRetryable(error)) this.#failures.poisonWith(error);
  }

  prepareNext(batches: readonly PendingBatch[]): void {
    this.#end.prepareNext(batches);
  }

  commit(appended: readonly PendingBatch[]): Promise<() => void> {
    return this.#groupCommit.commit(appended);
  }

  /** See {@link TailSettling.gather}. Only a journal asks, of its members. */
  gatherTail(endOffset: number): GatheredTail {
    return this.#settling!.gather(endOffset);
  }

  /** See {@link TailSettling.settleGathered}. */
  settleGathered(gathered: GatheredTail): Promise<boolean> {
    // One that was closed meanwhile has settled all of it.
    if (this.#settling === undefined || this.#closed !== undefined) return Promise.resolve(true);
    return this.#settling.settleGathered(gathered);
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
    if (this.endOffset > this.segmentsEndOffset) await this.#groupCommit.commitTail();
    await this.flush();
    this.#journaled.settled(this.#end.durable.endOffset);
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

  rollAged(): Promise<void> {
    return this.#segments.rollAged();
  }

  removeDeleted(): Promise<void> {
    return this.#segments.removeDropped();
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
}
