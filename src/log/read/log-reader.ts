import { CorruptionError, OffsetOutOfRangeError, type SeglogError } from "../../errors.js";
import { isMissing } from "../../files/file-errors.js";
import { runSteps, type Steps } from "../../files/steps.js";
import type { Block } from "../../format/block.js";
import type { LogRecord } from "../../format/record.js";
import type { SegmentHeader, SegmentPredecessor } from "../../format/segment-header.js";
import {
  type BlockRun,
  blockError,
  findBlock,
  readRun,
  SCAN_CHUNK_BYTES,
} from "../../segment/block-source.js";
import { loadedIndex, rebuildIndex } from "../../segment/index-loading.js";
import type { Segment } from "../../segment/segment.js";
import type { LogView } from "../log-view.js";
import { continuity } from "../recovery/tail-scan.js";
import { recordIn, segmentIndexOf } from "./segment-search.js";

/** Where the readable part of `segment` ends. */
function* readableEnd(view: LogView, segment: Segment): Steps<number> {
  const { segments } = view;
  return segment === segments[segments.length - 1] ? view.endPosition : yield* segment.end();
}

/** The segment with the greatest base offset that is at most `offset`. */
function findSegment({ segments }: LogView, offset: number): Segment {
  return segments[segmentIndexOf(segments, offset)]!;
}

/**
 * Reads the record with exactly this offset: one read of the block that holds it.
 *
 * @throws OffsetOutOfRangeError, also for a hole that salvage left; CorruptionError.
 */
export function* readRecord(view: LogView, offset: number): Steps<LogRecord> {
  assertReadable(view, offset);
  if (offset >= view.segmentsEndOffset) return yield* view.tail!.record(offset);
  const block = yield* findBlockOf(view, offset);
  const record = block && recordIn(block, offset);
  if (record !== undefined) return record;
  throw new OffsetOutOfRangeError(
    offset,
    view.startOffset,
    view.endOffset,
    "this offset is a hole, its record was lost when the log was salvaged",
  );
}

/** Throws unless `offset` is in [start offset, end offset). */
function assertReadable(view: LogView, offset: number): void {
  if (offset >= view.startOffset && offset < view.endOffset) return;
  // Damage at the end must not look like the end.
  if (offset >= view.endOffset) view.assertWhole();
  throw new OffsetOutOfRangeError(offset, view.startOffset, view.endOffset);
}

/** The block whose offsets reach to or beyond `offset`: the one that holds it, if any does. */
function* findBlockOf(view: LogView, offset: number): Steps<Block | undefined> {
  const segment = findSegment(view, offset);
  try {
    return yield* findInSegment(view, segment, offset);
  } catch (error) {
    throw explainMissing(view, segment, offset, error);
  }
}

function* findInSegment(view: LogView, segment: Segment, offset: number): Steps<Block | undefined> {
  const end = yield* readableEnd(view, segment);
  const run = yield* seek(view, segment, end, offset);
  for (const block of run.blocks) {
    if (block.header.lastOffset < offset) continue;
    const own = run.blocks.length === 1 ? block : block.copy();
    view.blockCache.add(segment, own);
    return own;
  }
  const chain = run.blocks.at(-1)?.header.checksum ?? (yield* segment.header()).checksum;
  yield* assertFollowed(view, segment, chain);
  return undefined;
}

/**
 * Reads the run with the block that holds `offset`, or with the next one where that is in a hole;
 * the segment's last run if there is neither. Damage on the way that does not reach up to `offset`
 * is stepped over.
 *
 * @throws CorruptionError if `offset` may lie in damage; `UNSUPPORTED_FORMAT`.
 */
function* seek(
  view: LogView,
  segment: Segment,
  end: number,
  offset: number,
  chunkBytes?: number,
): Steps<BlockRun> {
  const source = yield* segment.source();
  let run = yield* readIndexed(view, segment, end, offset, chunkBytes);
  while ((run.blocks.at(-1)?.header.lastOffset ?? -1) < offset) {
    let position = run.nextPosition;
    if (run.invalid !== undefined) {
      const next =
        run.invalid.kind === "damaged" ? yield* findBlock(source, position + 1, end) : undefined;
      if (next === undefined || next.baseOffset > offset) {
        throw blockError(segment.path, position, run.invalid, offset);
      }
      position = next.position;
    }
    if (position >= end) break;
    run = yield* readRun(source, position, end, chunkBytes ?? SCAN_CHUNK_BYTES);
  }
  return run;
}

