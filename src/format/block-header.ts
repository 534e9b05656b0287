import { checksumOfRange } from "./checksum.js";
import { readUint64, viewOf, writeUint64 } from "./uint64.js";

/*
 * A block: the unit of checksum and compression. All integers are little-endian.
 *
 *   position  bytes  field
 *   0         4      header checksum: CRC-32 of bytes [4, header length), seeded (see below)
 *   4         4      magic "SLB0"
 *   8         1      header length: 80, or 96 with a producer
 *   9         1      codec: 0 none, 1 LZ4
 *   10        2      attributes: bits 0-7 must be understood, bits 8-15 may be ignored
 *   12        4      position of this block in its file
 *   16        4      header checksum of the previous block, or of the segment header: the chain
 *   20        4      record count, at least 1
 *   24        8      base offset: offset of the first record
 *   32        8      last offset: offset of the last record, inclusive
 *   40        8      base timestamp: the earliest of the records, ms since 1970
 *   48        8      max timestamp: the latest of the records
 *   56        8      durable end offset of the log when this was written
 *   64        4      stored bytes: length of the body as it is in the file
 *   68        4      body bytes: its length when not compressed
 *   72        4      body checksum: CRC-32 of the stored body
 *   76        4      reserved, zero
 *   80        8      producer id     (only with attribute bit 4)
 *   88        4      producer epoch
 *   92        4      producer sequence of the first record
 *   then             the stored body
 *
 * The header checksum is seeded with the CRC-32 of the log id, the segment's epoch and its base
 * offset, and the header names its own position, so a block is valid in one place of one log only.
 * Since it covers the body's checksum, it covers all of the block; having the body's apart lets
 * recovery trust a length before it reads what the length announces.
 */

/** First bytes after the checksum, "SLB0" as a little-endian number. */
export const BLOCK_MAGIC = 0x30424c53;
export const BLOCK_MAGIC_POSITION = 4;
export const BLOCK_HEADER_BYTES = 80;
/** Length of a header with a producer. */
export const PRODUCER_HEADER_BYTES = 96;
/** A header's length is one byte, so no header of any version needs more room. */
export const MAX_BLOCK_HEADER_BYTES = 256;

/**
 * No body is longer than this, stored or not. A reader refuses a length above it before it
 * allocates; a writer's limit on records stays below it.
 */
const MAX_BODY_BYTES = 128 * 1024 * 1024 + 64 * 1024;

/** Bits of a block's attributes. */
export const BlockAttribute = {
  /** The batch ends with this block. */
  lastOfBatch: 1,
  /** Records begin with a flag byte and may have a key and headers. */
  structured: 2,
  /** The body has a column of timestamp deltas. */
  timestampDeltas: 4,
  /** The body has a column of offset deltas. */
  offsetDeltas: 8,
  /** The header has a producer's id, epoch and sequence. */
  producer: 16,
  /** In a journal: the keys of some records name producers; see `journal-key.ts`. */
  keysNameProducers: 32,
} as const;

/** Bits that a reader must understand: an unknown one among them makes the block unreadable. */
const REQUIRED_ATTRIBUTES = 0xff;
const KNOWN_ATTRIBUTES = 0x3f;

/** Who appended a block, and which of its records they are. */
export interface BlockProducer {
  /** A `u64`. */
  readonly id: bigint;
  /** A `u32`. */
  readonly epoch: number;
  /** Number of the block's first record among the producer's in this log and epoch; a `u32`. */
  readonly sequence: number;
}

/** The fields of a block's header; lengths and positions are bytes. */
export interface BlockHeader {
  readonly checksum: number;
  readonly headerLength: number;
  readonly codec: number;
  readonly attributes: number;
  readonly position: number;
  readonly previousChecksum: number;
  readonly recordCount: number;
  readonly baseOffset: number;
  /** Inclusive. */
  readonly lastOffset: number;
  readonly baseTimestamp: number;
  readonly maxTimestamp: number;
  readonly durableEndOffset: number;
  readonly storedBytes: number;
  readonly bodyBytes: number;
  readonly bodyChecksum: number;
  readonly producer?: BlockProducer | undefined;
}

/** Why bytes are not a block header that can be used. */
export interface InvalidBlock {
  readonly kind: "damaged" | "unsupported";
  readonly reason: string;
}

const damaged = (reason: string): InvalidBlock => ({ kind: "damaged", reason });
const unsupported = (reason: string): InvalidBlock => ({ kind: "unsupported", reason });

/** Whether a decoder returned a reason instead of a value. */
export function isInvalid(value: object): value is InvalidBlock {
  return "kind" in value;
}

/** Length of a whole block in its file. */
export function blockLength(header: BlockHeader): number {
  return header.headerLength + header.storedBytes;
}

/**
 * Writes a header at `start` and returns its checksum. With a producer it has
 * {@link PRODUCER_HEADER_BYTES}, else {@link BLOCK_HEADER_BYTES}; the attributes must say so, too.
 *
 * @param bytes - The buffer that `view` covers.
 * @param seed - See `blockSeed` of the segment header.
 */
