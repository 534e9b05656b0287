import { type CorruptionError, SeglogError } from "../errors.js";
import { runSteps } from "../files/steps.js";
import { journalName } from "../format/journal-key.js";
import {
  encodeLogMetadata,
  type LogEnd,
  type LogMetadata,
  type TruncationBound,
} from "../format/log-metadata.js";
import type { PublishedEnd } from "../format/published-end.js";
import { Segment } from "../segment/segment.js";
import type { BlockCache } from "./block-cache.js";
import type { LogEnvironment } from "./environment.js";
import type { IndexCache } from "./index-cache.js";
import type { JournaledRun, JournalIndex } from "./journal-index.js";
import {
  checkEpoch,
  checkSegments,
  damageIn,
  isAtMarker,
  judgeReplaced,
  livingSegments,
  pendingTruncation,
} from "./judgement.js";
import { type LogListing, listLog, readMetadata } from "./log-files.js";
import { journaledBehindTruncation, LogTail, missingBeforeJournal } from "./log-tail.js";
import type { LogView } from "./log-view.js";
import { judgeOvertaken, logTruncated } from "./overtaken.js";
import { MAX_ATTEMPTS, POLL_MS, pause } from "./polling.js";
import { PublishedReader } from "./published-reader.js";
import { NOTHING_RECOVERED, type RecoveryReport } from "./recovery-report.js";
import { SharedRounds } from "./shared-rounds.js";
import { scanTail, type TailScan } from "./tail-scan.js";
import { dataBeforeRoom, tornEndOf } from "./torn-end.js";
import { writerDirectory } from "./writer-directory.js";

/** The journal of a store as its readers see it. */
export interface FollowedJournal {
  readonly view: LogView | undefined;
  readonly index: JournalIndex;
  /** Looks what its writer has published. */
  refresh(): Promise<void>;
}

/**
 * What a scan saw. A later writer may have written into room, so that the file is as long as it was:
 * but then it has replaced `log.meta` before. One that was seen between doing so and publishing may
 * have gone on to another segment, which is as long.
 */
interface Scanned {
  readonly baseOffset: number;
  readonly fileBytes: number;
  readonly metadata: LogMetadata;
}

/**
 * The reading side of a log that another process may be writing to. It takes no lock and writes
 * nothing. While a writer lives, it believes what that publishes; else it reads the last segment
 * to the end of its complete batches.
 */
export class LogFollower implements LogView {
  readonly directory: string;
  readonly #environment: LogEnvironment;
  readonly #indexIntervalBytes: number;
  readonly #published: PublishedReader;
  readonly #journal: FollowedJournal | undefined;
  #tail: LogTail | undefined;
  /** What the journal had of the log when this last looked: other logs move it on. */
  #run: JournaledRun | undefined;
  #metadata: LogMetadata;
  #segments: readonly Segment[] = [];
  #end: LogEnd;
  #session: string | undefined;
  #scanned: Scanned | undefined;
  /** Where a truncation cuts the log that was interrupted; infinity if there is none. */
  #truncatedAt = Number.POSITIVE_INFINITY;
  #damage: CorruptionError | undefined;
  #report: Omit<RecoveryReport, "durationMs"> = { ...NOTHING_RECOVERED, kind: "read-only" };
  #closed: SeglogError | undefined;
  readonly #looks = new SharedRounds(() => this.#look());

  private constructor(
    environment: LogEnvironment,
    directory: string,
    indexIntervalBytes: number,
    metadata: LogMetadata,
    published: PublishedReader,
    journal: FollowedJournal | undefined,
  ) {
    this.#environment = environment;
    this.directory = directory;
    this.#indexIntervalBytes = indexIntervalBytes;
    this.#metadata = metadata;
    this.#end = metadata.end;
    this.#published = published;
    this.#journal = journal;
  }

  /**
   * @param journal - Of the store that the log belongs to.
   * @throws CorruptionError, SeglogError `NOT_A_LOG`, `UNSUPPORTED_FORMAT`.
   */
  static async open(
    environment: LogEnvironment,
    directory: string,
    indexIntervalBytes: number,
    journal: FollowedJournal | undefined,
  ): Promise<LogFollower> {
    const { fileSystem } = environment;
    const metadata = await readMetadata(fileSystem, directory);
    const above = await writerDirectory(fileSystem, directory, metadata);
    const follower = new LogFollower(
      environment,
      directory,
      indexIntervalBytes,
      metadata,
      new PublishedReader(fileSystem, above, metadata.logId),
      journal,
    );
    try {
      await follower.#looks.run();
    } catch (error) {
      await follower.close(error as SeglogError);
      throw error;
    }
    return follower;
  }

