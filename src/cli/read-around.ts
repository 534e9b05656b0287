import type { LogRecord } from "../format/record.js";
import { dataBeforeRoomOf, type LogSurvey, startOf } from "../log/log-survey.js";
import { checkRecords } from "../log/segment-check.js";
import { isRoom, walkBlocks } from "../segment/block-walk.js";

/** Records that lie together, or what was stepped over. */
export type ReadablePiece =
  | { readonly records: readonly LogRecord[] }
  | { readonly skipped: string };

/**
 * Reads what can be read of a damaged log, in order, from an offset on. Blocks of a batch that was
 * not completed are given too: nobody can say whether damage or a crash cut it. What an interrupted
 * truncation has yet to cut is not.
 *
 * @param from - Default: the start offset, as far as that is known.
 */
export async function* readAround(
  survey: LogSurvey,
  from: number = startOf(survey),
): AsyncGenerator<ReadablePiece, void, void> {
  let next = Math.max(from, startOf(survey));
  const truncatedAt = survey.pending?.offset ?? Number.POSITIVE_INFINITY;
  for (const [at, surveyed] of survey.segments.entries()) {
    const { segment, source, firstPosition, endPosition } = surveyed;
    const following = survey.segments[at + 1]?.segment.baseOffset;
    if (following !== undefined && following <= next) continue;
    if (source === undefined) {
      yield { skipped: `skipped ${segment.path}: ${surveyed.fault}` };
      continue;
    }
    const dataBeforeRoom = dataBeforeRoomOf(survey, surveyed);
    for await (const step of walkBlocks(source, firstPosition, endPosition)) {
      for (const block of step.blocks) {
        const { header } = block;
        if (header.baseOffset >= truncatedAt) return;
        if (header.lastOffset < next) continue;
        const wrong = checkRecords(block);
        if (wrong !== undefined) {
          const place = `the block at position ${header.position} of ${segment.path}`;
          yield { skipped: `skipped ${place}: ${wrong}` };
          continue;
        }
        const records: LogRecord[] = [];
        for (let index = block.lowerBound(next); index < header.recordCount; index++) {
          if (block.offsetAt(index) >= truncatedAt) break;
          records.push(block.recordAt(index));
        }
        yield { records };
        next = header.lastOffset + 1;
      }
      const { damaged } = step;
      if (damaged === undefined || (damaged.header?.lastOffset ?? next) < next) continue;
      const { position, endPosition: end, invalid } = damaged;
      if (isRoom(damaged, dataBeforeRoom)) continue;
      yield {
        skipped: `skipped positions ${position} to ${end} of ${segment.path}: ${invalid.reason}`,
      };
    }
  }
}
