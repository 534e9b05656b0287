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
 *   varint           length of the rest, which the fields fill exactly
 *   u8               kind: 1 committed offset, 2 key deleted, 3 producer opened; of kinds that it
 *                    does not know a reader skips those with bit 7 set and must not go on at others
 *   varint, bytes    key, or name of the producer, UTF-8
 *   and, with kind 1,
 *   varint, bytes    group, UTF-8
 *   16 bytes         log id: which log of that key is meant
 *   u64              next offset to read
 *   or, with kind 3,
 *   u64              producer id
 *   u32              producer epoch
 *   u32              the epoch that it gets at least when it is opened the next time
 *
 * Of several entries for a group and key the last one counts, and that only if the key's log has
 * its log id: a key may be deleted and made anew. Of several for a producer the last one counts.
 * What follows the first frame that is not valid is
 * not read.
 */

/** "SLC0" as a little-endian number. */
export const CHECKPOINT_MAGIC = 0x30434c53;
const CHECKPOINT_HEADER_BYTES = 56;
export const FRAME_HEADER_BYTES = 12;

/** One change of the committed offsets. */
export type CheckpointEntry =
  | {
      readonly kind: "committed";
      readonly group: string;
      readonly key: string;
      /** The log of that key, as 32 hexadecimal digits: later ones of its name are others. */
      readonly logId: string;
      /** The next offset to read. */
      readonly next: number;
    }
  | { readonly kind: "key deleted"; readonly key: string }
  | {
      readonly kind: "producer opened";
      readonly name: string;
      /** Always the same for a name. */
      readonly id: bigint;
      readonly epoch: number;
      /** What it gets at least when it is opened the next time. */
      readonly nextEpoch: number;
    };

const KIND_COMMITTED = 1;
const KIND_KEY_DELETED = 2;
const KIND_PRODUCER_OPENED = 3;
const KIND_MAY_BE_SKIPPED = 0x80;
const LOG_ID_BYTES = 16;
const MISFIT = "an entry's fields do not fill it exactly";
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
  const encoded = entries.map(encodeEntry);
  let length = FRAME_HEADER_BYTES;
  for (const entry of encoded) length += varintLength(entry.length) + entry.length;
  const bytes = new Uint8Array(length);
  const view = viewOf(bytes);
  view.setUint32(4, length - FRAME_HEADER_BYTES, true);
  view.setUint32(8, entries.length, true);
  let at = FRAME_HEADER_BYTES;
  for (const entry of encoded) {
    at = writeVarint(bytes, at, entry.length);
    bytes.set(entry, at);
    at += entry.length;
  }
  view.setUint32(0, checksum(bytes.subarray(4), previous), true);
  return bytes;
}

function encodeEntry(entry: CheckpointEntry): Uint8Array {
  switch (entry.kind) {
    case "committed": {
      const { bytes, view, at } = beginEntry(
        KIND_COMMITTED,
        [entry.key, entry.group],
        LOG_ID_BYTES + 8,
      );
      bytes.set(Buffer.from(entry.logId, "hex"), at);
      writeUint64(view, at + LOG_ID_BYTES, entry.next);
      return bytes;
    }
    case "key deleted":
      return beginEntry(KIND_KEY_DELETED, [entry.key], 0).bytes;
    case "producer opened": {
      const { bytes, view, at } = beginEntry(KIND_PRODUCER_OPENED, [entry.name], 16);
      view.setBigUint64(at, entry.id, true);
      view.setUint32(at + 8, entry.epoch, true);
      view.setUint32(at + 12, entry.nextEpoch, true);
      return bytes;
    }
  }
}

/** Makes an entry with its kind and texts; `rest` more bytes, from `at` on, are to be filled. */
function beginEntry(kind: number, texts: readonly string[], rest: number) {
  const encoded = texts.map((text) => Buffer.from(text));
  const length = encoded.reduce((sum, text) => sum + textLength(text), 1 + rest);
  const bytes = new Uint8Array(length);
  bytes[0] = kind;
  let at = 1;
  for (const text of encoded) at = writeText(bytes, at, text);
  return { bytes, view: viewOf(bytes), at };
}

function textLength(text: Uint8Array): number {
  return varintLength(text.length) + text.length;
}

function writeText(target: Uint8Array, position: number, text: Uint8Array): number {
  const at = writeVarint(target, position, text.length);
  target.set(text, at);
  return at + text.length;
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
  /** Without those of kinds that may be skipped. */
  readonly entries: readonly CheckpointEntry[];
}

