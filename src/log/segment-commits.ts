import type { SeglogError } from "../errors.js";
import type { ActiveEnd } from "./active-end.js";
import type { AppendQueue } from "./append-queue.js";
import type { LogFailures } from "./log-failures.js";
import type { MetadataKeeper } from "./metadata-keeper.js";
import type { ResolvedLogOptions } from "./options.js";
import { isOfProducer, type PendingBatch } from "./pending.js";
import type { Producers } from "./producers.js";
import type { Publication } from "./publication.js";
import type { WriterSegments } from "./writer-segments.js";

/** What batches are committed with. */
export interface SegmentCommitsParts {
  readonly options: ResolvedLogOptions;
  readonly queue: AppendQueue;
  readonly failures: LogFailures;
  readonly metadata: MetadataKeeper;
  readonly end: ActiveEnd;
  readonly publication: Publication;
  readonly segments: WriterSegments;
  readonly producers: Producers;
  /**
   * Whether the records belong to many logs, each of which goes on in its own segments after one is
   * refused: then all that were accepted behind that one are refused with it.
   */
  readonly isJournal: boolean;
}

/**
 * Commits batches to a log's segments: writes them, goes on to the next segment where one is full,
 * syncs, and shows readers what is there. Each batch is answered once, here or by the function that
 * {@link commit} gives: with its offsets only when it is as safe as the policy says.
 */
export class SegmentCommits {
  readonly #options: ResolvedLogOptions;
  readonly #queue: AppendQueue;
  readonly #failures: LogFailures;
  readonly #metadata: MetadataKeeper;
  readonly #end: ActiveEnd;
  readonly #publication: Publication;
  readonly #segments: WriterSegments;
  readonly #producers: Producers;
  readonly #isJournal: boolean;
  #failure: SeglogError | undefined;

  constructor(parts: SegmentCommitsParts) {
    this.#options = parts.options;
    this.#queue = parts.queue;
    this.#failures = parts.failures;
    this.#metadata = parts.metadata;
    this.#end = parts.end;
    this.#publication = parts.publication;
    this.#segments = parts.segments;
    this.#producers = parts.producers;
    this.#isJournal = parts.isJournal;
  }

  /** Why the last batches were refused, if they were. */
  get failure(): SeglogError | undefined {
    return this.#failure;
  }

  /**
   * Commits batches, of which no other commit may be on its way. Never fails: {@link failure} tells
   * why the batches were refused, or some of them.
   *
   * @returns What answers their callers, as far as they are not answered yet.
   */
  async commit(batches: readonly PendingBatch[]): Promise<() => void> {
    this.#failure = undefined;
    const unsynced: PendingBatch[] = [];
    let answer = () => {};
    let next = 0;
    try {
      this.#failures.assertSound();
      // Nothing on this way waits for a turn unless it has to: the disk idles until it is written.
      const isFirstOfProducers = !this.#metadata.now.hasProducers && batches.some(isOfProducer);
      if (isFirstOfProducers) await this.#producers.saveNone(this.#end.durable);
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
        this.#producers.note(run, baseOffset);
        unsynced.push(...run);
        next += run.length;
      }
      if (this.#options.durability === "always") await this.#end.sync();
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
      this.refuse(unsynced, verdict);
      this.refuse(batches.slice(next), verdict);
      if (this.#isJournal) this.#queue.failAll(verdict);
    }
    return answer;
  }

  /** Refuses batches that are not answered yet. */
  refuse(batches: readonly PendingBatch[], failure: SeglogError): void {
    this.#failure = failure;
    this.#queue.settle(batches, (batch) => batch.reject(failure));
  }
}
