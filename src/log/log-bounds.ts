import { OffsetOutOfRangeError, type SeglogError } from "../errors.js";
import { runSteps } from "../files/steps.js";
import type { Segment } from "../segment/segment.js";
import type { ActiveEnd } from "./active-end.js";
import type { Changes } from "./changes.js";
import type { LogEnvironment } from "./environment.js";
import { epochAfter } from "./epoch.js";
import type { JournaledAppends } from "./journaled-appends.js";
import type { LogFailures } from "./log-failures.js";
import { assertFollowed } from "./log-reader.js";
import type { LogView } from "./log-view.js";
import type { MetadataKeeper } from "./metadata-keeper.js";
import type { ResolvedLogOptions } from "./options.js";
import type { ProducersKeeper } from "./producers-keeper.js";
import type { Publication } from "./publication.js";
import { removeSegment } from "./segment-removal.js";
import { applyTruncation, assertSoundBelow, type TruncationTarget } from "./truncation.js";
import type { WriterSegments } from "./writer-segments.js";

/** The log whose bounds are changed. */
export interface BoundedLog extends LogView {
  /** Moves what stands in the store's journal to the segments, and syncs it. */
  settle(): Promise<void>;
}

/** What the bounds of a log are changed with. */
export interface LogBoundsParts {
  readonly environment: LogEnvironment;
  readonly options: ResolvedLogOptions;
  readonly failures: LogFailures;
  readonly metadata: MetadataKeeper;
  readonly end: ActiveEnd;
  readonly publication: Publication;
  readonly segments: WriterSegments;
  readonly producers: ProducersKeeper;
  readonly journaled: JournaledAppends | undefined;
  readonly changes: Changes;
  /** Called after a truncation, before the next append is taken. */
  readonly onTruncated: ((endOffset: number) => Promise<void>) | undefined;
}

/**
 * Changes the bounds of a log that is open for writing: where it ends, and where it begins. The new
 * bound is durable before any file goes, and whatever a crash leaves, the next open goes on from
 * there.
 */
export class LogBounds {
  readonly #log: BoundedLog;
  readonly #environment: LogEnvironment;
  readonly #options: ResolvedLogOptions;
  readonly #failures: LogFailures;
  readonly #metadata: MetadataKeeper;
  readonly #end: ActiveEnd;
  readonly #publication: Publication;
  readonly #segments: WriterSegments;
  readonly #producers: ProducersKeeper;
  readonly #journaled: JournaledAppends | undefined;
  readonly #changes: Changes;
  readonly #onTruncated: LogBoundsParts["onTruncated"];

  constructor(log: BoundedLog, parts: LogBoundsParts) {
    this.#log = log;
    this.#environment = parts.environment;
    this.#options = parts.options;
    this.#failures = parts.failures;
    this.#metadata = parts.metadata;
    this.#end = parts.end;
    this.#publication = parts.publication;
    this.#segments = parts.segments;
    this.#producers = parts.producers;
    this.#journaled = parts.journaled;
    this.#changes = parts.changes;
    this.#onTruncated = parts.onTruncated;
  }

