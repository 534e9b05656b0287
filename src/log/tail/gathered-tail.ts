import type { PendingBatch } from "../queue/pending.js";
import type { JournaledRecord } from "./journaled-record.js";
import type { TailPiece } from "./tail-piece.js";

/** What a batch of a producer takes beside its records, about. */
export const PRODUCERS_BATCH_BYTES = 450;

/**
 * The tail of a log as it stood in the journal at some moment, gathered to be written to the log's
 * segments. Whatever has become of the log since: with the same epoch, an offset names the same
 * record, once that was acknowledged.
 */
export class GatheredTail {
  readonly #epoch: number;
  readonly #newPiece: (firstOffset: number) => TailPiece;
  readonly #pieces: TailPiece[] = [];
  #endOffset: number;
  /** Where the tail ended. */
  readonly wantedEnd: number;

  /** @param from - Where the log's segments ended. */
  constructor(
    epoch: number,
    from: number,
    wantedEnd: number,
    newPiece: (firstOffset: number) => TailPiece,
  ) {
    this.#epoch = epoch;
    this.#endOffset = from;
    this.wantedEnd = wantedEnd;
    this.#newPiece = newPiece;
  }

  /** Offset of the record that is to be added next. */
  get endOffset(): number {
    return this.#endOffset;
  }

  /**
   * Copies the next record.
   *
   * @returns How much more memory all of it takes now.
   */
  add(record: JournaledRecord): number {
    this.#endOffset++;
    const last = this.#pieces.at(-1);
    const before = last?.bufferBytes ?? 0;
    const batchBytes = record.producer?.goesOn === false ? PRODUCERS_BATCH_BYTES : 0;
    if (last?.add(record)) return last.bufferBytes - before + batchBytes;
    const piece = this.#newPiece(this.#endOffset - 1);
    piece.add(record);
    this.#pieces.push(piece);
    return piece.bufferBytes + batchBytes;
  }

  /** The next piece, if it is of this epoch and begins at this offset; it is given once. */
  take(epoch: number, from: number): readonly PendingBatch[] | undefined {
    const [piece] = this.#pieces;
    if (epoch !== this.#epoch || piece?.firstOffset !== from) return undefined;
    // The rest of its last batch may not have been gathered, and batches are not divided.
    const isCutShort = this.#pieces.length === 1 && this.#endOffset < this.wantedEnd;
    if (isCutShort && piece.endsWithProducers) return undefined;
    this.#pieces.shift();
    return piece.finish();
  }
}
