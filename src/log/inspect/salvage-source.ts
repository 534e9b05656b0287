import { readStep, runSteps } from "../../files/steps.js";
import { BlockAttribute, type BlockHeader } from "../../format/block-header.js";
import { checksum } from "../../format/checksum.js";
import { walkBlocks } from "../../segment/block-walk.js";
import type { LogSurvey, SurveyedSegment } from "../recovery/log-survey.js";
import { checkRecords } from "../recovery/segment-check.js";

/** A block that can be read, as it lies in its file. */
export interface SavedBlock {
  readonly header: BlockHeader;
  readonly stored: Uint8Array;
  /** Whether its batch ends here: as it was written, or because damage has cut the batch. */
  readonly endsBatch: boolean;
}

/** Which offsets are worth saving. */
export interface SalvageRange {
  readonly startOffset: number;
  /** Where a truncation that was not completed ends the log. */
  readonly endOffset: number;
}

/**
 * The readable blocks of one segment, in order. Blocks whose offsets go back, or reach over the
 * range's end, are left out.
 */
export async function* savedBlocks(
  surveyed: SurveyedSegment,
  range: SalvageRange,
  onBytes: (count: number) => void,
): AsyncGenerator<SavedBlock, void, void> {
  const { source, firstPosition, endPosition } = surveyed;
  if (source === undefined) return;
  let expectedOffset = range.startOffset;
  let held: SavedBlock | undefined;
  let position = firstPosition;
  for await (const step of walkBlocks(source, firstPosition, endPosition)) {
    for (const block of step.blocks) {
      const { header } = block;
      const isWanted = header.lastOffset >= expectedOffset && header.lastOffset < range.endOffset;
      const overlaps = header.baseOffset < expectedOffset && expectedOffset > range.startOffset;
      if (!isWanted || overlaps || checkRecords(block) !== undefined) continue;
      const stored = new Uint8Array(header.storedBytes);
      await runSteps(readStep(source.file, stored, header.position + header.headerLength));
      // It was valid a moment ago; a disk that fails may tell otherwise now.
      if (checksum(stored) !== header.bodyChecksum) continue;
      if (held !== undefined) yield withEnd(held, header.previousChecksum !== held.header.checksum);
      const endsBatch = (header.attributes & BlockAttribute.lastOfBatch) !== 0;
      held = { header, stored, endsBatch };
      expectedOffset = header.lastOffset + 1;
    }
    onBytes(step.nextPosition - position);
    position = step.nextPosition;
  }
  if (held !== undefined) yield withEnd(held, true);
}

function withEnd(block: SavedBlock, isCut: boolean): SavedBlock {
  return isCut ? { ...block, endsBatch: true } : block;
}

/** One past the last offset that the log is known to have had, whether it can be read or not. */
export function knownEnd(survey: LogSurvey): number {
  const { metadata, published } = survey;
  return published?.endOffset ?? metadata?.end.endOffset ?? 0;
}
