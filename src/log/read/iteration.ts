import { CorruptionError, OffsetOutOfRangeError } from "../../errors.js";
import { runSteps } from "../../files/steps.js";
import type { Block } from "../../format/block.js";
import type { LogRecord } from "../../format/record.js";
import { assertBoolean, assertOffset, assertOptions, assertSignal } from "../../option-checks.js";
import { SCAN_CHUNK_BYTES } from "../../segment/block-source.js";
import type { LogView } from "../log-view.js";
import { LogCursor } from "./log-reader.js";
import { logTruncated, unlessOvertaken } from "./overtaken.js";
import { RecordBatch } from "./record-batch.js";
import { RecordIteration } from "./record-iteration.js";

/** Which records to iterate over. */
export interface IterationOptions {
  /** First offset, inclusive; may be the end offset. Default: the start offset. */
  readonly from?: number | undefined;
  /** End, exclusive. Default: the end offset when the iteration begins, or none with `follow`. */
  readonly to?: number | undefined;
  /** Wait for new records at the end instead of ending there. Default `false`. */
  readonly follow?: boolean | undefined;
  /** Ends the iteration, waiting or not, by throwing the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

/** Throws a `TypeError` or `RangeError` for bounds that are no offsets. */
export function assertIteration(options: IterationOptions): void {
  assertOptions(options, ["from", "to", "follow", "signal"]);
  const { from, to, follow, signal } = options;
  if (from !== undefined) assertOffset(from, "from");
  if (to !== undefined) assertOffset(to, "to");
  assertBoolean(follow, "follow");
  assertSignal(signal);
}

/**
 * Iterates in pieces of about a mebibyte.
 *
 * @throws OffsetOutOfRangeError if `from` is outside of the log, also when retention overtakes;
 *   SeglogError `LOG_TRUNCATED` when the epoch rises, `CLOSED`; CorruptionError.
 */
export async function* iterateBatches(
  view: LogView,
  options: IterationOptions,
): AsyncGenerator<RecordBatch, void, void> {
  const { follow = false, signal } = options;
  signal?.throwIfAborted();
  view.assertOpen();
  await view.refresh().catch((error: unknown) => {
    // Damage at the end is told when it is reached; what stands before it can be read.
    const from = options.from ?? view.startOffset;
    if (!(error instanceof CorruptionError) || from >= view.endOffset) throw error;
  });
  // Only now: retention in another process may have moved the start since the last look.
  const from = options.from ?? view.startOffset;
  if (from < view.startOffset || from > view.endOffset) {
    throw new OffsetOutOfRangeError(from, view.startOffset, view.endOffset);
  }
  const end = view.endOffset;
  const to = options.to ?? (follow ? Number.POSITIVE_INFINITY : end);
  const cursor = new LogCursor(view, from);
  const read = () =>
    unlessOvertaken(view, cursor.offset, () => runSteps(cursor.next(SCAN_CHUNK_BYTES)));
  /** The next piece, read while the consumer is busy with the one before it. */
  let ahead: Promise<readonly Block[]> | undefined;
  let wanted = from;
  try {
    while (wanted < to) {
      signal?.throwIfAborted();
      view.assertOpen();
      const seen = view.endOffset;
      const blocks = await (ahead ?? read());
      ahead = undefined;
      assertEpoch(view, cursor);
      const next = cursor.offset;
      if (blocks.length === 0) {
        if (!follow) break;
        await view.changed(seen, signal);
        assertEpoch(view, cursor);
        continue;
      }
      const useful = blocks.filter(({ header }) => header.baseOffset < to);
      const limit = Math.min(to, view.endOffset);
      const batch = new RecordBatch(useful, wanted, limit);
      if (next < limit) {
        ahead = read();
        // It is told when it is asked for, if it is.
        ahead.catch(() => undefined);
      }
      if (useful.length > 0 && batch.recordCount > 0) yield batch;
      wanted = next;
    }
  } finally {
    // Nothing is on its way when the iteration is over.
    await ahead?.catch(() => undefined);
  }
  // Damage at the end must not look like the end.
  if (to >= end) view.assertWhole();
}

/** Iterates record by record; see {@link iterateBatches}. */
export function iterateRecords(
  view: LogView,
  options: IterationOptions,
): AsyncIterableIterator<LogRecord, undefined> {
  return new RecordIteration(iterateBatches(view, options), options.signal);
}

function assertEpoch(view: LogView, cursor: LogCursor): void {
  if (view.epoch === cursor.epoch) return;
  throw logTruncated(view.directory, cursor.epoch, view.epoch);
}
