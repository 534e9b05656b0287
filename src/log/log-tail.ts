import { CorruptionError } from "../errors.js";
import type { Steps } from "../files/steps.js";
import { type Block, openBlock } from "../format/block.js";
import { isInvalid } from "../format/block-header.js";
import type { LogRecord } from "../format/record.js";
import type { JournaledRun } from "./journal-index.js";
import { type JournaledRecord, ownRecord } from "./journaled-record.js";
import { readRecord } from "./log-reader.js";
import type { LogView, TailView } from "./log-view.js";
import { madeBlocks } from "./made-blocks.js";
import { quickReadSync } from "./quick-read.js";
import { TailMovedError } from "./tail-moved-error.js";

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

  *record(offset: number): Steps<LogRecord> {
    return (yield* this.journaled(offset)).record;
  }

  /** @throws TailMovedError if it is no longer here. */
  *journaled(offset: number): Steps<JournaledRecord> {
    const run = this.#run();
    const isHere = run !== undefined && offset >= run.firstOffset && offset < run.endOffset;
    const place = isHere ? run.places[offset - run.firstOffset]! : -1;
    if (place < this.#journal.startOffset) throw new TailMovedError();
    try {
      const found =
        quickReadSync(this.#journal, place) ?? (yield* readRecord(this.#journal, place));
      const record = ownRecord(found, this.#log, offset);
      if (record === undefined) throw new TailMovedError();
      return record;
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

/** What is the matter with a log whose journal goes on behind a truncation that was interrupted. */
export const BEHIND_TRUNCATION =
  "the journal of its store has records that a truncation cut off, and has lost the mark that made " +
  "them void";

/**
 * The error for a log with an interrupted truncation whose mark is no longer in the journal: it
 * was there, on stable storage, before the truncation was recorded.
 *
 * @param truncatedAt - Where the log ends.
 */
export function journaledBehindTruncation(directory: string, truncatedAt: number): CorruptionError {
  return new CorruptionError({
    file: directory,
    position: 0,
    reason: BEHIND_TRUNCATION,
    offset: truncatedAt,
  });
}

function blocksOf(records: readonly LogRecord[], path: string): readonly Block[] {
  return madeBlocks(records).map(({ bytes, start, header }) => {
    const block = openBlock(bytes, start, header, path);
    if (isInvalid(block)) throw new Error(`A block of a tail came out wrong: ${block.reason}`);
    return block;
  });
}
