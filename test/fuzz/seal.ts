import { basename } from "node:path";
import { BLOCK_MAGIC } from "../../src/format/block-header.js";
import { FRAME_HEADER_BYTES } from "../../src/format/checkpoint-frame.js";
import { checksum } from "../../src/format/checksum.js";
import {
  CHECKPOINT_FILE,
  LOG_METADATA_FILE,
  PUBLISHED_FILE,
  parseSegmentFileName,
  STORE_METADATA_FILE,
} from "../../src/format/file-names.js";
import { INDEX_HEADER_BYTES } from "../../src/format/index-file.js";
import {
  PUBLISHED_HEADER_BYTES,
  publishedSlotSeed,
  SLOT_BYTES,
} from "../../src/format/published-end.js";

/** How far forged blocks are made to fit their place. */
export interface SealOptions {
  /** Blocks name the position at which they stand. */
  readonly positions: boolean;
  /** Blocks name the block before them. */
  readonly chain: boolean;
}

/**
 * Makes every checksum of a file right again, in place, as far as its lengths make sense: what
 * somebody could write who knows the format. Without it, changed bytes are stopped by the first
 * checksum, and nothing behind it is put to the test.
 *
 * @param name - Tells what kind of file it is.
 */
export function seal(name: string, bytes: Buffer, options: SealOptions): void {
  const file = basename(name);
  const kind = parseSegmentFileName(file)?.kind;
  if (kind === "data") sealDataFile(bytes, options);
  else if (kind !== undefined) sealIndex(bytes);
  else if (file === LOG_METADATA_FILE || file === STORE_METADATA_FILE) sealHeader(bytes);
  else if (file === PUBLISHED_FILE) sealPublished(bytes);
  else if (file === CHECKPOINT_FILE) sealCheckpoint(bytes);
}

/** @returns The length that the header declares, if that is possible. */
function sealHeader(bytes: Buffer): number | undefined {
  if (bytes.length < 12) return undefined;
  const length = bytes.readUInt16LE(10);
  if (length < 12 || length > bytes.length) return undefined;
  bytes.writeUInt32LE(checksum(bytes.subarray(4, length)), 0);
  return length;
}

function sealDataFile(bytes: Buffer, { positions, chain }: SealOptions): void {
  const headerLength = sealHeader(bytes);
  if (headerLength === undefined || headerLength < 80) return;
  const seed = checksum(bytes.subarray(24, 56));
  let previous = bytes.readUInt32LE(0);
  let position = headerLength;
  while (position + 80 <= bytes.length) {
    const headerEnd = position + bytes[position + 8]!;
    const end = headerEnd + bytes.readUInt32LE(position + 64);
    const isBlock = bytes.readUInt32LE(position + 4) === BLOCK_MAGIC;
    if (!isBlock || headerEnd < position + 80 || end > bytes.length) {
      position++;
      continue;
    }
    if (positions) bytes.writeUInt32LE(position, position + 12);
    if (chain) bytes.writeUInt32LE(previous, position + 16);
    bytes.writeUInt32LE(checksum(bytes.subarray(headerEnd, end)), position + 72);
    previous = checksum(bytes.subarray(position + 4, headerEnd), seed);
    bytes.writeUInt32LE(previous, position);
    position = end;
  }
}

function sealIndex(bytes: Buffer): void {
  if (bytes.length < INDEX_HEADER_BYTES) return;
  bytes.writeUInt32LE(checksum(bytes.subarray(INDEX_HEADER_BYTES)), 20);
  sealHeader(bytes);
}

function sealPublished(bytes: Buffer): void {
  if (sealHeader(bytes) === undefined || bytes.length < PUBLISHED_HEADER_BYTES) return;
  const seed = publishedSlotSeed(bytes.subarray(24, 40));
  for (let at = PUBLISHED_HEADER_BYTES; at + SLOT_BYTES <= bytes.length; at += SLOT_BYTES) {
    bytes.writeUInt32LE(checksum(bytes.subarray(at + 4, at + SLOT_BYTES), seed), at);
  }
}

function sealCheckpoint(bytes: Buffer): void {
  const headerLength = sealHeader(bytes);
  if (headerLength === undefined) return;
  let previous = bytes.readUInt32LE(0);
  let position = headerLength;
  while (position + FRAME_HEADER_BYTES <= bytes.length) {
    const end = position + FRAME_HEADER_BYTES + bytes.readUInt32LE(position + 4);
    if (end > bytes.length) return;
    previous = checksum(bytes.subarray(position + 4, end), previous);
    bytes.writeUInt32LE(previous, position);
    position = end;
  }
}
