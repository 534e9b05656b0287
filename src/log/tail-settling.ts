import { setImmediate as nextTurn } from "node:timers/promises";
import { runSteps } from "../files/steps.js";
import type { ActiveEnd } from "./active-end.js";
import type { BufferPool } from "./buffer-pool.js";
import { GatheredTail } from "./gathered-tail.js";
import type { Journal } from "./journal.js";
import type { JournaledAppends } from "./journaled-appends.js";
import type { LogFailures } from "./log-failures.js";
import type { LogUpkeep } from "./log-upkeep.js";
import type { ResolvedLogOptions } from "./options.js";
import { type PendingBatch, PendingGroup } from "./pending.js";
import type { Publication } from "./publication.js";
import type { SegmentCommits } from "./segment-commits.js";
import { TailPiece } from "./tail-piece.js";

/** So many records are read from the journal, one by one, before something else gets a turn. */
const TAIL_TURN_RECORDS = 200;

/** The log whose tail is settled. */
export interface TailedLog {
  readonly options: ResolvedLogOptions;
  readonly buffers: BufferPool;
  readonly epoch: number;
  /** One past the last offset that is acknowledged. */
  readonly endOffset: number;
}

/** What a tail is settled with. */
export interface TailSettlingParts {
  readonly failures: LogFailures;
  readonly end: ActiveEnd;
  readonly publication: Publication;
  readonly upkeep: LogUpkeep;
  readonly commits: SegmentCommits;
}

/**
 * Settles the tail of a log: moves what stands in the store's journal, and not yet in the log's own
 * segments, to these. A piece at a time, whose memory is free when it is written.
 */
export class TailSettling {
  readonly #log: TailedLog;
  readonly #journal: Journal;
  readonly #journaled: JournaledAppends;
  readonly #failures: LogFailures;
  readonly #end: ActiveEnd;
  readonly #publication: Publication;
  readonly #upkeep: LogUpkeep;
  readonly #commits: SegmentCommits;

  constructor(
    log: TailedLog,
    journal: Journal,
    journaled: JournaledAppends,
    parts: TailSettlingParts,
  ) {
    this.#log = log;
    this.#journal = journal;
    this.#journaled = journaled;
    this.#failures = parts.failures;
    this.#end = parts.end;
    this.#publication = parts.publication;
    this.#upkeep = parts.upkeep;
    this.#commits = parts.commits;
  }

  /** What the tail, up to `endOffset`, is to be gathered in for {@link settleGathered}. */
  gather(endOffset: number): GatheredTail {
    const from = this.#publication.end.endOffset;
    return new GatheredTail(this.#log.epoch, from, endOffset, (at) => this.#newPiece(at));
  }

  /**
   * Moves what was gathered of the tail, and syncs it. Appends may go on coming to the journal
   * meanwhile; run it with nothing else beside it.
   *
   * @param gathered - Of {@link gather}.
   * @returns Whether the segments have all that was to be gathered.
   */
  async settleGathered(gathered: GatheredTail): Promise<boolean> {
    this.#failures.assertSound();
    this.#journal.beginWork();
    try {
      if (this.#publication.isBehind) await this.#publication.catchUp();
      for (;;) {
        const piece = gathered.take(this.#log.epoch, this.#publication.end.endOffset);
        if (piece === undefined) break;
        await this.#commitPiece(piece);
      }
    } finally {
      if (this.#upkeep.isDue) await this.#upkeep.runBesideAppends();
      this.#journal.endWork();
    }
    this.#journaled.settled(this.#end.durable.endOffset);
    return this.#end.durable.endOffset >= gathered.wantedEnd;
  }

  /**
   * Moves all of the tail but its last piece, which is to be committed with what comes behind it.
   *
   * @returns That piece, to be given to {@link giveBack} then; none if there is no tail.
   */
  async settleAllButLast(): Promise<readonly PendingBatch[]> {
    while (this.hasTail) {
      const piece = await this.#readPiece();
      if (this.#isWholeTail(piece)) return piece;
      await this.#commitPiece(piece);
    }
    return [];
  }

  /** Whether there is, or is about to be, more of the log than its segments have. */
  get hasTail(): boolean {
    return this.#journaled.hasTail(this.#publication.end.endOffset);
  }

  /** Lets others use the buffer of the batches of one piece. */
  giveBack([first]: readonly PendingBatch[]): void {
    if (first !== undefined) this.#log.buffers.give(first.group.encoder.bytes);
  }

  async #commitPiece(piece: readonly PendingBatch[]): Promise<void> {
    (await this.#commits.commit(piece))();
    this.giveBack(piece);
    if (this.#commits.failure !== undefined) throw this.#commits.failure;
  }

  /**
   * A piece of the tail, as batches that nobody waits for. The event loop gets a turn now and then,
   * for each record is read by itself.
   */
  async #readPiece(): Promise<readonly PendingBatch[]> {
    const { tail } = this.#journaled;
    await this.#journaled.drained();
    const from = this.#publication.end.endOffset;
    if (tail === undefined || from === this.#log.endOffset) return [];
    const piece = this.#newPiece(from);
    for (let offset = from; offset < this.#log.endOffset; offset++) {
      if (!piece.add(await runSteps(tail.journaled(offset)))) break;
      if ((offset - from) % TAIL_TURN_RECORDS === TAIL_TURN_RECORDS - 1) await nextTurn();
    }
    return piece.finish();
  }

  #newPiece(firstOffset: number): TailPiece {
    const { blockBytes, compression, segmentBytes } = this.#log.options;
    const group = new PendingGroup(this.#log.buffers.take(0), blockBytes, compression);
    return new TailPiece(group, firstOffset, segmentBytes);
  }

  #isWholeTail(batches: readonly PendingBatch[]): boolean {
    const records = batches.reduce((sum, { recordCount }) => sum + recordCount, 0);
    return this.#publication.end.endOffset + records === this.#log.endOffset;
  }
}