/**
 * Reads blocks from the place on that the index names for `offset`: those up to the next place
 * that it knows, or `chunkBytes`. The index is a hint: if the block there is not the one that it
 * promised, the index is built anew from the data.
 */
function* readIndexed(
  view: LogView,
  segment: Segment,
  end: number,
  offset: number,
  chunkBytes?: number,
): Steps<BlockRun> {
  const header = yield* soundHeader(view, segment);
  const source = yield* segment.source();
  const index = yield* loadedIndex(segment);
  view.indexCache.touch(segment);
  const place = segment.locate(index, header, end, offset);
  if (place.position <= end) {
    const length = chunkBytes ?? Math.min(place.length, SCAN_CHUNK_BYTES);
    const run = yield* readRun(source, place.position, end, length);
    const found = run.blocks[0]?.header.baseOffset;
    if (place.baseOffset === undefined || found === place.baseOffset) return run;
  }
  const rebuilt = yield* rebuildIndex(segment);
  segment.setIndex(rebuilt);
  const better = segment.locate(rebuilt, header, end, offset);
  return yield* readRun(source, better.position, end, chunkBytes ?? SCAN_CHUNK_BYTES);
}

/**
 * Throws if the segment behind this one did not follow it when it ended with the block of checksum
 * `chain`: one between them is missing, or the end of this one.
 *
 * @param chain - `undefined` where it is not known.
 */
export function* assertFollowed(
  view: LogView,
  segment: Segment,
  chain: number | undefined,
): Steps<void> {
  const successor = successorOf(view, segment);
  if (successor === undefined) return;
  const { predecessor } = yield* successor.header();
  if (predecessor?.baseOffset !== segment.baseOffset) throw missingBefore(successor);
  if (chain === undefined || chain === predecessor.checksum) return;
  throw new CorruptionError({
    file: segment.path,
    position: yield* segment.end(),
    reason: "it does not end with the block that the next segment names",
  });
}

/**
 * The header of a segment, which must be that of the very file that the next segment followed: an
 * earlier file of this name is valid in itself, and holds records that were truncated since.
 *
 * @throws CorruptionError
 */
function* soundHeader(view: LogView, segment: Segment): Steps<SegmentHeader> {
  const header = yield* segment.header();
  const successor = successorOf(view, segment);
  if (successor === undefined || segment.followedBy === successor) return header;
  const predecessor = yield* predecessorOf(successor);
  const isMeant = predecessor?.baseOffset === segment.baseOffset;
  const { headerChecksum = 0 } = predecessor ?? {};
  if (isMeant && headerChecksum !== 0 && headerChecksum !== header.checksum) {
    throw new CorruptionError({
      file: segment.path,
      position: 0,
      reason: "it is not the file that the next segment followed",
      offset: segment.baseOffset,
    });
  }
  segment.followedBy = successor;
  return header;
}

/** What a segment says of the one before it; nothing if its own header is damaged. */
function* predecessorOf(segment: Segment): Steps<SegmentPredecessor | undefined> {
  try {
    return (yield* segment.header()).predecessor;
  } catch (error) {
    if (error instanceof CorruptionError) return undefined;
    throw error;
  }
}

/** The segment behind this one; of one that is no more in the list, none. */
function successorOf({ segments }: LogView, segment: Segment): Segment | undefined {
  const index = segments.indexOf(segment);
  return index < 0 ? undefined : segments[index + 1];
}

function missingBefore(segment: Segment): CorruptionError {
  return new CorruptionError({
    file: segment.path,
    position: 0,
    reason: "the segment before this one is missing",
    offset: segment.baseOffset,
  });
}

/** A file that is gone was deleted by retention, or is lost. */
function explainMissing(view: LogView, segment: Segment, offset: number, error: unknown): unknown {
  if (!isMissing(error)) return error;
  if (offset < view.startOffset || !view.segments.includes(segment)) {
    return new OffsetOutOfRangeError(offset, view.startOffset, view.endOffset);
  }
  return new CorruptionError({
    file: segment.path,
    position: 0,
    reason: "the segment's data file is missing",
    offset: segment.baseOffset,
  });
}

/**
 * Reads a log in order, block by block, over the borders of segments, checking that each block
 * follows the one before it.
 */
