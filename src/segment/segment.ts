import { join } from "node:path";
import { CorruptionError, type SeglogError } from "../errors.js";
import { isMissing } from "../files/file-errors.js";
import { type HandlePool, PooledFile } from "../files/handle-pool.js";
import { readStep, type Steps, sizeStep } from "../files/steps.js";
import { isInvalidHeader } from "../format/envelope.js";
import { segmentFileName } from "../format/file-names.js";
import {
  decodeSegmentHeader,
  SEGMENT_HEADER_BYTES,
  type SegmentHeader,
} from "../format/segment-header.js";
import { type BlockSource, blockError } from "./block-source.js";
import type { SegmentIndex } from "./segment-index.js";

/** Room for the header of a later version, whose required features we then refuse by name. */
const MAX_SEGMENT_HEADER_BYTES = 4096;

/** Which log a segment must belong to. */
export interface SegmentOwner {
  readonly directory: string;
  readonly logId: Uint8Array;
  readonly indexIntervalBytes: number;
}

/** Where to begin to read for an offset, and how far at least. */
export interface Location {
  readonly position: number;
  /** Bytes from `position` to the next place that the index knows. */
  readonly length: number;
  /** Base offset that the block at `position` must have, if the index is right. */
  readonly baseOffset: number | undefined;
}

/**
 * One data file and its indexes. Nothing is read before it is needed; what was read stays until
 * {@link dropIndex}.
 */
export class Segment {
  readonly baseOffset: number;
  readonly owner: SegmentOwner;
  readonly file: PooledFile;
  #pool: HandlePool;
  #header: SegmentHeader | undefined;
  #index: SegmentIndex | undefined;
  #endPosition: number | undefined;

  constructor(pool: HandlePool, owner: SegmentOwner, baseOffset: number, mode: "read" | "update") {
    this.#pool = pool;
    this.owner = owner;
    this.baseOffset = baseOffset;
    const path = join(owner.directory, segmentFileName(baseOffset, "data"));
    this.file = new PooledFile(pool, path, mode);
  }

  get path(): string {
    return this.file.path;
  }

  /** The header, if it was read. */
  get knownHeader(): SegmentHeader | undefined {
    return this.#header;
  }

  /** The indexes, if they are in memory. */
  get index(): SegmentIndex | undefined {
    return this.#index;
  }

  /** One past the last byte that belongs to a complete batch, where it is known. */
  get endPosition(): number | undefined {
    return this.#endPosition;
  }

  /** @param position - `undefined` asks the file for its length again. */
  setEndPosition(position: number | undefined): void {
    this.#endPosition = position;
  }

  /** The segment behind this one, if that was seen to follow this very file. */
  followedBy: Segment | undefined;

  /**
   * Set by the writer of this segment: told instead when the memory of the index is wanted, so that
   * it can save the index first.
   */
  onIndexUnwanted: (() => void) | undefined;

  /** Set by the writer of a log: told when the indexes of a segment had to be rebuilt. */
  onIndexRebuilt: ((segment: Segment, index: SegmentIndex) => void) | undefined;

  setIndex(index: SegmentIndex): void {
    this.#index = index;
  }

  /** Gives the memory of the indexes back. */
  dropIndex(): void {
    this.#index = undefined;
  }

  /** Path of one of the index files. */
  indexPath(kind: "offsetIndex" | "timeIndex"): string {
    return join(this.owner.directory, segmentFileName(this.baseOffset, kind));
  }

  /** A handle on one of the index files. */
  indexFile(kind: "offsetIndex" | "timeIndex"): PooledFile {
    return new PooledFile(this.#pool, this.indexPath(kind), "read");
  }

  /**
   * Reads and checks the header.
   *
   * @throws CorruptionError if it is damaged or another segment's; `UNSUPPORTED_FORMAT`.
   */
  *header(): Steps<SegmentHeader> {
    if (this.#header !== undefined) return this.#header;
    const bytes = new Uint8Array(MAX_SEGMENT_HEADER_BYTES);
    let count: number;
    try {
      count = yield* readStep(this.file, bytes, 0);
    } catch (error) {
      throw isMissing(error) ? this.#damage("the segment's data file is missing") : error;
    }
    const header = decodeSegmentHeader(bytes.subarray(0, count));
    if (isInvalidHeader(header)) throw blockError(this.path, 0, header, this.baseOffset);
    if (Buffer.compare(header.logId, this.owner.logId) !== 0) {
      throw this.#damage("the segment belongs to another log");
    }
    if (header.baseOffset !== this.baseOffset) {
      throw this.#damage(`the segment is that of base offset ${header.baseOffset}`);
    }
    this.#header = header;
    return header;
  }

  /** What the checksums of its blocks start from, with the file that holds them. */
  *source(): Steps<BlockSource> {
    const header = this.#header ?? (yield* this.header());
    return { file: this.file, blockSeed: header.blockSeed };
  }

  /** The header's checksum is the first link of the chain; its length, where blocks begin. */
  *firstPosition(): Steps<number> {
    const header = this.#header ?? (yield* this.header());
    return header.headerLength;
  }

  /** {@link endPosition}; of a sealed segment it is the length of the file. */
  *end(): Steps<number> {
    if (this.#endPosition === undefined) {
      const size = yield* sizeStep(this.file);
      this.#endPosition = Math.max(size, SEGMENT_HEADER_BYTES);
    }
    return this.#endPosition;
  }

  /** Where to look for `offset`, which is at least the base offset. */
  locate(index: SegmentIndex, header: SegmentHeader, end: number, offset: number): Location {
    const { offsets } = index;
    const entry = offsets.floor(offset - this.baseOffset);
    const position = entry < 0 ? header.headerLength : offsets.positionAt(entry);
    const next = entry + 1 < offsets.count ? offsets.positionAt(entry + 1) : end;
    const baseOffset = entry < 0 ? undefined : this.baseOffset + offsets.relativeOffsetAt(entry);
    return { position, length: Math.min(Math.max(next, position), end) - position, baseOffset };
  }

  #damage(reason: string): SeglogError {
    return new CorruptionError({ file: this.path, position: 0, reason, offset: this.baseOffset });
  }
}
