import { checksum } from "./checksum.js";
import { checkEnvelope, type InvalidHeader, sealEnvelope } from "./envelope.js";
import { readUint64, viewOf, writeUint64 } from "./uint64.js";

/*
 * `producers`: what a log knew of its producers when it ended with a certain block. It is a hint,
 * for the blocks say the same; but of producers whose blocks retention has removed, it is all there
 * is. Replaced as a whole. All integers are little-endian.
 *
 *   position  bytes  field
 *   0         4      CRC-32 of bytes [4, 80)
 *   4         4      magic "SLR0"
 *   8         2      format version: 0
 *   10        2      header length: 80
 *   12        4      features that a reader must understand: none
 *   16        4      number of producers
 *   20        4      CRC-32 of the rest of the file, from 80 on
 *   24        16     log id
 *   40        8      base offset of the segment in which the log ended
 *   48        8      end offset
 *   56        4      position one past the last block in that segment
 *   60        4      position of the last block, 0 in a segment without one
 *   64        4      checksum of the last block; in a segment without one, what the segment's header
 *                    says of the one before it
 *   68        12     reserved, zero
 *   80               producers, the one that appended longest ago first
 *
 *   producer
 *   0         8      id
 *   8         4      epoch
 *   12        4      number of batches: 1 to 5
 *   16 + 16 n        its last batches, the oldest first
 *
 *   batch
 *   0         4      sequence of the first record
 *   4         4      record count
 *   8         8      offset of the first record
 */

/** "SLR0" as a little-endian number. */
const PRODUCERS_MAGIC = 0x30524c53;
const HEADER_BYTES = 80;
const PRODUCER_BYTES = 16;
const BATCH_BYTES = 16;
/** Of so many batches of each producer a log knows the offsets. */
export const REMEMBERED_BATCHES = 5;
/** A log knows the producers that appended last, and no more than so many. */
export const MOST_PRODUCERS = 4096;
/** No snapshot is longer. */
export const MOST_SNAPSHOT_BYTES =
  HEADER_BYTES + MOST_PRODUCERS * (PRODUCER_BYTES + REMEMBERED_BATCHES * BATCH_BYTES);

/** A batch of a producer, and where it is. */
export interface ProducedBatch {
  /** Of its first record. */
  readonly sequence: number;
  readonly recordCount: number;
  readonly baseOffset: number;
}

/** What a log knows of one producer. */
export interface ProducerState {
  readonly epoch: number;
  /** Its last ones in this epoch, at least one, the oldest first. */
  readonly batches: readonly ProducedBatch[];
}

/** The decoded content of `producers`. */
export interface ProducerSnapshot {
  readonly logId: Uint8Array;
  /** The log ended in the segment with this base offset. */
  readonly activeBaseOffset: number;
  /** Exclusive. */
  readonly endOffset: number;
  readonly endPosition: number;
  readonly lastBlockPosition: number;
  readonly lastChecksum: number;
  /** By id, the one that appended longest ago first. */
  readonly producers: ReadonlyMap<bigint, ProducerState>;
}

/** Encodes `producers`; the inverse of {@link decodeProducerSnapshot}. */
export function encodeProducerSnapshot(snapshot: ProducerSnapshot): Uint8Array {
  const { producers } = snapshot;
  let length = HEADER_BYTES;
  for (const { batches } of producers.values()) {
    length += PRODUCER_BYTES + batches.length * BATCH_BYTES;
  }
  const bytes = new Uint8Array(length);
  const view = viewOf(bytes);
  let at = HEADER_BYTES;
  for (const [id, { epoch, batches }] of producers) {
    view.setBigUint64(at, id, true);
    view.setUint32(at + 8, epoch, true);
    view.setUint32(at + 12, batches.length, true);
    at += PRODUCER_BYTES;
    for (const { sequence, recordCount, baseOffset } of batches) {
      view.setUint32(at, sequence, true);
      view.setUint32(at + 4, recordCount, true);
      writeUint64(view, at + 8, baseOffset);
      at += BATCH_BYTES;
    }
  }
  const header = bytes.subarray(0, HEADER_BYTES);
  view.setUint32(16, producers.size, true);
  view.setUint32(20, checksum(bytes.subarray(HEADER_BYTES)), true);
  header.set(snapshot.logId, 24);
  writeUint64(view, 40, snapshot.activeBaseOffset);
  writeUint64(view, 48, snapshot.endOffset);
  view.setUint32(56, snapshot.endPosition, true);
  view.setUint32(60, snapshot.lastBlockPosition, true);
  view.setUint32(64, snapshot.lastChecksum, true);
  sealEnvelope(header, PRODUCERS_MAGIC);
  return bytes;
}