  /** See `CommitLog.truncateTo`. Run it exclusively. */
  async truncateTo(offset: number): Promise<void> {
    this.#failures.assertSound();
    await this.#log.settle();
    // Should the truncation fail now, nothing is lost: the segments have all of it.
    await this.#journaled?.mark();
    this.#assertWithin(offset, "truncateTo takes an offset from the start to the end offset");
    if (offset === this.#log.endOffset) return;
    const floor = this.#segments.all.findLast((segment) => segment.baseOffset < offset);
    let keptEnd = offset;
    if (floor !== undefined) {
      if (floor === this.#segments.active) floor.setEndPosition(this.#end.written.endPosition);
      const { endOffset, lastChecksum } = await assertSoundBelow(floor, offset);
      // What is lost at the end of a file shows only in what the next one names.
      if (endOffset < offset) await runSteps(assertFollowed(this.#log, floor, lastChecksum));
      // Of a salvaged log, there may be a hole between that and the next segment.
      keptEnd = Math.min(endOffset, offset);
    }
    await this.#producers.keepDeleted();
    // Once it may be there, a crash would cut off what is appended behind the bound.
    let boundMayHold = false;
    await this.#failures
      .change(async () => {
        await this.#metadata.beginSession(this.#end.durable);
        await this.#end.takeRoomBack();
        await this.#end.sync();
        if (this.#end.mustRollFirst) await this.#segments.roll();
        await this.#truncate(offset, floor, keptEnd, () => {
          boundMayHold = true;
        });
      })
      .catch((error: SeglogError) => {
        throw boundMayHold ? this.#failures.poisonWith(error) : error;
      });
  }

  /** @param keptEnd - Where the segment ends that is cut: at `offset`, or before it. */
  async #truncate(
    offset: number,
    floor: Segment | undefined,
    keptEnd: number,
    onBoundWritten: () => void,
  ): Promise<void> {
    const { directory } = this.#log;
    const epoch = epochAfter(this.#log.epoch, directory);
    const bound = { epoch, offset };
    const activeBaseOffset = floor?.baseOffset ?? offset;
    await this.#metadata.replace(
      {
        epoch,
        truncation: bound,
        end: { ...this.#end.durable, endOffset: keptEnd, activeBaseOffset },
      },
      onBoundWritten,
      // With the new epoch comes the new end: nobody reads what is about to go as if it were of it.
      () => {
        this.#publication.moveTo({ ...this.#publication.end, endOffset: offset });
        this.#journaled?.setEndOffset(offset);
      },
    );
    // Other processes learn it when the files are changed: their handles must not be of old ones.
    this.#changes.announce();
    const { fileSystem, pool, indexCache } = this.#environment;
    const before = this.#segments.all;
    const left = await pool.transient(async () => {
      const behind = before.filter(({ baseOffset }) => baseOffset >= offset);
      for (const segment of behind.toReversed()) await removeSegment(fileSystem, segment);
      const target: TruncationTarget = {
        environment: this.#environment,
        options: this.#options,
        directory,
        metadata: this.#metadata.now,
        openSegment: (baseOffset) => this.#segments.open(baseOffset),
      };
      const kept = before.filter(({ baseOffset }) => baseOffset < offset);
      return applyTruncation(target, bound, kept);
    });
    for (const segment of before) if (!left.includes(segment)) indexCache.forget(segment);
    this.#producers.known.forget();
    await this.#segments.enter(left);
    this.#metadata.noteTruncated(this.#end.durable);
    await this.#onTruncated?.(offset);
  }

  /** See `CommitLog.deleteBefore`. Run it exclusively. */
  async deleteBefore(offset: number): Promise<void> {
    if (offset > this.#log.segmentsEndOffset) await this.#log.settle();
    if (offset > this.#log.endOffset) {
      this.#assertWithin(offset, "deleteBefore takes at most the end offset");
    }
    if (offset > this.#log.startOffset) {
      const first = this.#segments.firstWith(offset);
      if (first !== this.#segments.all[0]) await this.#producers.keepWithout(first.baseOffset);
      await this.#failures.change(async () => {
        await this.#metadata.beginSession(this.#end.durable);
        // A crash must not leave an end before the start.
        await this.#end.sync();
        await this.#metadata.replace({ startOffset: offset });
        this.#publication.tellReaders();
      });
      this.#segments.dropBefore(offset);
    }
    await this.#segments.removeDropped();
  }

  #assertWithin(offset: number, hint: string): void {
    const { startOffset, endOffset } = this.#log;
    if (offset >= startOffset && offset <= endOffset) return;
    throw new OffsetOutOfRangeError(offset, startOffset, endOffset, hint);
  }
}