/** A valid frame that this version must not judge. */
export interface UnsupportedFrame {
  readonly kind: "unsupported";
  readonly reason: string;
}

/** Why a frame is not valid of which only a part is there. */
export const ENDS_INSIDE = "the file ends inside a frame";

/**
 * Decodes the frame at `position`.
 *
 * @returns The frame; `undefined` at the end of the bytes; or a clause that says why there is none.
 */
export function decodeFrame(
  bytes: Uint8Array,
  position: number,
  previous: number,
): CheckpointFrame | UnsupportedFrame | string | undefined {
  const available = bytes.length - position;
  if (available <= 0) return undefined;
  if (available < FRAME_HEADER_BYTES) return ENDS_INSIDE;
  const view = viewOf(bytes);
  const length = FRAME_HEADER_BYTES + view.getUint32(position + 4, true);
  if (length > available) return ENDS_INSIDE;
  const sum = view.getUint32(position, true);
  if (checksum(bytes.subarray(position + 4, position + length), previous) !== sum) {
    return "a frame's checksum does not match";
  }
  const count = view.getUint32(position + 8, true);
  const entries = decodeEntries(bytes, position + FRAME_HEADER_BYTES, position + length, count);
  if (!Array.isArray(entries)) return entries;
  return { position, length, checksum: sum, entries };
}

function decodeEntries(
  bytes: Uint8Array,
  start: number,
  end: number,
  count: number,
): CheckpointEntry[] | UnsupportedFrame | string {
  const reader = new VarintReader(bytes, start, end);
  const entries: CheckpointEntry[] = [];
  for (let index = 0; index < count; index++) {
    const rest = reader.take(reader.next());
    if (rest === undefined) return "an entry ends outside of its frame";
    const entry = decodeEntry(rest);
    if (typeof entry === "string") return entry;
    if (entry?.kind === "unsupported") return entry;
    if (entry !== undefined) entries.push(entry);
  }
  return reader.position === end ? entries : "a frame holds more than its entries";
}

/** @returns `undefined` for an entry that may be skipped. */
function decodeEntry(bytes: Uint8Array): CheckpointEntry | UnsupportedFrame | string | undefined {
  const kind = bytes[0];
  if (kind === undefined) return "an entry is empty";
  const reader = new VarintReader(bytes, 1, bytes.length);
  let entry: CheckpointEntry | string | undefined;
  if (kind === KIND_COMMITTED) entry = decodeCommitted(reader);
  else if (kind === KIND_KEY_DELETED) entry = decodeDeleted(reader);
  else if (kind === KIND_PRODUCER_OPENED) entry = decodeProducer(reader);
  else if ((kind & KIND_MAY_BE_SKIPPED) !== 0) return undefined;
  else return { kind: "unsupported", reason: `a checkpoint entry of kind ${kind}` };
  if (typeof entry === "string") return entry;
  return reader.position === bytes.length && entry !== undefined ? entry : MISFIT;
}

function decodeCommitted(reader: VarintReader): CheckpointEntry | string | undefined {
  const key = decodeText(reader.take(reader.next()));
  const group = decodeText(reader.take(reader.next()));
  const logId = reader.take(LOG_ID_BYTES);
  const next = reader.take(8);
  if (key === undefined || group === undefined || logId === undefined || next === undefined) {
    return undefined;
  }
  const offset = readUint64(viewOf(next), 0);
  if (!Number.isSafeInteger(offset)) return "a committed offset is out of bounds";
  return { kind: "committed", group, key, logId: logIdText(logId), next: offset };
}

function decodeDeleted(reader: VarintReader): CheckpointEntry | undefined {
  const key = decodeText(reader.take(reader.next()));
  return key === undefined ? undefined : { kind: "key deleted", key };
}

function decodeProducer(reader: VarintReader): CheckpointEntry | undefined {
  const name = decodeText(reader.take(reader.next()));
  const rest = reader.take(16);
  if (name === undefined || rest === undefined) return undefined;
  const view = viewOf(rest);
  const id = view.getBigUint64(0, true);
  const epoch = view.getUint32(8, true);
  return { kind: "producer opened", name, id, epoch, nextEpoch: view.getUint32(12, true) };
}

/** A log id as it stands in a {@link CheckpointEntry}. */
export function logIdText(logId: Uint8Array): string {
  return Buffer.from(logId.buffer, logId.byteOffset, logId.byteLength).toString("hex");
}

function decodeText(bytes: Uint8Array | undefined): string | undefined {
  if (bytes === undefined) return undefined;
  try {
    return decoder.decode(bytes);
  } catch {
    return undefined;
  }
}
