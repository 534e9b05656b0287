import { BlockAttribute } from "../format/block-header.js";
import {
  encodeIndexFile,
  OFFSET_INDEX_MAGIC,
  type SegmentSummary,
  TIME_INDEX_MAGIC,
} from "../format/index-file.js";
import type { SegmentHeader } from "../format/segment-header.js";
import { OffsetIndex } from "./offset-index.js";
import { TimeIndex } from "./time-index.js";

/** What an index wants to know of a block that was added to its segment. */
export interface IndexedBlock {
  readonly checksum: number;
  readonly attributes: number;
  readonly position: number;
  /** Length in the file, header included. */
  readonly length: number;
  readonly baseOffset: number;
  readonly lastOffset: number;
  readonly recordCount: number;
  readonly bodyBytes: number;
  readonly baseTimestamp: number;
  readonly maxTimestamp: number;
}

/** Both indexes of a segment and the sums over it, fed block by block in the order of the file. */
export class SegmentIndex {
  readonly offsets: OffsetIndex;
  readonly times: TimeIndex;
  #summary: SegmentSummary;
  #indexedPosition: number;
  /** How far the data was read to build this; damage may lie between the last block and here. */
  coveredPosition: number;
  /** Whether damage was stepped over when this was built, so that it says nothing of some records. */
  isPartial = false;

  constructor(summary: SegmentSummary, offsets = new OffsetIndex(), times = new TimeIndex()) {
    this.#summary = summary;
    this.offsets = offsets;
    this.times = times;
    this.coveredPosition = summary.endPosition;
    this.#indexedPosition = offsets.count === 0 ? -1 : offsets.positionAt(offsets.count - 1);
  }

  /** The indexes of a segment without blocks. */
  static empty(header: SegmentHeader): SegmentIndex {
    return new SegmentIndex({
      segmentChecksum: header.checksum,
      lastChecksum: header.checksum,
      lastBlockPosition: 0,
      endPosition: header.headerLength,
      baseOffset: header.baseOffset,
      endOffset: header.baseOffset,
      records: 0,
      batches: 0,
      blocks: 0,
      bodyBytes: 0,
      minTimestamp: 0,
      maxTimestamp: 0,
    });
  }

  get summary(): SegmentSummary {
    return this.#summary;
  }

  get byteLength(): number {
    return this.offsets.byteLength + this.times.byteLength;
  }

  /**
   * @param intervalBytes - A block gets an entry when it ends further than this behind the last one
   *   that has: so, with blocks of about this length, every block.
   */
  add(block: IndexedBlock, intervalBytes: number): void {
    const before = this.#summary;
    const relativeOffset = block.baseOffset - before.baseOffset;
    const blockEnd = block.position + block.length;
    if (this.#indexedPosition < 0 || blockEnd - this.#indexedPosition > intervalBytes) {
      this.offsets.add(relativeOffset, block.position);
      if (before.records > 0) this.times.add(before.maxTimestamp, relativeOffset);
      this.#indexedPosition = block.position;
    }
    this.coveredPosition = blockEnd;
    const first = before.records === 0;
    this.#summary = {
      segmentChecksum: before.segmentChecksum,
      lastChecksum: block.checksum,
      lastBlockPosition: block.position,
      endPosition: blockEnd,
      baseOffset: before.baseOffset,
      endOffset: block.lastOffset + 1,
      records: before.records + block.recordCount,
      batches: before.batches + ((block.attributes & BlockAttribute.lastOfBatch) === 0 ? 0 : 1),
      blocks: before.blocks + 1,
      bodyBytes: before.bodyBytes + block.bodyBytes,
      minTimestamp: first
        ? block.baseTimestamp
        : Math.min(before.minTimestamp, block.baseTimestamp),
      maxTimestamp: Math.max(before.maxTimestamp, block.maxTimestamp),
    };
  }

  /** The contents of the two index files. */
  encode(): { readonly offsetIndex: Uint8Array; readonly timeIndex: Uint8Array } {
    const summary = this.#summary;
    const { offsets, times } = this;
    return {
      offsetIndex: encodeIndexFile(OFFSET_INDEX_MAGIC, summary, offsets.count, offsets.encode()),
      timeIndex: encodeIndexFile(TIME_INDEX_MAGIC, summary, times.count, times.encode()),
    };
  }
}
