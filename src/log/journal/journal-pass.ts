import { runSteps } from "../../files/steps.js";
import type { LogView } from "../log-view.js";
import { LogCursor } from "../read/log-reader.js";
import type { GatheredTail } from "../tail/gathered-tail.js";
import type { JournaledRun } from "../tail/journal-index.js";
import { ownRecord } from "../tail/journaled-record.js";

/** So much is read at a time; then something else gets a turn. */
const CHUNK_BYTES = 64 * 1024;
/** No journal has more places than this between its ends, unless somebody made it up. */
const MOST_PLACES = 2 ** 26;

/** A log whose tail is to be gathered. */
export interface Gathering {
  /** See `journalName`. */
  readonly log: string;
  /** What the journal has of it. */
  readonly run: JournaledRun;
  readonly tail: GatheredTail;
}

/**
 * Gathers the tails of logs by one pass over the journal: their records lie between each other, so
 * that reading log by log would read all of it once for each. What is not gathered in the end, for
 * want of room or because it cannot be read, is at the end of each tail.
 *
 * @param mostBytes - How much memory the tails may take, about.
 */
export async function gatherTails(
  journal: LogView,
  gatherings: readonly Gathering[],
  mostBytes: number,
): Promise<void> {
  const { first, owners } = ownersOf(gatherings);
  const end = first + owners.length;
  const cursor = new LogCursor(journal, first);
  let bytes = 0;
  while (cursor.offset < end && bytes < mostBytes) {
    const blocks = await runSteps(cursor.next(CHUNK_BYTES));
    if (blocks.length === 0) return;
    for (const block of blocks) {
      const { recordCount } = block.header;
      for (let index = block.lowerBound(first); index < recordCount; index++) {
        const owner = owners[block.offsetAt(index) - first];
        if (owner === undefined) break;
        if (owner === 0) continue;
        const { log, tail } = gatherings[owner - 1]!;
        const record = ownRecord(block.recordAt(index), log, tail.endOffset);
        // It is told when it is looked for by itself.
        if (record === undefined) return;
        bytes += tail.add(record);
      }
    }
  }
}

/**
 * For each place of the journal from `first` on, whose record stands there: 0 if nobody's who is
 * gathered, else one more than the index of the log.
 */
function ownersOf(gatherings: readonly Gathering[]): { first: number; owners: Uint32Array } {
  let first = Number.POSITIVE_INFINITY;
  let end = 0;
  const wanted = gatherings.map(({ run, tail }) => {
    const from = tail.endOffset - run.firstOffset;
    // What stands before the run is missing: that is told by whoever looks for it.
    if (from < 0) return [];
    return run.places.slice(from, run.endOffset - run.firstOffset);
  });
  for (const places of wanted) {
    first = Math.min(first, places[0] ?? first);
    end = Math.max(end, (places.at(-1) ?? -1) + 1);
  }
  if (first > end || end - first > MOST_PLACES) return { first: 0, owners: new Uint32Array(0) };
  const owners = new Uint32Array(end - first);
  for (const [index, places] of wanted.entries()) {
    for (const place of places) owners[place - first] = index + 1;
  }
  return { first, owners };
}
