import type { LogRecord } from "../format/record.js";
import type { PendingBatch, PendingGroup } from "./pending.js";
import { prepare } from "./prepared-record.js";

/** What is moved from the journal is written in pieces of about this length. */
const PIECE_BYTES = 1024 * 1024;

/** Records of a log's tail that follow each other, encoded to be written to its segments. */
export class TailPiece {
  readonly #group: PendingGroup;
  readonly #batch: PendingBatch;
  readonly #mostBytes: number;
  readonly #firstOffset: number;

  /** @param firstOffset - Of the first record that will be added. */
  constructor(group: PendingGroup, firstOffset: number, segmentBytes: number) {
    this.#group = group;
    this.#batch = group.beginAcknowledged();
    this.#mostBytes = Math.min(PIECE_BYTES, segmentBytes / 2);
    this.#firstOffset = firstOffset;
  }

  get firstOffset(): number {
    return this.#firstOffset;
  }

  /** How much memory it takes. */
  get bufferBytes(): number {
    return this.#group.encoder.bytes.length;
  }

  /** Copies the next record, unless there is no room for it: then another piece begins with it. */
  add(record: LogRecord): boolean {
    const isFirst = this.#batch.recordCount === 0;
    const { encoder } = this.#group;
    if (!isFirst && encoder.length + record.value.length > this.#mostBytes) return false;
    this.#group.addRecord(this.#batch, prepare(record), record.timestamp);
    return true;
  }

  /** What was added, as a batch that nobody waits for. There must be something. */
  finish(): PendingBatch {
    this.#group.endBatch();
    return this.#batch;
  }
}
