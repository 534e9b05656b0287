import { runStepsEagerly } from "../files/steps.js";
import { loadedIndex, saveIndex } from "../segment/index-loading.js";
import type { Segment } from "../segment/segment.js";
import type { SegmentIndex } from "../segment/segment-index.js";
import type { ActiveEnd } from "./active-end.js";
import type { AppendQueue } from "./append-queue.js";
import type { LogEnvironment } from "./environment.js";

/** The log that the indexes are of. */
export interface IndexedLog {
  readonly active: Segment;
  readonly queue: AppendQueue;
  readonly isClosed: boolean;
}

/**
 * The indexes of a log that is open for writing: hints, saved for the next session, and built anew
 * where they cannot be.
 */
export class WriterIndexes {
  readonly #environment: LogEnvironment;
  readonly #log: IndexedLog;
  readonly #end: ActiveEnd;
  /** Those that readers had to build are saved beside everything else, but not after the close. */
  #saving: Promise<void> = Promise.resolve();

  constructor(environment: LogEnvironment, log: IndexedLog, end: ActiveEnd) {
    this.#environment = environment;
    this.#log = log;
    this.#end = end;
  }

  /** A sealed segment whose index files were of no use gets new ones when somebody notices. */
  adopt(segment: Segment): void {
    segment.onIndexRebuilt = (rebuilt, index) => {
      if (rebuilt === this.#log.active) return;
      this.#saving = this.#saving.then(() => this.#save(rebuilt, index));
    };
  }

  /** The index of the active segment may be dropped, but not just so. */
  adoptActive(active: Segment): void {
    active.onIndexUnwanted = () => {
      active.onIndexUnwanted = undefined;
      void this.#log.queue.exclusive(() => this.#giveBack(active));
    };
  }

  /** The index of the active segment, which covers all that was written. */
  active(): SegmentIndex | Promise<SegmentIndex> {
    const { active } = this.#log;
    // A reader may have put one in its place that it built while the segment was shorter.
    active.setEndPosition(this.#end.written.endPosition);
    return runStepsEagerly(loadedIndex(active));
  }

  /** Saves it for the next session, unless nobody has used it in this one. */
  async saveActive(): Promise<void> {
    const { active } = this.#log;
    if (active.index === undefined) return;
    try {
      await this.#save(active, await this.active());
    } catch {
      // An index is a hint.
    }
  }

  /** Resolves when those are saved that readers had to build. */
  saved(): Promise<void> {
    return this.#saving;
  }

  async #giveBack(segment: Segment): Promise<void> {
    if (this.#log.isClosed) return;
    if (segment.index !== undefined) await this.#save(segment, segment.index);
    const isActive = segment === this.#log.active;
    segment.setEndPosition(isActive ? this.#end.written.endPosition : segment.endPosition!);
    segment.dropIndex();
    this.#environment.indexCache.forget(segment);
    if (isActive) this.adoptActive(segment);
  }

  /** An index is a hint: if it cannot be saved, it is rebuilt when it is next needed. */
  async #save(segment: Segment, index: SegmentIndex): Promise<void> {
    const { fileSystem, pool } = this.#environment;
    await pool.transient(() => saveIndex(fileSystem, segment, index)).catch(() => undefined);
  }
}
