import type { SeglogError } from "../errors.js";
import { runSteps } from "../files/steps.js";
import type { LogEnd } from "../format/log-metadata.js";
import { Segment } from "../segment/segment.js";
import type { ActiveEnd } from "./active-end.js";
import type { LogEnvironment } from "./environment.js";
import type { LogFailures } from "./log-failures.js";
import { createSegmentFile } from "./log-files.js";
import type { LogUpkeep } from "./log-upkeep.js";
import type { MetadataKeeper } from "./metadata-keeper.js";
import type { ResolvedLogOptions } from "./options.js";
import type { ProducersKeeper } from "./producers-keeper.js";
import type { Publication } from "./publication.js";
import { removeSegment } from "./segment-removal.js";
import { segmentIndexOf } from "./segment-search.js";
import type { WriterIndexes } from "./writer-indexes.js";

/** What the segments of a log work with. */
export interface WriterSegmentsParts {
  readonly environment: LogEnvironment;
  readonly directory: string;
  readonly options: ResolvedLogOptions;
  readonly failures: LogFailures;
  readonly metadata: MetadataKeeper;
  readonly end: ActiveEnd;
  readonly indexes: WriterIndexes;
  readonly publication: Publication;
  readonly producers: ProducersKeeper;
  readonly upkeep: LogUpkeep;
}

/**
 * The segments of a log that is open for writing, and how it goes on from one to the next.
 *
 * Every handle is in one of three lists until its file is removed or the log closed: those of the
 * log, of which the last one is active; those that are made and not yet part of it; those that are
 * no longer.
 */
export class WriterSegments {
  readonly #environment: LogEnvironment;
  readonly #directory: string;
  readonly #options: ResolvedLogOptions;
  readonly #failures: LogFailures;
  readonly #metadata: MetadataKeeper;
  readonly #end: ActiveEnd;
  readonly #indexes: WriterIndexes;
  readonly #publication: Publication;
  readonly #producers: ProducersKeeper;
  readonly #upkeep: LogUpkeep;
  #all: readonly Segment[];
  /** Segments that were made and, if something failed, never became part of the log. */
  #unentered: Segment[] = [];
  /** Segments before the start, the oldest first, whose files are yet to be removed. */
  #dropped: Segment[] = [];

  /** @param opened - Those that the log has, the active one last. */
  constructor(parts: WriterSegmentsParts, opened: readonly Segment[]) {
    this.#environment = parts.environment;
    this.#directory = parts.directory;
    this.#options = parts.options;
    this.#failures = parts.failures;
    this.#metadata = parts.metadata;
    this.#end = parts.end;
    this.#indexes = parts.indexes;
    this.#publication = parts.publication;
    this.#producers = parts.producers;
    this.#upkeep = parts.upkeep;
    this.#all = opened;
    for (const segment of opened) this.#indexes.adopt(segment);
    this.#adoptActive();
  }

  /** In the order of their base offsets, never empty. */
  get all(): readonly Segment[] {
    return this.#all;
  }

  /** The one that is written to. */
  get active(): Segment {
    return this.#all[this.#all.length - 1]!;
  }

  /** The first segment of a log that begins with `offset`; at most the active one. */
  firstWith(offset: number): Segment {
    return this.#all[segmentIndexOf(this.#all, offset)]!;
  }

  /** Makes the handle of a data file that was made or replaced; {@link enter} must follow. */
  open(baseOffset: number): Segment {
    const { indexIntervalBytes } = this.#options;
    const { logId } = this.#metadata.now;
    const owner = { directory: this.#directory, logId, indexIntervalBytes };
    const segment = new Segment(this.#environment.pool, owner, baseOffset, "update");
    this.#unentered.push(segment);
    this.#indexes.adopt(segment);
    return segment;
  }

  /**
   * Seals the active segment, which must be synced, and begins the next one. If that fails, nothing
   * may be written before it is done again: what went into this segment would be hidden by the
   * file of the next one, which may be there.
   */
  async roll(): Promise<void> {
    const sealed = this.active;
    const { fileSystem, pool } = this.#environment;
    this.#end.mustRollFirst = true;
    const { checksum: headerChecksum } = await runSteps(sealed.header());
    const { logId, epoch } = this.#metadata.now;
    await pool.transient(() =>
      createSegmentFile(fileSystem, this.#directory, {
        logId,
        epoch,
        baseOffset: this.#end.written.endOffset,
        createdAt: this.#environment.now(),
        predecessor: {
          baseOffset: sealed.baseOffset,
          checksum: this.#end.written.lastChecksum,
          headerChecksum,
        },
      }),
    );
    await this.#indexes.saveActive();
    sealed.setEndPosition(this.#end.written.endPosition);
    await this.enter([...this.#all, this.open(this.#end.written.endOffset)]);
    sealed.file.syncBeforeClose = undefined;
    sealed.onIndexUnwanted = undefined;
    await this.#producers.save();
    this.#upkeep.isDue = true;
  }

  /** Goes on from a segment that is too old. */
  rollAged(): Promise<void> {
    return this.#failures.change(async () => {
      await this.#metadata.beginSession(this.#end.durable);
      await this.#end.takeRoomBack();
      await this.#end.sync();
      await this.roll();
    });
  }

  /** Takes over segments of which the last one is new: the log ends in it, for readers as well. */
  async enter(segments: readonly Segment[]): Promise<void> {
    const active = segments[segments.length - 1]!;
    const header = await runSteps(active.header());
    const end: LogEnd = {
      activeBaseOffset: active.baseOffset,
      endOffset: active.baseOffset,
      maxTimestamp: this.#end.written.maxTimestamp,
      endPosition: header.headerLength,
      lastBlockPosition: 0,
      lastChecksum: header.checksum,
    };
    this.#all = segments;
    this.#unentered = [];
    this.#end.enter(end);
    this.#publication.moveTo(end);
    this.#adoptActive();
    this.#publication.tellReaders();
  }

  /** The log begins with `offset` now, durably: what lies before the segment with it is no part. */
  dropBefore(offset: number): void {
    const count = segmentIndexOf(this.#all, offset);
    for (const segment of this.#all.slice(0, count)) {
      this.#environment.indexCache.forget(segment);
      this.#dropped.push(segment);
    }
    this.#all = this.#all.slice(count);
  }

  /**
   * Removes the files of segments that are no longer part of the log. Nothing depends on it, so a
   * failure is told and no more; the next deletion tries again, and so does the next open.
   */
  async removeDropped(): Promise<void> {
    try {
      for (let oldest = this.#dropped[0]; oldest !== undefined; oldest = this.#dropped[0]) {
        await removeSegment(this.#environment.fileSystem, oldest);
        this.#dropped.shift();
      }
    } catch (error) {
      this.#options.onError(error as SeglogError);
    }
  }

  /** What was to be kept is synced by now, so that nothing depends on how closing a file goes. */
  async close(): Promise<void> {
    for (const segment of [...this.#dropped, ...this.#all, ...this.#unentered]) {
      this.#environment.indexCache.forget(segment);
      await segment.file.close().catch(() => undefined);
    }
    await this.#environment.pool.discardsDone();
  }

  /** The active segment's handle may be closed as idle, and its index dropped, but not just so. */
  #adoptActive(): void {
    this.active.file.syncBeforeClose = () => this.#end.syncInBackground();
    this.#indexes.adoptActive(this.active);
  }
}
