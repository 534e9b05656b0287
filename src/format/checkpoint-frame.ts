import { checksum } from "./checksum.js";
import { checkEnvelope, type InvalidHeader, sealEnvelope } from "./envelope.js";
import { readUint64, viewOf, writeUint64 } from "./uint64.js";
import { VarintReader, varintLength, writeVarint } from "./varint.js";

/*
 * `committed-offsets`: a header, then frames, each of which changes the state atomically. All
 * integers are little-endian.
 *
 *   position  bytes  field
 *   0         4      CRC-32 of bytes [4, header length)
 *   4         4      magic "SLC0"
 *   8         2      format version: 0
 *   10        2      header length: 56
 *   12        4      features that a reader must understand: none
 *   16        8      reserved, zero
 *   24        16     store id
 *   40        16     random: no frame of another file fits behind this header
 *   56               frames
 *
 *   frame
 *   0         4      CRC-32 of bytes [4, 12 + payload length), started from the checksum of the
 *                    frame before, or of the header
 *   4         4      payload length
 *   8         4      entry count
 *   12               payload: the entries
 *
 *   entry
 *   u8               kind: 1 committed offset, 2 key deleted
 *   varint, bytes    group, UTF-8 (empty with kind 2)
 *   varint, bytes    key, UTF-8
 *   u64              next offset to read (0 with kind 2)
 *
 * Of several entries for a group and key the last one counts. What follows the first frame that is
 * not valid is not read.
 */

/** "SLC0" as a little-endian number. */
export const CHECKPOINT_MAGIC = 0x30434c53;
export const CHECKPOINT_HEADER_BYTES = 56;
export const FRAME_HEADER_BYTES = 12;

/** One change of the committed offsets. */
export type CheckpointEntry =
  | {
      readonly kind: "committed";
      readonly group: string;
      readonly key: string;
      /** The next offset to read. */
      readonly next: number;
    }
  | { readonly kind: "key deleted"; readonly key: string };

const KIND_COMMITTED = 1;
const KIND_KEY_DELETED = 2;
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Encodes the header of a new file. */
export function encodeCheckpointHeader(storeId: Uint8Array, random: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(CHECKPOINT_HEADER_BYTES);
  bytes.set(storeId, 24);
  bytes.set(random, 40);
  return sealEnvelope(bytes, CHECKPOINT_MAGIC);
}

/** The decoded header of a checkpoint file. */
export interface CheckpointHeader {
  readonly storeId: Uint8Array;
  /** What the first frame's checksum starts from. */
  readonly checksum: number;
  /** Where the first frame begins. */
  readonly headerLength: number;
}

/**
 * Decodes the header of a checkpoint file.
 *
 * @param bytes - Of the whole file: a newer version's header may be longer, and must not be taken
 *   for a damaged one.
 */
export function decodeCheckpointHeader(bytes: Uint8Array): CheckpointHeader | InvalidHeader {
  const invalid = checkEnvelope(bytes, CHECKPOINT_MAGIC, CHECKPOINT_HEADER_BYTES, "checkpoint");
  if (invalid !== undefined) return invalid;
  const view = viewOf(bytes);
  return {
    storeId: bytes.slice(24, 40),
    checksum: view.getUint32(0, true),
    headerLength: view.getUint16(10, true),
  };
}

/**
 * Encodes a frame.
 *
 * @param previous - Checksum of the frame before, or of the header.
 */
export function encodeFrame(entries: readonly CheckpointEntry[], previous: number): Uint8Array {
  const parts = entries.map((entry) => ({
    entry,
    group: Buffer.from(entry.kind === "committed" ? entry.group : ""),
    key: Buffer.from(entry.key),
  }));
  let length = FRAME_HEADER_BYTES;
  for (const { group, key } of parts) {
    length += 1 + varintLength(group.length) + group.length;
    length += varintLength(key.length) + key.length + 8;
  }
  const bytes = new Uint8Array(length);
  const view = viewOf(bytes);
  view.setUint32(4, length - FRAME_HEADER_BYTES, true);
  view.setUint32(8, entries.length, true);
  let at = FRAME_HEADER_BYTES;
  for (const { entry, group, key } of parts) {
    bytes[at++] = entry.kind === "committed" ? KIND_COMMITTED : KIND_KEY_DELETED;
    at = writeVarint(bytes, at, group.length);
    bytes.set(group, at);
    at = writeVarint(bytes, at + group.length, key.length);
    bytes.set(key, at);
    at += key.length;
    writeUint64(view, at, entry.kind === "committed" ? entry.next : 0);
    at += 8;
  }
  view.setUint32(0, checksum(bytes.subarray(4), previous), true);
  return bytes;
}

/** The checksum of an encoded frame, from which the next one starts. */
export function frameChecksum(frame: Uint8Array): number {
  return viewOf(frame).getUint32(0, true);
}

/** A decoded frame. */
export interface CheckpointFrame {
  readonly position: number;
  readonly length: number;
  readonly checksum: number;
  readonly entries: readonly CheckpointEntry[];
}

/**
 * Decodes the frame at `position`.
 *
 * @returns The frame; `undefined` at the end of the bytes; or a clause that says why there is none.
 */
export function decodeFrame(
  bytes: Uint8Array,
  position: number,
  previous: number,
): CheckpointFrame | string | undefined {
  const available = bytes.length - position;
  if (available <= 0) return undefined;
  if (available < FRAME_HEADER_BYTES) return "the file ends inside a frame";
  const view = viewOf(bytes);
  const length = FRAME_HEADER_BYTES + view.getUint32(position + 4, true);
  if (length > available) return "the file ends inside a frame";
  const sum = view.getUint32(position, true);
  if (checksum(bytes.subarray(position + 4, position + length), previous) !== sum) {
    return "a frame's checksum does not match";
  }
  const count = view.getUint32(position + 8, true);
  const entries = decodeEntries(bytes, position + FRAME_HEADER_BYTES, position + length, count);
  if (typeof entries === "string") return entries;
  return { position, length, checksum: sum, entries };
}

function decodeEntries(
  bytes: Uint8Array,
  start: number,
  end: number,
  count: number,
): CheckpointEntry[] | string {
  const reader = new VarintReader(bytes, start, end);
  const entries: CheckpointEntry[] = [];
  for (let index = 0; index < count; index++) {
    const kind = reader.take(1)?.[0];
    const group = decodeText(reader.take(reader.next()));
    const key = decodeText(reader.take(reader.next()));
    const next = reader.take(8);
    if (group === undefined || key === undefined || next === undefined) {
      return "an entry ends outside of its frame";
    }
    if (kind === KIND_COMMITTED) {
      const offset = readUint64(viewOf(next), 0);
      if (!Number.isSafeInteger(offset)) return "a committed offset is out of bounds";
      entries.push({ kind: "committed", group, key, next: offset });
    } else if (kind === KIND_KEY_DELETED) {
      entries.push({ kind: "key deleted", key });
    } else {
      return "an entry is of an unknown kind";
    }
  }
  return reader.position === end ? entries : "a frame holds more than its entries";
}

function decodeText(bytes: Uint8Array | undefined): string | undefined {
  if (bytes === undefined) return undefined;
  try {
    return decoder.decode(bytes);
  } catch {
    return undefined;
  }
}
