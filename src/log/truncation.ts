import { CorruptionError } from "../errors.js";
import { runSteps } from "../files/steps.js";
import type { LogMetadata, TruncationBound } from "../format/log-metadata.js";
import type { SegmentHeader } from "../format/segment-header.js";
import { saveIndex } from "../segment/index-loading.js";
import type { Segment } from "../segment/segment.js";
import type { LogEnvironment } from "./environment.js";
import { createSegmentFile } from "./log-files.js";
import type { ResolvedLogOptions } from "./options.js";
import { removeSegment } from "./segment-removal.js";
import { assertCuttable, prepareCutSegment } from "./segment-rewrite.js";
import { scanTail, type TailScan } from "./tail-scan.js";

/**
 * Throws if a segment is damaged before `offset`: a cut there would hide the damage, and what lies
 * behind it. Also if it cannot be cut there; both have to be known before the bound holds.
 *
 * @throws CorruptionError, SeglogError `UNSUPPORTED_FORMAT`.
 */
export async function assertSoundBelow(segment: Segment, offset: number): Promise<void> {
  assertSound(segment, await scanTail(segment), offset);
  await assertCuttable(segment, offset);
}

function assertSound(segment: Segment, scan: TailScan, offset: number): void {
  if (scan.reason === undefined || scan.end.endOffset >= offset) return;
  throw new CorruptionError({
    file: segment.path,
    position: scan.invalidPosition,
    reason: scan.reason,
    offset: scan.end.endOffset,
  });
}

/** What a truncation works on: the directory, and the segments that are left at each moment. */
export interface TruncationTarget {
  readonly environment: LogEnvironment;
  readonly options: ResolvedLogOptions;
  readonly directory: string;
  readonly metadata: LogMetadata;
  /** Makes the handle of a data file that was replaced or made. */
  openSegment(baseOffset: number): Segment;
}

/**
 * Carries out a truncation whose bound is durable: deletes the segments behind it, newest first,
 * cuts the one it goes through, and begins a new segment under the new epoch. Doing it again after
 * a crash at any place comes to the same end, because what a segment of the new epoch holds is
 * never touched.
 *
 * @returns The segments that are left, the new one last.
 */
export async function applyTruncation(
  target: TruncationTarget,
  bound: TruncationBound,
  segments: readonly Segment[],
): Promise<Segment[]> {
  const { environment, directory, metadata } = target;
  const { fileSystem } = environment;
  const kept = [...segments];
  for (;;) {
    const last = kept[kept.length - 1];
    if (last === undefined || last.baseOffset < bound.offset) break;
    const header = await runSteps(last.header());
    if (header.epoch >= bound.epoch) return kept;
    await removeSegment(fileSystem, last);
    kept.pop();
  }
  let predecessor: SegmentHeader["predecessor"];
  const floor = kept[kept.length - 1];
  if (floor !== undefined) {
    const { environment: world, options } = target;
    let scan = await scanTail(floor);
    assertSound(floor, scan, bound.offset);
    let cut = floor;
    if (scan.end.endOffset > bound.offset) {
      const temporary = await prepareCutSegment(world, options, floor, bound.offset);
      await fileSystem.rename(temporary, floor.path);
      await floor.file.close();
      cut = target.openSegment(floor.baseOffset);
      scan = await scanTail(cut);
    }
    const { end, index } = scan;
    cut.setEndPosition(end.endPosition);
    // A hint: if it cannot be saved, it is rebuilt when it is needed.
    await saveIndex(fileSystem, cut, index).catch(() => undefined);
    kept[kept.length - 1] = cut;
    const { checksum: headerChecksum } = await runSteps(cut.header());
    const { baseOffset } = cut;
    predecessor = { baseOffset, checksum: end.lastChecksum, headerChecksum };
  }
  await fileSystem.syncDirectory(directory);
  await createSegmentFile(fileSystem, directory, {
    logId: metadata.logId,
    epoch: bound.epoch,
    baseOffset: bound.offset,
    createdAt: environment.now(),
    predecessor,
  });
  kept.push(target.openSegment(bound.offset));
  return kept;
}

/** Whether a recorded truncation may have been interrupted and must be carried out again. */
export async function isUnfinished(
  bound: TruncationBound,
  segments: readonly Segment[],
): Promise<boolean> {
  const last = segments[segments.length - 1];
  if (last === undefined) return true;
  const header = await runSteps(last.header());
  return header.epoch < bound.epoch;
}
