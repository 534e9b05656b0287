import { checksum } from "./checksum.js";
import { checkEnvelope, type InvalidHeader, sealEnvelope } from "./envelope.js";
import { readUint64, viewOf, writeUint64 } from "./uint64.js";

/*
 * The first bytes of a data file. All integers are little-endian.
 *
 *   position  bytes  field
 *   0         4      CRC-32 of bytes [4, header length)
 *   4         4      magic "SLS0"
 *   8         2      format version: 0
 *   10        2      header length: 80
 *   12        4      features that a reader must understand: none
 *   16        4      features that a reader may ignore: none
 *   20        4      predecessor's last checksum: of its last block, or of its header if it is
 *                    empty; 0 without a predecessor
 *   24        16     log id
 *   40        8      epoch
 *   48        8      base offset
 *   56        8      created at, ms since 1970, by the clock as it was
 *   64        8      predecessor's base offset; its own base offset without one
 *   72        4      checksum of the predecessor's header, bytes [0, 4) of its file; 0 without one, or
 *                    where it was not recorded
 *   76        4      reserved, zero
 *
 * Bytes [24, 56) say whose blocks these are: their CRC-32 seeds the checksum of every block.
 */

/** "SLS0" as a little-endian number. */
export const SEGMENT_MAGIC = 0x30534c53;
export const SEGMENT_HEADER_BYTES = 80;
export const LOG_ID_BYTES = 16;
const IDENTITY_START = 24;
const IDENTITY_END = 56;

/** What a segment's file says about the one before it. */
export interface SegmentPredecessor {
  readonly baseOffset: number;
  /** Of its last block, or of its header if it has none. */
  readonly checksum: number;
  /**
   * Of its header: which of the files that ever had its name is meant, also where its end is
   * damaged. 0 if that was not recorded.
   */
  readonly headerChecksum: number;
}

/** What a segment's file says about itself. */
export interface SegmentHeader {
  readonly checksum: number;
  /** Where the first block begins. */
  readonly headerLength: number;
  readonly logId: Uint8Array;
  readonly epoch: number;
  readonly baseOffset: number;
  readonly createdAt: number;
  /** The segment before this one when it was made, or `undefined` for the first of its log. */
  readonly predecessor: SegmentPredecessor | undefined;
  /** Start value of the checksums of this segment's blocks. */
  readonly blockSeed: number;
}

/** Encodes a segment header; the inverse of {@link decodeSegmentHeader}. */
export function encodeSegmentHeader(
  header: Omit<SegmentHeader, "checksum" | "headerLength" | "blockSeed">,
): Uint8Array {
  const bytes = new Uint8Array(SEGMENT_HEADER_BYTES);
  const view = viewOf(bytes);
  view.setUint32(20, header.predecessor?.checksum ?? 0, true);
  bytes.set(header.logId, IDENTITY_START);
  writeUint64(view, 40, header.epoch);
  writeUint64(view, 48, header.baseOffset);
  writeUint64(view, 56, header.createdAt);
  writeUint64(view, 64, header.predecessor?.baseOffset ?? header.baseOffset);
  view.setUint32(72, header.predecessor?.headerChecksum ?? 0, true);
  return sealEnvelope(bytes, SEGMENT_MAGIC);
}

/** Decodes the first bytes of a data file, of which there may be fewer than a header. */
export function decodeSegmentHeader(bytes: Uint8Array): SegmentHeader | InvalidHeader {
  const invalid = checkEnvelope(bytes, SEGMENT_MAGIC, SEGMENT_HEADER_BYTES, "segment header");
  if (invalid !== undefined) return invalid;
  const view = viewOf(bytes);
  const epoch = readUint64(view, 40);
  const baseOffset = readUint64(view, 48);
  const createdAt = readUint64(view, 56);
  const previousBaseOffset = readUint64(view, 64);
  if (
    !Number.isSafeInteger(epoch) ||
    !Number.isSafeInteger(baseOffset) ||
    !Number.isSafeInteger(createdAt) ||
    previousBaseOffset > baseOffset
  ) {
    return { kind: "damaged", reason: "the segment header's fields contradict each other" };
  }
  return {
    checksum: view.getUint32(0, true),
    headerLength: view.getUint16(10, true),
    logId: bytes.slice(IDENTITY_START, IDENTITY_START + LOG_ID_BYTES),
    epoch,
    baseOffset,
    createdAt,
    predecessor:
      previousBaseOffset === baseOffset
        ? undefined
        : {
            baseOffset: previousBaseOffset,
            checksum: view.getUint32(20, true),
            headerChecksum: view.getUint32(72, true),
          },
    blockSeed: checksum(bytes.subarray(IDENTITY_START, IDENTITY_END)),
  };
}
