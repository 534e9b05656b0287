import { checksum } from "./checksum.js";
import { checkEnvelope, type InvalidHeader, sealEnvelope } from "./envelope.js";
import { readUint64, viewOf, writeUint64 } from "./uint64.js";

/*
 * `published`: how far readers in other processes may read while a writer lives. It belongs to one
 * session of one writer, which holds an exclusive lock on it; it is never synced, and says nothing
 * once that lock is gone. All integers are little-endian.
 *
 *   position  bytes  field
 *   0         4      CRC-32 of bytes [4, 64)
 *   4         4      magic "SLP0"
 *   8         2      format version: 0
 *   10        2      header length: 64
 *   12        4      features that a reader must understand: none
 *   16        4      process id of the writer
 *   20        4      reserved, zero
 *   24        16     session id, random
 *   40        24     reserved, zero
 *   64 + 160 n       slot A of log n, then its slot B, 80 bytes each
 *
 *   slot
 *   0         4      CRC-32 of bytes [4, 80), seeded with the CRC-32 of the session id
 *   4         4      position of the end in the active segment's file
 *   8         8      sequence: the valid slot with the higher one counts; 0 is kept from the
 *                    session before and says nothing of this one
 *   16        16     log id
 *   32        8      epoch
 *   40        8      start offset
 *   48        8      end offset
 *   56        8      base offset of the active segment
 *   64        8      latest timestamp that the clock gave
 *   72        4      revision of `log.meta` when the writer opened the log
 *   76        4      reserved, zero
 *
 * A log has a slot from when the writer opens it. The writer fills its two slots in turn, so that
 * one of them is whole at every moment.
 */

/** "SLP0" as a little-endian number. */
export const PUBLISHED_MAGIC = 0x30504c53;
export const PUBLISHED_HEADER_BYTES = 64;
export const SLOT_BYTES = 80;

/** The end of a log as its writer publishes it. */
export interface PublishedEnd {
  readonly sequence: number;
  readonly logId: Uint8Array;
  readonly epoch: number;
  readonly startOffset: number;
  readonly endOffset: number;
  readonly activeBaseOffset: number;
  readonly endPosition: number;
  readonly maxTimestamp: number;
  /** Of the log's metadata when the writer opened it: another one, another file to read. */
  readonly revision: number;
}

/** Encodes the header of a session's `published` file. */
export function encodePublishedHeader(sessionId: Uint8Array, processId: number): Uint8Array {
  const bytes = new Uint8Array(PUBLISHED_HEADER_BYTES);
  viewOf(bytes).setUint32(16, processId, true);
  bytes.set(sessionId, 24);
  return sealEnvelope(bytes, PUBLISHED_MAGIC);
}

/** Decodes it; `slotSeed` is what its slots' checksums start from. */
export function decodePublishedHeader(bytes: Uint8Array):
  | {
      readonly processId: number;
      readonly sessionId: Uint8Array;
      readonly slotSeed: number;
    }
  | InvalidHeader {
  const header = bytes.subarray(0, PUBLISHED_HEADER_BYTES);
  const invalid = checkEnvelope(header, PUBLISHED_MAGIC, PUBLISHED_HEADER_BYTES, "published end");
  if (invalid !== undefined) return invalid;
  const sessionId = header.slice(24, 40);
  return {
    processId: viewOf(header).getUint32(16, true),
    sessionId,
    slotSeed: publishedSlotSeed(sessionId),
  };
}

/** What the checksums of a session's slots start from. */
export function publishedSlotSeed(sessionId: Uint8Array): number {
  return checksum(sessionId);
}

/** Where slot A of the n-th log begins; slot B follows it. */
export function slotPosition(log: number): number {
  return PUBLISHED_HEADER_BYTES + log * 2 * SLOT_BYTES;
}

/** Writes a slot into `target`, which is {@link SLOT_BYTES} long and otherwise all zeros. */
export function encodeSlot(target: Uint8Array, end: PublishedEnd, slotSeed: number): void {
  const view = viewOf(target);
  view.setUint32(4, end.endPosition, true);
  writeUint64(view, 8, end.sequence);
  target.set(end.logId, 16);
  writeUint64(view, 32, end.epoch);
  writeUint64(view, 40, end.startOffset);
  writeUint64(view, 48, end.endOffset);
  writeUint64(view, 56, end.activeBaseOffset);
  writeUint64(view, 64, end.maxTimestamp);
  view.setUint32(72, end.revision, true);
  view.setUint32(0, checksum(target.subarray(4), slotSeed), true);
}

/** Decodes a slot, or returns `undefined` for one that is empty, half written or senseless. */
export function decodeSlot(bytes: Uint8Array, slotSeed: number): PublishedEnd | undefined {
  if (bytes.length < SLOT_BYTES) return undefined;
  const slot = bytes.subarray(0, SLOT_BYTES);
  const view = viewOf(slot);
  if (checksum(slot.subarray(4), slotSeed) !== view.getUint32(0, true)) return undefined;
  const end: PublishedEnd = {
    endPosition: view.getUint32(4, true),
    sequence: readUint64(view, 8),
    logId: slot.slice(16, 32),
    epoch: readUint64(view, 32),
    startOffset: readUint64(view, 40),
    endOffset: readUint64(view, 48),
    activeBaseOffset: readUint64(view, 56),
    revision: view.getUint32(72, true),
    maxTimestamp: readUint64(view, 64),
  };
  const { sequence, epoch, startOffset, endOffset, activeBaseOffset, maxTimestamp } = end;
  const numbers = [sequence, epoch, startOffset, endOffset, activeBaseOffset, maxTimestamp];
  return numbers.every(Number.isSafeInteger) ? end : undefined;
}
