import { checksum } from "./checksum.js";
import { checkEnvelope, type InvalidHeader, sealEnvelope } from "./envelope.js";
import { readUint64, viewOf, writeUint64 } from "./uint64.js";

/*
 * `.index` and `.timeindex`: a header, then fixed-size entries. Both kinds of file have the same
 * header. All integers are little-endian.
 *
 *   position  bytes  field
 *   0         4      CRC-32 of bytes [4, 104)
 *   4         4      magic "SLX0" (offsets) or "SLY0" (timestamps)
 *   8         2      format version: 0
 *   10        2      header length: 104
 *   12        4      features that a reader must understand: none
 *   16        4      entry count
 *   20        4      CRC-32 of the entries
 *   24        4      checksum of the segment's header: whose index this is
 *   28        4      checksum of the last block that was there: for which bytes it holds
 *   32        4      position of that block, 0 in a segment without blocks
 *   36        4      position one past that block
 *   40        8      base offset of the segment
 *   48        8      end offset
 *   56        8      records
 *   64        8      batches
 *   72        8      blocks
 *   80        8      bytes that the bodies have when not compressed
 *   88        8      earliest timestamp, 0 in a segment without records
 *   96        8      latest timestamp
 *   104              entries
 *
 *   offset entry     4  base offset of a block, minus that of the segment
 *                    4  position of that block
 *   timestamp entry  8  latest timestamp of all records before a block
 *                    4  base offset of that block, minus that of the segment
 *
 * Entries rise strictly in both columns. An index is a hint: it can be deleted at any time.
 */

/** "SLX0" as a little-endian number. */
export const OFFSET_INDEX_MAGIC = 0x30584c53;
/** "SLY0" as a little-endian number. */
export const TIME_INDEX_MAGIC = 0x30594c53;
export const INDEX_HEADER_BYTES = 104;
export const OFFSET_ENTRY_BYTES = 8;
export const TIME_ENTRY_BYTES = 12;

/** What a segment holds in all; kept with its indexes so that nobody has to scan for it. */
export interface SegmentSummary {
  readonly segmentChecksum: number;
  readonly lastChecksum: number;
  readonly lastBlockPosition: number;
  readonly endPosition: number;
  readonly baseOffset: number;
  /** Exclusive. */
  readonly endOffset: number;
  readonly records: number;
  readonly batches: number;
  readonly blocks: number;
  readonly bodyBytes: number;
  readonly minTimestamp: number;
  readonly maxTimestamp: number;
}

/** An index file taken apart; `entries` is a view of the bytes given. */
export interface IndexFile {
  readonly summary: SegmentSummary;
  readonly entryCount: number;
  readonly entries: Uint8Array;
}

/**
 * Encodes an index file.
 *
 * @param entries - The encoded entries, one after the other.
 */
export function encodeIndexFile(
  magic: number,
  summary: SegmentSummary,
  entryCount: number,
  entries: Uint8Array,
): Uint8Array {
  const header = new Uint8Array(INDEX_HEADER_BYTES);
  const view = viewOf(header);
  view.setUint32(16, entryCount, true);
  view.setUint32(20, checksum(entries), true);
  view.setUint32(24, summary.segmentChecksum, true);
  view.setUint32(28, summary.lastChecksum, true);
  view.setUint32(32, summary.lastBlockPosition, true);
  view.setUint32(36, summary.endPosition, true);
  writeUint64(view, 40, summary.baseOffset);
  writeUint64(view, 48, summary.endOffset);
  writeUint64(view, 56, summary.records);
  writeUint64(view, 64, summary.batches);
  writeUint64(view, 72, summary.blocks);
  writeUint64(view, 80, summary.bodyBytes);
  writeUint64(view, 88, summary.minTimestamp);
  writeUint64(view, 96, summary.maxTimestamp);
  sealEnvelope(header, magic);
  const bytes = new Uint8Array(header.length + entries.length);
  bytes.set(header);
  bytes.set(entries, header.length);
  return bytes;
}

/** Decodes the first {@link INDEX_HEADER_BYTES} of an index file: all but its entries. */
export function decodeIndexHeader(
  bytes: Uint8Array,
  magic: number,
): { readonly summary: SegmentSummary; readonly entryCount: number } | InvalidHeader {
  const header = bytes.subarray(0, INDEX_HEADER_BYTES);
  const invalid = checkEnvelope(header, magic, INDEX_HEADER_BYTES, "index header");
  if (invalid !== undefined) return invalid;
  const view = viewOf(header);
  const summary: SegmentSummary = {
    segmentChecksum: view.getUint32(24, true),
    lastChecksum: view.getUint32(28, true),
    lastBlockPosition: view.getUint32(32, true),
    endPosition: view.getUint32(36, true),
    baseOffset: readUint64(view, 40),
    endOffset: readUint64(view, 48),
    records: readUint64(view, 56),
    batches: readUint64(view, 64),
    blocks: readUint64(view, 72),
    bodyBytes: readUint64(view, 80),
    minTimestamp: readUint64(view, 88),
    maxTimestamp: readUint64(view, 96),
  };
  if (!Object.values(summary).every(Number.isSafeInteger)) {
    return { kind: "damaged", reason: "the index header's fields are out of bounds" };
  }
  return { summary, entryCount: view.getUint32(16, true) };
}

/** Decodes a whole index file; it must hold its entries and nothing after them. */
export function decodeIndexFile(bytes: Uint8Array, magic: number): IndexFile | InvalidHeader {
  const header = decodeIndexHeader(bytes, magic);
  if ("kind" in header) return header;
  const entryBytes = magic === OFFSET_INDEX_MAGIC ? OFFSET_ENTRY_BYTES : TIME_ENTRY_BYTES;
  const entries = bytes.subarray(INDEX_HEADER_BYTES);
  if (entries.length !== header.entryCount * entryBytes) {
    return { kind: "damaged", reason: "the index's length contradicts its entry count" };
  }
  if (checksum(entries) !== viewOf(bytes).getUint32(20, true)) {
    return { kind: "damaged", reason: "the checksum of the index's entries does not match" };
  }
  return { ...header, entries };
}