export class LogCursor {
  readonly #view: LogView;
  readonly #epoch: number;
  #offset: number;
  #segment: Segment | undefined;
  #position = 0;
  /** Blocks that were read while the place to begin was looked for. */
  #ready: BlockRun | undefined;
  /** Checksum of the block before, once there was one. */
  #chain: number | undefined;

  /** @param offset - Where to begin, in [start offset, end offset]. */
  constructor(view: LogView, offset: number) {
    this.#view = view;
    this.#epoch = view.epoch;
    this.#offset = offset;
  }

  /** The offset from which the next run gives records. */
  get offset(): number {
    return this.#offset;
  }

  /** The epoch that this reads; records of another one are never given. */
  get epoch(): number {
    return this.#epoch;
  }

  /**
   * The next blocks, of which the first may begin before {@link offset}; empty at the end.
   *
   * @param chunkBytes - How much to read at a time.
   */
  *next(chunkBytes: number): Steps<readonly Block[]> {
    const view = this.#view;
    for (;;) {
      if (this.#offset < view.startOffset) {
        throw new OffsetOutOfRangeError(this.#offset, view.startOffset, view.endOffset);
      }
      if (this.#offset >= view.endOffset) return [];
      if (this.#offset >= view.segmentsEndOffset) {
        const blocks = yield* view.tail!.blocks(this.#offset, chunkBytes);
        this.#segment = undefined;
        this.#offset = blocks[blocks.length - 1]!.header.lastOffset + 1;
        return blocks;
      }
      // The list may have been replaced: by a truncation, or by another writer's recovery.
      if (this.#segment !== undefined && !view.segments.includes(this.#segment)) {
        this.#segment = undefined;
      }
      const segment = this.#segment ?? findSegment(view, this.#offset);
      try {
        if (this.#segment === undefined) yield* this.#enter(segment, chunkBytes);
        const blocks = yield* this.#read(segment, chunkBytes);
        if (blocks.length > 0) return blocks;
        yield* this.#leave(segment);
      } catch (error) {
        throw explainMissing(view, segment, this.#offset, error);
      }
    }
  }

  *#enter(segment: Segment, chunkBytes: number): Steps<void> {
    this.#chain = undefined;
    if (this.#offset <= segment.baseOffset) {
      yield* this.#enterAtStart(segment);
      return;
    }
    const end = yield* readableEnd(this.#view, segment);
    const run = yield* seek(this.#view, segment, end, this.#offset, chunkBytes);
    this.#ready = run;
    // Without a block, the next segment must have followed the bare header.
    if (run.blocks.length === 0) this.#chain = (yield* segment.header()).checksum;
    this.#segment = segment;
  }

  *#enterAtStart(segment: Segment): Steps<void> {
    const { headerLength, checksum } = yield* soundHeader(this.#view, segment);
    this.#position = headerLength;
    this.#chain = checksum;
    this.#ready = undefined;
    this.#segment = segment;
  }

  *#read(segment: Segment, chunkBytes: number): Steps<readonly Block[]> {
    const end = yield* readableEnd(this.#view, segment);
    while (this.#ready !== undefined || this.#position < end) {
      const source = yield* segment.source();
      const run = this.#ready ?? (yield* readRun(source, this.#position, end, chunkBytes));
      this.#ready = undefined;
      this.#check(segment, run.blocks);
      const wanted = run.blocks.filter((block) => block.header.lastOffset >= this.#offset);
      this.#position = run.nextPosition;
      const last = run.blocks[run.blocks.length - 1];
      if (last !== undefined) this.#chain = last.header.checksum;
      if (wanted.length > 0) {
        // The last block may reach beyond an end that a recorded truncation has set.
        this.#offset = Math.min(last!.header.lastOffset + 1, this.#view.segmentsEndOffset);
        return wanted;
      }
      // What is valid before damage is given first; the damage is met again by the next call.
      if (run.invalid !== undefined) {
        throw blockError(segment.path, run.nextPosition, run.invalid, this.#offset);
      }
    }
    return [];
  }

  #check(segment: Segment, blocks: readonly Block[]): void {
    let chain = this.#chain;
    const limit = successorOf(this.#view, segment)?.baseOffset ?? Number.POSITIVE_INFINITY;
    for (const { header } of blocks) {
      const broken =
        chain === undefined ? undefined : continuity(header, chain, segment.baseOffset);
      const isBeyond = header.lastOffset >= limit;
      const reason =
        broken ?? (isBeyond ? "the block holds offsets of the next segment" : undefined);
      if (reason !== undefined) {
        const { position, baseOffset } = header;
        throw new CorruptionError({ file: segment.path, position, reason, offset: baseOffset });
      }
      chain = header.checksum;
    }
  }

  /** Goes to the next segment, which must be the one that followed when it was made. */
  *#leave(segment: Segment): Steps<void> {
    const successor = successorOf(this.#view, segment);
    if (successor === undefined) throw shortFile(segment, this.#position, this.#offset);
    yield* assertFollowed(this.#view, segment, this.#chain);
    this.#offset = Math.max(this.#offset, successor.baseOffset);
    yield* this.#enterAtStart(successor);
  }
}

function shortFile(segment: Segment, position: number, offset: number): SeglogError {
  return new CorruptionError({
    file: segment.path,
    position,
    reason: "the file ends before its data should",
    offset,
  });
}

/** Bounds of one read. */
export interface ReadLimits {
  readonly maxRecords: number;
  /** Of values, keys and headers; the first record is given even if it is longer. */
  readonly maxBytes: number;
}

/** What is read at first for a short range; a longer one reads on in larger pieces. */
const FIRST_CHUNK_BYTES = 64 * 1024;

/** Reads records from `offset` on, up to the limits; empty at the end offset. */
export async function readRange(
  view: LogView,
  offset: number,
  limits: ReadLimits,
): Promise<LogRecord[]> {
  const records: LogRecord[] = [];
  const cursor = new LogCursor(view, offset);
  let bytes = 0;
  let chunkBytes = Math.min(Math.max(limits.maxBytes, 4096), FIRST_CHUNK_BYTES);
  for (;;) {
    const blocks = await runSteps(cursor.next(chunkBytes));
    if (blocks.length === 0) return records;
    for (const block of blocks) {
      const { recordCount } = block.header;
      for (let index = block.lowerBound(offset); index < recordCount; index++) {
        if (block.offsetAt(index) >= view.endOffset) return records;
        const record = block.recordAt(index);
        bytes += recordBytes(record);
        if (records.length > 0 && bytes > limits.maxBytes) return records;
        records.push(record);
        if (records.length >= limits.maxRecords) return records;
      }
    }
    chunkBytes = Math.min(chunkBytes * 4, SCAN_CHUNK_BYTES);
  }
}

/** Bytes that count against `maxBytes`. */
function recordBytes(record: LogRecord): number {
  let bytes = record.value.length + (record.key?.length ?? 0);
  for (const [name, value] of record.headers ?? []) bytes += name.length + value.length;
  return bytes;
}

/**
 * The first offset whose record has at least this timestamp, or the end offset.
 *
 * @throws CorruptionError where it may lie in damage, or in a segment that is missing.
 */
export function* findTimestamp(view: LogView, timestamp: number): Steps<number> {
  const { segments, segmentsEndOffset } = view;
  for (const segment of segments) {
    yield* soundHeader(view, segment);
    const index = yield* loadedIndex(segment);
    view.indexCache.touch(segment);
    const { records, maxTimestamp, lastChecksum } = index.summary;
    if (!index.isPartial && (records === 0 || maxTimestamp < timestamp)) {
      yield* assertFollowed(view, segment, lastChecksum);
      continue;
    }
    // What an index leaves out may be what is looked for.
    const from = segment.baseOffset + (index.isPartial ? 0 : index.times.startFor(timestamp));
    const limit = successorOf(view, segment)?.baseOffset ?? view.segmentsEndOffset;
    const first = Math.max(Math.min(from, limit), view.startOffset);
    const found = yield* findTimestampFrom(view, first, timestamp);
    return found;
  }
  // Where they ended before: records of the tail may have come to them while they were looked at.
  return yield* findTimestampFrom(view, segmentsEndOffset, timestamp);
}

function* findTimestampFrom(view: LogView, from: number, timestamp: number): Steps<number> {
  const cursor = new LogCursor(view, from);
  for (;;) {
    const blocks = yield* cursor.next(FIRST_CHUNK_BYTES);
    if (blocks.length === 0) return view.endOffset;
    for (const block of blocks) {
      if (block.header.maxTimestamp < timestamp) continue;
      const { recordCount } = block.header;
      for (let index = block.lowerBound(from); index < recordCount; index++) {
        const offset = block.offsetAt(index);
        if (offset >= view.endOffset) return view.endOffset;
        if (block.timestampAt(index) >= timestamp) return offset;
      }
    }
  }
}
