import { CorruptionError } from "../../errors.js";
import { runSteps } from "../../files/steps.js";
import type { LogEnd, LogMetadata, TruncationBound } from "../../format/log-metadata.js";
import type { SegmentHeader } from "../../format/segment-header.js";
import { saveIndex } from "../../segment/index-loading.js";
import type { Segment } from "../../segment/segment.js";
import { createSegmentFile } from "../directory/log-files.js";
import type { LogEnvironment } from "../environment.js";
import type { ResolvedLogOptions } from "../options.js";
import { assertCuttable, prepareCutSegment } from "./segment-rewrite.js";
import { scanTail, type TailScan } from "./tail-scan.js";

/**
 * Throws if a segment is damaged before `offset`: a cut there would hide the damage, and what lies
 * behind it. Also if it cannot be cut there; both have to be known before the bound holds.
 *
 * @returns Where the segment's complete batches end.
 * @throws CorruptionError, SeglogError `UNSUPPORTED_FORMAT`.
 */
export async function assertSoundBelow(segment: Segment, offset: number): Promise<LogEnd> {
  const scan = await scanTail(segment);
  assertSound(segment, scan, offset);
  await assertCuttable(segment, offset, scan.end.endPosition);
  return scan.end;
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
 * Carries out a truncation whose bound is durable, when the segments behind it are removed: cuts the
 * one it goes through, and begins a new segment under the new epoch. Until that has its name all can
 * be done again from the beginning, and comes to the same end.
 *
 * @param kept - The segments with offsets before the bound; the last one is cut.
 * @returns The segments that are left, the new one last.
 */
export async function applyTruncation(
  target: TruncationTarget,
  bound: TruncationBound,
  kept: readonly Segment[],
): Promise<Segment[]> {
  const { environment, directory, metadata } = target;
  const { fileSystem } = environment;
  const left = [...kept];
  let predecessor: SegmentHeader["predecessor"];
  const floor = left.at(-1);
  if (floor !== undefined) {
    const { environment: world, options } = target;
    let scan = await scanTail(floor);
    assertSound(floor, scan, bound.offset);
    let cut = floor;
    if (scan.end.endOffset > bound.offset) {
      const { endPosition } = scan.end;
      const temporary = await prepareCutSegment(world, options, floor, bound.offset, endPosition);
      await fileSystem.rename(temporary, floor.path);
      await floor.file.close();
      cut = target.openSegment(floor.baseOffset);
      scan = await scanTail(cut);
    }
    const { end, index } = scan;
    cut.setEndPosition(end.endPosition);
    // A hint: if it cannot be saved, it is rebuilt when it is needed.
    await saveIndex(fileSystem, cut, index).catch(() => undefined);
    left[left.length - 1] = cut;
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
  left.push(target.openSegment(bound.offset));
  return left;
}
