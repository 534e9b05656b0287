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
  /** Counted up in place: an object for each block would be most of what a block costs here. */
  readonly #sums: { -readonly [Name in keyof SegmentSummary]: SegmentSummary[Name] };
  #indexedPosition: number;
  /** How far the data was read to build this; damage may lie between the last block and here. */
  coveredPosition: number;
  /** Whether damage was stepped over when this was built, so that it says nothing of some records. */
  isPartial = false;

  constructor(summary: SegmentSummary, offsets = new OffsetIndex(), times = new TimeIndex()) {
    this.#sums = { ...summary };
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

  /** The sums as they are now. */
  get summary(): SegmentSummary {
    return { ...this.#sums };
  }

  get byteLength(): number {
    return this.offsets.byteLength + this.times.byteLength;
  }

  /**
   * @param intervalBytes - A block gets an entry when it ends further than this behind the last one
   *   that has: so, with blocks of about this length, every block.
   */
  add(block: IndexedBlock, intervalBytes: number): void {
    const sums = this.#sums;
    const relativeOffset = block.baseOffset - sums.baseOffset;
    const blockEnd = block.position + block.length;
    const isFirst = sums.records === 0;
    if (this.#indexedPosition < 0 || blockEnd - this.#indexedPosition > intervalBytes) {
      this.offsets.add(relativeOffset, block.position);
      if (!isFirst) this.times.add(sums.maxTimestamp, relativeOffset);
      this.#indexedPosition = block.position;
    }
    this.coveredPosition = blockEnd;
    sums.lastChecksum = block.checksum;
    sums.lastBlockPosition = block.position;
    sums.endPosition = blockEnd;
    sums.endOffset = block.lastOffset + 1;
    sums.records += block.recordCount;
    if ((block.attributes & BlockAttribute.lastOfBatch) !== 0) sums.batches++;
    sums.blocks++;
    sums.bodyBytes += block.bodyBytes;
    if (isFirst || block.baseTimestamp < sums.minTimestamp) {
      sums.minTimestamp = block.baseTimestamp;
    }
    if (block.maxTimestamp > sums.maxTimestamp) sums.maxTimestamp = block.maxTimestamp;
  }

  /** The contents of the two index files. */
  encode(): { readonly offsetIndex: Uint8Array; readonly timeIndex: Uint8Array } {
    const { summary } = this;
    const { offsets, times } = this;
    return {
      offsetIndex: encodeIndexFile(OFFSET_INDEX_MAGIC, summary, offsets.count, offsets.encode()),
      timeIndex: encodeIndexFile(TIME_INDEX_MAGIC, summary, times.count, times.encode()),
    };
  }
}