export function writeBlockHeader(
  bytes: Uint8Array,
  view: DataView,
  start: number,
  header: Omit<BlockHeader, "checksum" | "headerLength">,
  seed: number,
): number {
  const { producer } = header;
  const headerLength = producer === undefined ? BLOCK_HEADER_BYTES : PRODUCER_HEADER_BYTES;
  view.setUint32(start + 4, BLOCK_MAGIC, true);
  view.setUint8(start + 8, headerLength);
  view.setUint8(start + 9, header.codec);
  view.setUint16(start + 10, header.attributes, true);
  view.setUint32(start + 12, header.position, true);
  view.setUint32(start + 16, header.previousChecksum, true);
  view.setUint32(start + 20, header.recordCount, true);
  writeUint64(view, start + 24, header.baseOffset);
  writeUint64(view, start + 32, header.lastOffset);
  writeUint64(view, start + 40, header.baseTimestamp);
  writeUint64(view, start + 48, header.maxTimestamp);
  writeUint64(view, start + 56, header.durableEndOffset);
  view.setUint32(start + 64, header.storedBytes, true);
  view.setUint32(start + 68, header.bodyBytes, true);
  view.setUint32(start + 72, header.bodyChecksum, true);
  view.setUint32(start + 76, 0, true);
  if (producer !== undefined) {
    view.setBigUint64(start + 80, producer.id, true);
    view.setUint32(start + 88, producer.epoch, true);
    view.setUint32(start + 92, producer.sequence, true);
  }
  const sum = checksumOfRange(bytes, start + 4, start + headerLength, seed);
  view.setUint32(start, sum, true);
  return sum;
}

/**
 * Reads and verifies the header at `start`. It is safe on any bytes: nothing is believed before
 * the checksum holds.
 *
 * @param position - Where in its file this block is; a header that names another is damage.
 * @returns The header, or why there is none. `bytes` may end before the body does.
 */
export function readBlockHeader(
  bytes: Uint8Array,
  view: DataView,
  start: number,
  position: number,
  seed: number,
): BlockHeader | InvalidBlock {
  const available = bytes.length - start;
  if (available < BLOCK_HEADER_BYTES) return damaged("the file ends inside a block header");
  if (view.getUint32(start + BLOCK_MAGIC_POSITION, true) !== BLOCK_MAGIC) {
    return damaged("no block begins here");
  }
  const headerLength = view.getUint8(start + 8);
  if (headerLength < BLOCK_HEADER_BYTES || headerLength > available) {
    return damaged("the header length is impossible");
  }
  const sum = view.getUint32(start, true);
  if (checksumOfRange(bytes, start + 4, start + headerLength, seed) !== sum) {
    return damaged("the block header's checksum does not match");
  }
  if (view.getUint32(start + 12, true) !== position) {
    return damaged("the block belongs at another position");
  }
  return checkHeader(decodeHeader(view, start, headerLength, sum));
}

function decodeHeader(
  view: DataView,
  start: number,
  headerLength: number,
  sum: number,
): BlockHeader {
  const attributes = view.getUint16(start + 10, true);
  const header: BlockHeader = {
    checksum: sum,
    headerLength,
    codec: view.getUint8(start + 9),
    attributes,
    position: view.getUint32(start + 12, true),
    previousChecksum: view.getUint32(start + 16, true),
    recordCount: view.getUint32(start + 20, true),
    baseOffset: readUint64(view, start + 24),
    lastOffset: readUint64(view, start + 32),
    baseTimestamp: readUint64(view, start + 40),
    maxTimestamp: readUint64(view, start + 48),
    durableEndOffset: readUint64(view, start + 56),
    storedBytes: view.getUint32(start + 64, true),
    bodyBytes: view.getUint32(start + 68, true),
    bodyChecksum: view.getUint32(start + 72, true),
  };
  if ((attributes & BlockAttribute.producer) === 0) return header;
  if (headerLength < PRODUCER_HEADER_BYTES) return header;
  const producer: BlockProducer = {
    id: view.getBigUint64(start + 80, true),
    epoch: view.getUint32(start + 88, true),
    sequence: view.getUint32(start + 92, true),
  };
  return { ...header, producer };
}

/** What the checksum cannot tell: fields of a version that we do not know, or a broken writer. */
function checkHeader(header: BlockHeader): BlockHeader | InvalidBlock {
  const unknown = header.attributes & REQUIRED_ATTRIBUTES & ~KNOWN_ATTRIBUTES;
  if (unknown !== 0) return unsupported(`block attribute bits 0x${unknown.toString(16)}`);
  if (header.codec > 1) return unsupported(`codec ${header.codec}`);
  const columns = columnCount(header.attributes);
  if (
    header.recordCount === 0 ||
    header.storedBytes > MAX_BODY_BYTES ||
    header.bodyBytes > MAX_BODY_BYTES ||
    header.bodyBytes < header.recordCount * 4 * columns ||
    !Number.isSafeInteger(header.lastOffset) ||
    header.lastOffset - header.baseOffset < header.recordCount - 1 ||
    ((header.attributes & BlockAttribute.offsetDeltas) === 0 &&
      header.lastOffset - header.baseOffset !== header.recordCount - 1) ||
    !Number.isSafeInteger(header.maxTimestamp) ||
    header.maxTimestamp < header.baseTimestamp ||
    !Number.isSafeInteger(header.durableEndOffset) ||
    header.durableEndOffset > header.baseOffset ||
    (header.codec === 0 && header.storedBytes !== header.bodyBytes) ||
    ((header.attributes & BlockAttribute.producer) !== 0 && header.producer === undefined)
  ) {
    return damaged("the block header's fields contradict each other");
  }
  return header;
}

/** How many columns of 4-byte integers end the body: the table of ends, and the optional ones. */
export function columnCount(attributes: number): number {
  return (
    1 +
    ((attributes & BlockAttribute.timestampDeltas) === 0 ? 0 : 1) +
    ((attributes & BlockAttribute.offsetDeltas) === 0 ? 0 : 1)
  );
}

/** As {@link readBlockHeader}, for bytes that hold one header and nothing else needed. */
export function parseBlockHeader(
  bytes: Uint8Array,
  position: number,
  seed: number,
): BlockHeader | InvalidBlock {
  return readBlockHeader(bytes, viewOf(bytes), 0, position, seed);
}
