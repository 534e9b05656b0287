import { runSteps } from "../../files/steps.js";
import { loadedIndex, readSummary } from "../../segment/index-loading.js";
import type { Segment } from "../../segment/segment.js";

/** What retention decides by. */
export interface RetentionRule {
  /** Infinity keeps everything. */
  readonly bytes: number;
  readonly ms: number;
}

/**
 * Chooses how many of the oldest segments to delete. The last one, which is written to, always
 * stays.
 *
 * Age is judged by the timestamps of the records. A segment whose records are ahead of the clock
 * was written while the clock was wrong: the creation of its successor tells when that was, if it
 * is not ahead of the clock too; else the segment stays. So one jump of the clock into the future
 * neither deletes a log nor keeps it for ever.
 *
 * @param endPosition - Where the last segment ends.
 * @param now - Milliseconds since 1970.
 * @returns A number in [0, segments.length - 1].
 */
export async function countExpired(
  segments: readonly Segment[],
  endPosition: number,
  rule: RetentionRule,
  now: number,
): Promise<number> {
  const sealed = segments.length - 1;
  let expired = 0;
  if (rule.bytes !== Number.POSITIVE_INFINITY) {
    let total = endPosition;
    for (const segment of segments.slice(0, sealed)) total += await runSteps(segment.end());
    while (expired < sealed && total > rule.bytes) {
      total -= await runSteps(segments[expired]!.end());
      expired++;
    }
  }
  if (rule.ms !== Number.POSITIVE_INFINITY) {
    while (expired < sealed && (await isOlder(segments, expired, rule.ms, now))) expired++;
  }
  return expired;
}

async function isOlder(
  segments: readonly Segment[],
  at: number,
  ms: number,
  now: number,
): Promise<boolean> {
  const segment = segments[at]!;
  const { summary } =
    (await runSteps(readSummary(segment))) ?? (await runSteps(loadedIndex(segment)));
  let writtenAt = summary.maxTimestamp;
  if (writtenAt > now) {
    const successor = await runSteps(segments[at + 1]!.header());
    if (successor.createdAt > now) return false;
    writtenAt = successor.createdAt;
  }
  return now - writtenAt > ms;
}