  get startOffset(): number {
    return this.#metadata.startOffset;
  }

  get endOffset(): number {
    return this.#damage === undefined && this.#run !== undefined
      ? Math.max(this.#end.endOffset, this.#run.endOffset)
      : this.#end.endOffset;
  }

  get segmentsEndOffset(): number {
    return this.#end.endOffset;
  }

  get tail(): LogTail | undefined {
    const view = this.#journal?.view;
    if (view === undefined) return undefined;
    this.#tail ??= new LogTail(view, () => this.#run, journalName(this.logId));
    return this.#tail;
  }

  get epoch(): number {
    return this.#metadata.epoch;
  }

  get segments(): readonly Segment[] {
    return this.#segments;
  }

  get endPosition(): number {
    return this.#end.endPosition;
  }

  get indexCache(): IndexCache {
    return this.#environment.indexCache;
  }

  get blockCache(): BlockCache {
    return this.#environment.blockCache;
  }

  get logId(): Uint8Array {
    return this.#metadata.logId;
  }

  /** What opening found; later looks do not change it. */
  get report(): Omit<RecoveryReport, "durationMs"> {
    return this.#report;
  }

  assertOpen(): void {
    if (this.#closed !== undefined) throw this.#closed;
  }

  assertWhole(): void {
    if (this.#damage !== undefined) throw this.#damage;
  }

  async refresh(): Promise<void> {
    this.assertOpen();
    const { epoch } = this;
    await this.#looks.run();
    if (this.epoch !== epoch) throw logTruncated(this.directory, epoch, this.epoch);
    this.assertWhole();
  }

  async overtaken(offset: number, epoch: number): Promise<SeglogError | undefined> {
    await this.refresh().catch(() => undefined);
    const judgement = judgeOvertaken(this, offset, epoch);
    if (judgement !== undefined) return judgement;
    // A writer that is about to remove files has said so in log.meta, but has not yet published it.
    const { fileSystem } = this.#environment;
    const metadata = await readMetadata(fileSystem, this.directory).catch(() => this.#metadata);
    const { directory, endOffset } = this;
    return judgeOvertaken({ ...metadata, directory, endOffset }, offset, epoch);
  }

  async changed(seen: number, signal: AbortSignal | undefined): Promise<void> {
    while (this.#closed === undefined && this.endOffset === seen) {
      signal?.throwIfAborted();
      await this.refresh();
      if (this.endOffset !== seen) return;
      await pause(POLL_MS, signal);
    }
  }

  async close(reason: SeglogError): Promise<void> {
    this.#closed ??= reason;
    await this.#looks.done();
    await this.#dropSegments(this.#segments);
    await this.#environment.pool.discardsDone();
  }

  async #look(): Promise<void> {
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
      const { epoch } = this;
      // Before the log's own end is looked at: what leaves the journal is in the segments by then.
      await this.#journal?.refresh();
      const run = this.#journal?.index.runOf(journalName(this.logId));
      const state = await this.#published.read();
      // A writer that has not published this log's end yet may still replace files of it.
      const session = state?.end === undefined ? undefined : state.session;
      const isNewSession = session !== this.#session;
      const isOfOneMoment =
        state?.end === undefined
          ? await this.#lookAtFiles(isNewSession)
          : await this.#adopt(state.end, isNewSession);
      if (!isOfOneMoment) {
        // Whatever a writer is about to do takes it a while.
        await pause(POLL_MS, undefined);
        continue;
      }
      // What leaves the journal because the log is truncated is nowhere.
      if (this.epoch !== epoch) continue;
      this.#run = run;
      this.#checkTail();
      // Only now: a look that fails must not keep the next one from opening files anew.
      this.#session = session;
      return;
    }
    throw new SeglogError(
      "IO_ERROR",
      `${this.directory} changed faster than it could be listed. Try again.`,
    );
  }

  #checkTail(): void {
    const { endOffset } = this.#end;
    if (this.#run === undefined) return;
    if (this.#run.endOffset > this.#truncatedAt) {
      this.#damage ??= journaledBehindTruncation(this.directory, this.#truncatedAt);
    } else if (this.#run.firstOffset > endOffset) {
      this.#damage ??= missingBeforeJournal(this.directory, endOffset);
    }
  }

  /** Takes over what a living writer says. Returns whether that fits the files; else look again. */
  async #adopt(end: PublishedEnd, isNewSession: boolean): Promise<boolean> {
    const isSameRevision = !isNewSession && end.revision === this.#metadata.revision;
    let dropped: readonly Segment[] = [];
    const isKnown =
      isSameRevision &&
      end.epoch === this.epoch &&
      end.startOffset === this.startOffset &&
      end.activeBaseOffset === this.#segments[this.#segments.length - 1]?.baseOffset;
    if (!isKnown) {
      const listing = await this.#list();
      const baseOffsets = listing.baseOffsets.filter((base) => base <= end.activeBaseOffset);
      if (!baseOffsets.includes(end.activeBaseOffset)) return false;
      const { epoch, startOffset, revision } = end;
      const living = livingSegments(baseOffsets, startOffset, undefined);
      const isReplaced = isNewSession || epoch !== this.epoch;
      // The log may have been closed and recovered while its store stayed open.
      const same = isSameRevision ? this.#segments : this.#segments.slice(0, -1);
      dropped = this.#replaceSegments(living, isReplaced ? [] : same);
      this.#metadata = { ...this.#metadata, epoch, startOffset, revision };
    }
    // In one turn with the segments: a read in between would take all of the file for the log.
    this.#end = { ...end, lastBlockPosition: 0, lastChecksum: 0 };
    this.#damage = undefined;
    this.#truncatedAt = Number.POSITIVE_INFINITY;
    this.#segments[this.#segments.length - 1]!.setEndPosition(end.endPosition);
    await this.#dropSegments(dropped);
    return true;
  }

  /**
   * Without a writer, the files speak for themselves. A writer that comes and goes meanwhile shows
   * in `log.meta` or in what it publishes; then what was seen is of no one moment, and neither its
   * end nor its damage counts.
   *
   * @returns Whether what was seen is of one moment; else look again.
   */
  async #lookAtFiles(isNewSession: boolean): Promise<boolean> {
    const metadata = await readMetadata(this.#environment.fileSystem, this.directory);
    try {
      await this.#judgeFiles(metadata, isNewSession);
    } catch (error) {
      if (await this.#isOvertakenBy(metadata)) return false;
      throw error;
    }
    return !(await this.#isOvertakenBy(metadata));
  }

  async #isOvertakenBy(before: LogMetadata): Promise<boolean> {
    if ((await this.#published.read())?.end !== undefined) return true;
    const now = await readMetadata(this.#environment.fileSystem, this.directory);
    return !isSameMetadata(before, now);
  }

  async #judgeFiles(metadata: LogMetadata, isNewSession: boolean): Promise<void> {
    const listing = await this.#list();
    const isReplaced = isNewSession || metadata.epoch !== this.epoch;
    // An interrupted truncation has not cut the files yet, but its bound holds.
    const published = await this.#published.last();
    const pending = await this.#pendingTruncation(metadata, published, listing);
    this.#truncatedAt = pending?.offset ?? Number.POSITIVE_INFINITY;
    const living = livingSegments(listing.baseOffsets, metadata.startOffset, pending);
    checkSegments(this.directory, living, metadata, pending, published);
    const same = isReplaced ? [] : this.#sameFiles(living.at(-1));
    await this.#dropSegments(this.#replaceSegments(living, same));
    const known = this.#segments[this.#segments.length - 1];
    if (known === undefined) {
      this.#adoptNothing(metadata);
      return;
    }
    // A recovery may have put another file in its place, which this one's handle does not show.
    const last = this.#segment(known.baseOffset);
    const fileBytes = await runSteps(last.end()).catch(async (error: unknown) => {
      await last.file.close();
      throw error;
    });
    this.#metadata = metadata;
    const looked: Scanned = { baseOffset: last.baseOffset, fileBytes, metadata };
    if (!isReplaced && this.#scanned !== undefined && isSame(this.#scanned, looked)) {
      await last.file.close();
      known.setEndPosition(this.#end.endPosition);
      return;
    }
    // Until it is judged, nothing is known of it.
    this.#scanned = undefined;
    this.#segments = [...this.#segments.slice(0, -1), last];
    await this.#dropSegments([known]);
    const header = await runSteps(last.header());
    checkEpoch(this.directory, header, metadata);
    if (metadata.clean && (await isAtMarker(last, metadata))) {
      this.#end = metadata.end;
      this.#damage = undefined;
    } else {
      const replaced = await judgeReplaced(last, header, metadata);
      const scan = await scanTail(last);
      const since = { bootId: await this.#environment.fileSystem.bootId(), published };
      // What stands behind the bound is about to be cut, damaged or not.
      const damage =
        scan.end.endOffset >= this.#truncatedAt ? undefined : damageIn(last, scan, metadata, since);
      // What stands before damage can be read; of another file, nothing.
      if (damage === undefined && replaced !== undefined) throw replaced;
      this.#adoptScan(
        scan,
        await tornEndOf(last, scan, dataBeforeRoom(last.baseOffset, metadata, published)),
      );
      this.#damage = damage;
      // Whoever read meanwhile may have made one of all of the file.
      last.setIndex(scan.index);
      this.#environment.indexCache.touch(last);
    }
    this.#scanned = looked;
    last.setEndPosition(this.#end.endPosition);
  }

  async #pendingTruncation(
    metadata: LogMetadata,
    published: PublishedEnd | undefined,
    { baseOffsets }: LogListing,
  ): Promise<TruncationBound | undefined> {
    const base = baseOffsets.at(-1);
    const newest = base === undefined ? undefined : this.#segment(base);
    try {
      return await pendingTruncation(metadata, published, newest);
    } finally {
      await newest?.file.close();
    }
  }

  /** A truncation to the start was interrupted before it made its segment: the log is empty. */
  #adoptNothing(metadata: LogMetadata): void {
    const { startOffset: endOffset, end } = metadata;
    this.#metadata = metadata;
    this.#end = {
      activeBaseOffset: endOffset,
      endOffset,
      maxTimestamp: end.maxTimestamp,
      endPosition: 0,
      lastBlockPosition: 0,
      lastChecksum: 0,
    };
    this.#damage = undefined;
    this.#scanned = undefined;
  }

  #adoptScan(scan: TailScan, tornEnd: number): void {
    const { end } = scan;
    this.#end = { ...end, endOffset: Math.min(end.endOffset, this.#truncatedAt) };
    const cutBytes = tornEnd - end.endPosition;
    this.#report = {
      ...this.#report,
      scannedBytes: scan.fileBytes,
      scannedRecords: scan.index.summary.records,
      cutBytes,
      cutPosition: cutBytes > 0 ? end.endPosition : undefined,
      cutReason: cutBytes > 0 ? scan.reason : undefined,
    };
  }

  async #list(): Promise<LogListing> {
    const listing = await listLog(this.#environment.fileSystem, this.directory);
    if (listing === undefined) throw notALog(this.directory);
    return listing;
  }

  /**
   * Segments whose files are still those that they were, in one epoch, with or without a writer in
   * between: a recovery replaces the file of the last one, which by now need not be the last.
   */
  #sameFiles(newestBaseOffset: number | undefined): readonly Segment[] {
    const isLastStill = this.#segments.at(-1)?.baseOffset === newestBaseOffset;
    return isLastStill ? this.#segments : this.#segments.slice(0, -1);
  }

