import { CorruptionError } from "../errors.js";
import type { Steps } from "../files/steps.js";
import { type Block, openBlock } from "../format/block.js";
import { isInvalid, readBlockHeader } from "../format/block-header.js";
import { decodeJournalKey } from "../format/journal-key.js";
import type { LogRecord } from "../format/record.js";
import { viewOf } from "../format/uint64.js";
import type { JournaledRun } from "./journal-index.js";
import { readRecord } from "./log-reader.js";
import type { LogView, TailView } from "./log-view.js";
import { PendingGroup } from "./pending.js";
import { prepare } from "./prepared-record.js";
import { quickReadSync } from "./quick-read.js";
import { TailMovedError } from "./tail-moved-error.js";

/** Length of the blocks that are made of a tail: nobody writes them. */
const BLOCK_BYTES = 64 * 1024;
/** What a record counts for beside its value: keys and headers are not looked at. */
const RECORD_BYTES = 100;
/** The most that is made at a time, in one turn of the event loop. */
const MOST_BYTES = 1024 * 1024;
const MOST_RECORDS = 500;

/**
 * The end of a log that stands in the journal of its store and not yet in the log's own segments.
 * Its records go there as time goes by; whoever looks for one that has gone looks again.
 */
export class LogTail implements TailView {
  readonly #journal: LogView;
  readonly #run: () => JournaledRun | undefined;
  readonly #log: string;

  /**
   * @param run - Gives what the journal has of the log.
   * @param log - See `journalName`.
   */
  constructor(journal: LogView, run: () => JournaledRun | undefined, log: string) {
    this.#journal = journal;
    this.#run = run;
    this.#log = log;
  }

  /** @throws TailMovedError if it is no longer here. */
  *record(offset: number): Steps<LogRecord> {
    const run = this.#run();
    const isHere = run !== undefined && offset >= run.firstOffset && offset < run.endOffset;
    const place = isHere ? run.places[offset - run.firstOffset]! : -1;
    if (place < this.#journal.startOffset) throw new TailMovedError();
    try {
      const found =
        quickReadSync(this.#journal, place) ?? (yield* readRecord(this.#journal, place));
      return this.#own(found, offset);
    } catch (error) {
      if (place < this.#journal.startOffset) throw new TailMovedError();
      throw error;
    }
  }

  /** Records from `offset` on, up to about a mebibyte, as blocks. There must be one. */
  *blocks(offset: number, maxBytes: number): Steps<readonly Block[]> {
    const records: LogRecord[] = [];
    const end = Math.min(this.#run()?.endOffset ?? offset, offset + MOST_RECORDS);
    let bytes = 0;
    for (let at = offset; at < end && bytes < Math.min(maxBytes, MOST_BYTES); at++) {
      const record = yield* this.record(at);
      records.push(record);
      bytes += RECORD_BYTES + record.value.length;
    }
    if (records.length === 0) throw new TailMovedError();
    return blocksOf(records, this.#journal.directory);
  }

  #own({ key: bytes, ...record }: LogRecord, offset: number): LogRecord {
    const key = decodeJournalKey(bytes);
    if (key === undefined || key.log !== this.#log || key.offset !== offset || key.isMark) {
      throw new TailMovedError();
    }
    return key.key === undefined ? { ...record, offset } : { ...record, offset, key: key.key };
  }
}

/** What is the matter with a log whose journal goes on behind more than its segments have. */
export const MISSING_BEFORE_JOURNAL =
  "records between its last segment and the journal of its store are missing";

/** The error for a log whose journal goes on behind more than its segments have. */
export function missingBeforeJournal(directory: string, segmentsEnd: number): CorruptionError {
  return new CorruptionError({
    file: directory,
    position: 0,
    reason: MISSING_BEFORE_JOURNAL,
    offset: segmentsEnd,
  });
}

/** Records that follow each other, as the blocks that they would be in a segment. */
function blocksOf(records: readonly LogRecord[], path: string): readonly Block[] {
  const group = new PendingGroup(Buffer.allocUnsafeSlow(BLOCK_BYTES), BLOCK_BYTES, "none");
  const batch = group.beginAcknowledged();
  for (const record of records) group.addRecord(batch, prepare(record), record.timestamp);
  group.endBatch();
  const { encoder } = group;
  let baseOffset = records[0]!.offset;
  for (const block of encoder.blocks) {
    const place = { position: block.start, previousChecksum: 0, baseOffset };
    encoder.stamp(block, { ...place, durableEndOffset: baseOffset }, 0);
    baseOffset += block.recordCount;
  }
  const { buffer, byteOffset } = encoder.bytes;
  const bytes = new Uint8Array(buffer, byteOffset, encoder.length);
  const view = viewOf(bytes);
  return encoder.blocks.map(({ start }) => {
    const header = readBlockHeader(bytes, view, start, start, 0);
    const block = isInvalid(header) ? header : openBlock(bytes, start, header, path);
    if (isInvalid(block)) throw new Error(`A block of a tail came out wrong: ${block.reason}`);
    return block;
  });
}
