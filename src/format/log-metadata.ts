import { checkEnvelope, type InvalidHeader, sealEnvelope } from "./envelope.js";
import { readUint64, viewOf, writeUint64 } from "./uint64.js";

/*
 * `log.meta`: what a log is and which bounds hold. Replaced as a whole (temporary file, fsync,
 * rename, fsync of the directory), never written in place. All integers are little-endian.
 *
 *   position  bytes  field
 *   0         4      CRC-32 of bytes [4, 144)
 *   4         4      magic "SLM0"
 *   8         2      format version: 0
 *   10        2      length: 144
 *   12        4      features that a reader must understand: bit 0, the log belongs to a store
 *   16        4      features that a reader may ignore: none
 *   20        4      flags: bit 0 closed cleanly, bit 1 a truncation is recorded,
 *                    bit 2 appends of the session are synced before they are acknowledged,
 *                    bit 3 there may be blocks of producers
 *   24        16     log id
 *   40        8      epoch
 *   48        8      start offset
 *   56        8      truncation: the first epoch that it does not apply to
 *   64        8      truncation: segments of earlier epochs end before this offset
 *   72        16     boot id of the machine when the log was last opened for writing, or zeros
 *   88        16     store id, or zeros
 *   104       8      end: base offset of the active segment
 *   112       8      end: end offset
 *   120       8      end: latest timestamp that the clock gave
 *   128       4      end: position one past the last block
 *   132       4      end: position of the last block, 0 in a segment without one
 *   136       4      end: checksum of the last block, or of the segment header
 *   140       4      revision: rises by one with each replacement, back to 0 after the highest
 *
 * With flag bit 0 the end is the end of the log. Without it, it is an end that the log once had:
 * the log has reached this end offset, all of it on stable storage, in the segment with this base
 * offset; and, without a recorded truncation, with this block as its last one.
 */

/** "SLM0" as a little-endian number. */
export const LOG_METADATA_MAGIC = 0x304d4c53;
const LOG_METADATA_BYTES = 144;
const FEATURE_IN_STORE = 1;
const FLAG_CLEAN = 1;
const FLAG_TRUNCATION = 2;
const FLAG_SYNCED = 4;
const FLAG_PRODUCERS = 8;
const ID_BYTES = 16;

/** A place at which a log ended, durably. */
export interface LogEnd {
  readonly activeBaseOffset: number;
  /** Exclusive. */
  readonly endOffset: number;
  /** Latest timestamp that the clock gave; callers may have given later ones. */
  readonly maxTimestamp: number;
  readonly endPosition: number;
  /** 0 in a segment without blocks. */
  readonly lastBlockPosition: number;
  readonly lastChecksum: number;
}

/** A truncation: what segments of epochs before `epoch` hold at or after `offset` is void. */
export interface TruncationBound {
  readonly epoch: number;
  readonly offset: number;
}

/** The decoded `log.meta`. */
export interface LogMetadata {
  readonly logId: Uint8Array;
  readonly epoch: number;
  readonly startOffset: number;
  readonly truncation: TruncationBound | undefined;
  /** All zeros where the machine does not tell. */
  readonly bootId: Uint8Array;
  /** The store that the log belongs to, if it does. */
  readonly storeId: Uint8Array | undefined;
  readonly clean: boolean;
  /** Whether the last session acknowledged only what was synced. */
  readonly synced: boolean;
  /** Whether there may be, or have been, blocks of producers. */
  readonly hasProducers: boolean;
  readonly end: LogEnd;
  /** Tells two states of a log apart that are alike in all else. */
  readonly revision: number;
}

/** The next state of a log. */
export function revise(metadata: LogMetadata, changes: Partial<LogMetadata>): LogMetadata {
  return { ...metadata, ...changes, revision: (metadata.revision + 1) >>> 0 };
}

/** Encodes `log.meta`; the inverse of {@link decodeLogMetadata}. */
export function encodeLogMetadata(metadata: LogMetadata): Uint8Array {
  const bytes = new Uint8Array(LOG_METADATA_BYTES);
  const view = viewOf(bytes);
  const flags =
    (metadata.clean ? FLAG_CLEAN : 0) |
    (metadata.truncation === undefined ? 0 : FLAG_TRUNCATION) |
    (metadata.synced ? FLAG_SYNCED : 0) |
    (metadata.hasProducers ? FLAG_PRODUCERS : 0);
  view.setUint32(20, flags, true);
  bytes.set(metadata.logId, 24);
  writeUint64(view, 40, metadata.epoch);
  writeUint64(view, 48, metadata.startOffset);
  writeUint64(view, 56, metadata.truncation?.epoch ?? 0);
  writeUint64(view, 64, metadata.truncation?.offset ?? 0);
  bytes.set(metadata.bootId, 72);
  if (metadata.storeId !== undefined) bytes.set(metadata.storeId, 88);
  writeUint64(view, 104, metadata.end.activeBaseOffset);
  writeUint64(view, 112, metadata.end.endOffset);
  writeUint64(view, 120, metadata.end.maxTimestamp);
  view.setUint32(128, metadata.end.endPosition, true);
  view.setUint32(132, metadata.end.lastBlockPosition, true);
  view.setUint32(136, metadata.end.lastChecksum, true);
  view.setUint32(140, metadata.revision, true);
  return sealEnvelope(
    bytes,
    LOG_METADATA_MAGIC,
    metadata.storeId === undefined ? 0 : FEATURE_IN_STORE,
  );
}

/** Decodes the content of a `log.meta`. */
export function decodeLogMetadata(bytes: Uint8Array): LogMetadata | InvalidHeader {
  const invalid = checkEnvelope(
    bytes,
    LOG_METADATA_MAGIC,
    LOG_METADATA_BYTES,
    "log metadata",
    FEATURE_IN_STORE,
  );
  if (invalid !== undefined) return invalid;
  const view = viewOf(bytes);
  const flags = view.getUint32(20, true);
  const inStore = (view.getUint32(12, true) & FEATURE_IN_STORE) !== 0;
  const metadata: LogMetadata = {
    logId: bytes.slice(24, 24 + ID_BYTES),
    epoch: readUint64(view, 40),
    startOffset: readUint64(view, 48),
    truncation:
      (flags & FLAG_TRUNCATION) === 0
        ? undefined
        : { epoch: readUint64(view, 56), offset: readUint64(view, 64) },
    bootId: bytes.slice(72, 72 + ID_BYTES),
    storeId: inStore ? bytes.slice(88, 88 + ID_BYTES) : undefined,
    clean: (flags & FLAG_CLEAN) !== 0,
    synced: (flags & FLAG_SYNCED) !== 0,
    hasProducers: (flags & FLAG_PRODUCERS) !== 0,
    end: {
      activeBaseOffset: readUint64(view, 104),
      endOffset: readUint64(view, 112),
      maxTimestamp: readUint64(view, 120),
      endPosition: view.getUint32(128, true),
      lastBlockPosition: view.getUint32(132, true),
      lastChecksum: view.getUint32(136, true),
    },
    revision: view.getUint32(140, true),
  };
  const offsets = [
    metadata.epoch,
    metadata.startOffset,
    metadata.end.activeBaseOffset,
    metadata.end.endOffset,
    metadata.end.maxTimestamp,
    metadata.truncation?.epoch ?? 0,
    metadata.truncation?.offset ?? 0,
  ];
  if (offsets.every(Number.isSafeInteger)) return metadata;
  return { kind: "damaged", reason: "the log metadata's fields are out of bounds" };
}