  /**
   * @param same - Segments to keep; others are opened anew, as their files may be others.
   * @returns Those that are of no use any more.
   */
  #replaceSegments(baseOffsets: readonly number[], same: readonly Segment[]): readonly Segment[] {
    const known = new Map(same.map((each) => [each.baseOffset, each]));
    const before = this.#segments;
    // What was the last one may have grown and been sealed since.
    before[before.length - 1]?.setEndPosition(undefined);
    this.#segments = baseOffsets.map((base) => known.get(base) ?? this.#segment(base));
    const kept = new Set(this.#segments);
    return before.filter((segment) => !kept.has(segment));
  }

  #segment(baseOffset: number): Segment {
    const { directory, logId } = this;
    const owner = { directory, logId, indexIntervalBytes: this.#indexIntervalBytes };
    return new Segment(this.#environment.pool, owner, baseOffset, "read");
  }

  async #dropSegments(segments: readonly Segment[]): Promise<void> {
    for (const segment of segments) {
      this.#environment.indexCache.forget(segment);
      segment.dropIndex();
      // It was only read. A file that cannot be closed is no reason to leave the others open.
      await segment.file.close().catch(() => undefined);
    }
  }
}

/** The error for a directory that holds no log. */
export function notALog(directory: string): SeglogError {
  return new SeglogError(
    "NOT_A_LOG",
    `${directory} holds no log. Check the path, or open it for writing to make one.`,
  );
}

function isSame(one: Scanned, other: Scanned): boolean {
  return (
    one.baseOffset === other.baseOffset &&
    one.fileBytes === other.fileBytes &&
    isSameMetadata(one.metadata, other.metadata)
  );
}

function isSameMetadata(one: LogMetadata, other: LogMetadata): boolean {
  return Buffer.compare(encodeLogMetadata(one), encodeLogMetadata(other)) === 0;
}
