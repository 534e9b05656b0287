import { runStepsSync, type Steps } from "../../files/steps.js";
import { readSummary } from "../../segment/index-loading.js";
import type { Segment } from "../../segment/segment.js";
import type { LogView } from "../log-view.js";

/** A segment, for people and tools. */
export interface SegmentInfo {
  /** Path of the data file. */
  readonly path: string;
  /** Offset that the file is named after, inclusive. */
  readonly baseOffset: number;
  /** Exclusive. */
  readonly endOffset: number;
  /** `"active"`: written to. `"sealed"`: complete, never changed again. */
  readonly state: "active" | "sealed";
  /** Length of the readable part of the data file. */
  readonly bytes: number;
  /**
   * Sums over the segment, from its index; `undefined` where the index is missing or out of date.
   * Of the active segment they may count records that are not yet readable.
   */
  readonly contents: SegmentContents | undefined;
}

/** What a segment holds. */
export interface SegmentContents {
  /** Number of records. */
  readonly records: number;
  /** Number of batches: the units of atomicity. */
  readonly batches: number;
  /** Number of blocks: the units of checksum and compression. */
  readonly blocks: number;
  /** What the blocks' bodies take when not compressed; compare with `bytes` for the ratio. */
  readonly uncompressedBytes: number;
  /** Milliseconds since 1970; `undefined` in a segment without records. */
  readonly minTimestamp: number | undefined;
  /** Milliseconds since 1970; `undefined` in a segment without records. */
  readonly maxTimestamp: number | undefined;
  /** Entries of the offset index. */
  readonly indexEntries: number;
  /** Entries of the time index. */
  readonly timeIndexEntries: number;
}

/** Describes all segments of a log. */
export function describeSegments(view: LogView): SegmentInfo[] {
  const { segments } = view;
  return segments.map((segment, at) => {
    const isActive = at === segments.length - 1;
    const bytes = isActive ? view.endPosition : runStepsSync(segment.end());
    if (isActive) segment.setEndPosition(bytes);
    return {
      path: segment.path,
      baseOffset: segment.baseOffset,
      endOffset: isActive ? view.segmentsEndOffset : segments[at + 1]!.baseOffset,
      state: isActive ? "active" : "sealed",
      bytes,
      contents: runStepsSync(readContents(segment)),
    };
  });
}

function* readContents(segment: Segment): Steps<SegmentContents | undefined> {
  const found = yield* readSummary(segment);
  if (found === undefined) return undefined;
  const { summary } = found;
  const isEmpty = summary.records === 0;
  return {
    records: summary.records,
    batches: summary.batches,
    blocks: summary.blocks,
    uncompressedBytes: summary.bodyBytes,
    minTimestamp: isEmpty ? undefined : summary.minTimestamp,
    maxTimestamp: isEmpty ? undefined : summary.maxTimestamp,
    indexEntries: found.offsetEntries,
    timeIndexEntries: found.timeEntries,
  };
}
