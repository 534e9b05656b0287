import { openBlock } from "../../format/block.js";
import { blockLength, isInvalid, readBlockHeader } from "../../format/block-header.js";
import { Codec } from "../../format/compression.js";
import type { LogRecord } from "../../format/record.js";
import { viewOf } from "../../format/uint64.js";
import type { Segment } from "../../segment/segment.js";
import type { LogView } from "../log-view.js";
import { recordIn, segmentIndexOf } from "./segment-search.js";

/*
 * The way of most reads of one record: the index is in memory, the file is open, and the block is
 * whole where the index says that it is. Nothing is believed here that is not under a checksum;
 * where anything is otherwise, the answer is "not this way", and the long way finds out why.
 */

/** More is not read for one record. */
const LONGEST_BYTES = 64 * 1024;

/** Where a record's block is, or one of a few blocks up to the next place that the index knows. */
interface Place {
  readonly segment: Segment;
  readonly position: number;
  readonly length: number;
  /** What the checksums of the segment's blocks start from. */
  readonly blockSeed: number;
}

/** The record with this offset, or `undefined` if it cannot be had this way. */
export function quickReadSync(view: LogView, offset: number): LogRecord | undefined {
  const place = placeOf(view, offset);
  if (place === undefined) return undefined;
  const cached = cachedRecord(view, place, offset);
  if (cached !== undefined) return cached;
  const file = place.segment.file.openFile;
  if (file === undefined) return undefined;
  const bytes = view.blockCache.memoryFor(place.length);
  const count = file.readSync(bytes, place.position);
  return count === place.length ? recordAt(view, place, bytes, offset) : undefined;
}

/** As {@link quickReadSync}, without blocking the event loop. */
export function quickRead(
  view: LogView,
  offset: number,
): LogRecord | Promise<LogRecord | undefined> | undefined {
  const place = placeOf(view, offset);
  if (place === undefined) return undefined;
  return cachedRecord(view, place, offset) ?? readAt(view, place, offset);
}

function cachedRecord(
  view: LogView,
  { segment, position }: Place,
  offset: number,
): LogRecord | undefined {
  const block = view.blockCache.get(segment, position);
  return block && recordIn(block, offset);
}

async function readAt(view: LogView, place: Place, offset: number): Promise<LogRecord | undefined> {
  const { file } = place.segment;
  const open = file.acquireOpen();
  if (open === undefined) return undefined;
  try {
    const bytes = view.blockCache.memoryFor(place.length);
    const count = await open.read(bytes, place.position);
    return count === place.length ? recordAt(view, place, bytes, offset) : undefined;
  } finally {
    file.release();
  }
}

function placeOf(view: LogView, offset: number): Place | undefined {
  if (offset < view.startOffset || offset >= view.segmentsEndOffset) return undefined;
  const { segments } = view;
  const at = segmentIndexOf(segments, offset);
  const segment = segments[at]!;
  const successor = segments[at + 1];
  if (successor !== undefined && segment.followedBy !== successor) return undefined;
  const { index, knownHeader } = segment;
  const end = successor === undefined ? view.endPosition : segment.endPosition;
  if (index === undefined || knownHeader === undefined || end === undefined) return undefined;
  const { position, length } = segment.locate(index, knownHeader, end, offset);
  if (length <= 0 || length > LONGEST_BYTES) return undefined;
  return { segment, position, length, blockSeed: knownHeader.blockSeed };
}

/**
 * Verifies the block that holds the record, and keeps it for the next read. An index that names
 * another block leads nobody astray: a block tells its offsets itself.
 */
function recordAt(
  view: LogView,
  { segment, position, blockSeed }: Place,
  bytes: Uint8Array,
  offset: number,
): LogRecord | undefined {
  const data = viewOf(bytes);
  for (let start = 0; start < bytes.length; ) {
    const header = readBlockHeader(bytes, data, start, position + start, blockSeed);
    if (isInvalid(header)) return undefined;
    const length = blockLength(header);
    if (header.lastOffset < offset) {
      start += length;
      continue;
    }
    const opened = openBlock(bytes, start, header, segment.path);
    if (isInvalid(opened)) return undefined;
    // A record is copied before its block can make room for another one.
    const record = recordIn(opened, offset);
    if (header.codec !== Codec.none) view.blockCache.add(segment, opened);
    else if (length === bytes.length) view.blockCache.add(segment, opened, bytes);
    else view.blockCache.add(segment, opened.copy());
    return record;
  }
  return undefined;
}
