import { SeglogError } from "../errors.js";
import type { AppendQueue } from "./append-queue.js";
import type { Journal } from "./journal.js";
import type { JournaledAppends } from "./journaled-appends.js";
import type { LogFailures } from "./log-failures.js";
import type { LogUpkeep } from "./log-upkeep.js";
import { isOfProducer, type PendingBatch } from "./pending.js";
import type { ProducersKeeper } from "./producers-keeper.js";
import type { Publication } from "./publication.js";
import { answerRepeated, sortedByVerdict } from "./repeated-batches.js";
import type { SegmentCommits } from "./segment-commits.js";
import type { TailSettling } from "./tail-settling.js";

/** What the rounds of a queue are committed with. */
export interface GroupCommitParts {
  readonly queue: AppendQueue;
  readonly failures: LogFailures;
  readonly publication: Publication;
  readonly producers: ProducersKeeper;
  readonly upkeep: LogUpkeep;
  readonly commits: SegmentCommits;
  readonly journal: Journal | undefined;
  readonly journaled: JournaledAppends | undefined;
  /** Of a log of a store that has a journal. */
  readonly settling: TailSettling | undefined;
}

/**
 * Commits what the queue of a log takes in one round, behind all that was accepted before: what a
 * failed round has written, and what stands in the journal. Of batches that say who appends them,
 * those that are stored already are not stored again.
 */
export class GroupCommit {
  readonly #queue: AppendQueue;
  readonly #failures: LogFailures;
  readonly #publication: Publication;
  readonly #producers: ProducersKeeper;
  readonly #upkeep: LogUpkeep;
  readonly #commits: SegmentCommits;
  readonly #journal: Journal | undefined;
  readonly #journaled: JournaledAppends | undefined;
  readonly #settling: TailSettling | undefined;

  constructor(parts: GroupCommitParts) {
    this.#queue = parts.queue;
    this.#failures = parts.failures;
    this.#publication = parts.publication;
    this.#producers = parts.producers;
    this.#upkeep = parts.upkeep;
    this.#commits = parts.commits;
    this.#journal = parts.journal;
    this.#journaled = parts.journaled;
    this.#settling = parts.settling;
  }

  /** See `QueueOwner.commit`. */
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

  /**
   * Moves all that stands in the journal to the segments, as a round in which nothing else is.
   *
   * @throws SeglogError if that fails.
   */
  async commitTail(): Promise<void> {
    (await this.commit([]))();
    if (this.#commits.failure !== undefined) throw this.#commits.failure;
  }

  /** Stores what is not stored yet; of the rest, it tells where it is or why it is refused. */
  async #commitOfProducers(appended: readonly PendingBatch[]): Promise<() => void> {
    try {
      // Those that are on their way to the journal are judged already.
      await this.#journaled?.drained();
      await this.#producers.load();
    } catch (error) {
      // To fail to read changes nothing.
      this.#queue.settle(appended.filter(isOfProducer), (batch) =>
        batch.reject(error as SeglogError),
      );
      return this.#commitBehindTail(appended.filter((batch) => !isOfProducer(batch)));
    }
    const { fresh, repeated } = sortedByVerdict(appended, this.#producers.known, this.#queue);
    const answer = fresh.length === 0 ? () => {} : await this.#commitBehindTail(fresh);
    if (repeated.length === 0) return answer;
    // Of those that repeat one which could not be stored just now.
    const notStored = this.#commits.failure;
    const failure = await this.#publication.catchUp().then(
      () => undefined,
      (error: unknown) => this.#failures.judge(error),
    );
    return () => {
      answer();
      answerRepeated(repeated, this.#queue, failure, notStored);
    };
  }

  /** What stands in the journal comes first; the last piece of it is written with the rest. */
  async #commitBehindTail(appended: readonly PendingBatch[]): Promise<() => void> {
    let lastPiece: readonly PendingBatch[] = [];
    try {
      // Else what comes now would be taken for what was written then.
      if (this.#publication.isBehind) await this.#publication.catchUp();
      if (this.#settling?.hasTail) lastPiece = await this.#settling.settleAllButLast();
    } catch (error) {
      // To fail to read what is to be moved changes nothing.
      const isHarmless = this.#failures.poison === undefined && error instanceof SeglogError;
      this.#commits.refuse(appended, isHarmless ? error : this.#failures.judge(error));
      return () => {};
    }
    const answer = await this.#commits.commit([...lastPiece, ...appended]);
    this.#settling?.giveBack(lastPiece);
    return answer;
  }
}