/** Decodes the content of `producers`. */
export function decodeProducerSnapshot(bytes: Uint8Array): ProducerSnapshot | InvalidHeader {
  const header = bytes.subarray(0, HEADER_BYTES);
  const invalid = checkEnvelope(header, PRODUCERS_MAGIC, HEADER_BYTES, "list of producers");
  if (invalid !== undefined) return invalid;
  const view = viewOf(bytes);
  if (checksum(bytes.subarray(HEADER_BYTES)) !== view.getUint32(20, true)) return SENSELESS;
  const snapshot = {
    logId: bytes.slice(24, 40),
    activeBaseOffset: readUint64(view, 40),
    endOffset: readUint64(view, 48),
    endPosition: view.getUint32(56, true),
    lastBlockPosition: view.getUint32(60, true),
    lastChecksum: view.getUint32(64, true),
  };
  const producers = decodeProducers(view, view.getUint32(16, true), snapshot.endOffset);
  const isSensible = Number.isSafeInteger(snapshot.endOffset) && producers !== undefined;
  return isSensible ? { ...snapshot, producers } : SENSELESS;
}

const SENSELESS: InvalidHeader = {
  kind: "damaged",
  reason: "the list of producers is not what was written",
};

function decodeProducers(
  view: DataView,
  count: number,
  endOffset: number,
): ReadonlyMap<bigint, ProducerState> | undefined {
  if (count > MOST_PRODUCERS) return undefined;
  const producers = new Map<bigint, ProducerState>();
  let at = HEADER_BYTES;
  for (let index = 0; index < count; index++) {
    if (at + PRODUCER_BYTES > view.byteLength) return undefined;
    const batchCount = view.getUint32(at + 12, true);
    const end = at + PRODUCER_BYTES + batchCount * BATCH_BYTES;
    if (batchCount < 1 || batchCount > REMEMBERED_BATCHES || end > view.byteLength) {
      return undefined;
    }
    const batches: ProducedBatch[] = [];
    for (let batchAt = at + PRODUCER_BYTES; batchAt < end; batchAt += BATCH_BYTES) {
      batches.push({
        sequence: view.getUint32(batchAt, true),
        recordCount: view.getUint32(batchAt + 4, true),
        baseOffset: readUint64(view, batchAt + 8),
      });
    }
    if (!areSensible(batches, endOffset)) return undefined;
    const epoch = view.getUint32(at + 8, true);
    producers.set(view.getBigUint64(at, true), { epoch, batches });
    at = end;
  }
  return at === view.byteLength && producers.size === count ? producers : undefined;
}

/** Batches that a log could have: one behind the other, in sequences and in offsets. */
function areSensible(batches: readonly ProducedBatch[], endOffset: number): boolean {
  let sequenceEnd = 0;
  let offsetEnd = 0;
  for (const { sequence, recordCount, baseOffset } of batches) {
    if (recordCount < 1 || sequence < sequenceEnd || baseOffset < offsetEnd) return false;
    sequenceEnd = sequence + recordCount;
    offsetEnd = baseOffset + recordCount;
  }
  return sequenceEnd <= 2 ** 32 && offsetEnd <= endOffset;
}
