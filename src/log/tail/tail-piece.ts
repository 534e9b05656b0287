import { continuesBatch } from "../../format/journal-key.js";
import { prepare } from "../../format/prepared-record.js";
import type { PendingBatch, PendingGroup } from "../queue/pending.js";
import type { JournaledRecord } from "./journaled-record.js";

/** What is moved from the journal is written in pieces of about this length. */
const PIECE_BYTES = 1024 * 1024;

/**
 * Records of a log's tail that follow each other, encoded to be written to its segments: each batch
 * of a producer as it was appended, those between them together.
 */
export class TailPiece {
  readonly #group: PendingGroup;
  readonly #mostBytes: number;
  /** The batch that is being filled. */
  #batch: PendingBatch | undefined;
  readonly firstOffset: number;

  /** @param firstOffset - Of the first record that will be added. */
  constructor(group: PendingGroup, firstOffset: number, segmentBytes: number) {
    this.#group = group;
    this.#mostBytes = Math.min(PIECE_BYTES, segmentBytes / 2);
    this.firstOffset = firstOffset;
  }

  /** How much memory it takes. */
  get bufferBytes(): number {
    return this.#group.encoder.bytes.length;
  }

  /** Whether the last batch is of a producer, so that what comes next may be of it, too. */
  get endsWithProducers(): boolean {
    return this.#batch?.producer !== undefined;
  }

  /** Copies the next record, unless there is no room for it: then another piece begins with it. */
  add(journaled: JournaledRecord): boolean {
    const { record } = journaled;
    const { encoder } = this.#group;
    const batch = this.#goesOn(journaled) ? this.#batch : undefined;
    // A batch of a producer is never divided: what is known of it must not change on the way.
    const isDivisible = batch?.producer === undefined;
    const isFull = encoder.length + record.value.length > this.#mostBytes;
    if (isDivisible && isFull && this.#batch !== undefined) return false;
    this.#batch = batch ?? this.#group.beginAcknowledged(journaled.producer);
    this.#group.addRecord(this.#batch, prepare(record), record.timestamp);
    return true;
  }

  /** What was added, as batches that nobody waits for. There must be something. */
  finish(): readonly PendingBatch[] {
    this.#group.endBatch();
    return this.#group.batches;
  }

  /** Whether the batch that is being filled takes the next record. */
  #goesOn({ producer }: JournaledRecord): boolean {
    if (this.#batch === undefined) return false;
    if (producer === undefined) return this.#batch.producer === undefined;
    return continuesBatch(this.#batch.producer, this.#batch.recordCount, producer);
  }
}
