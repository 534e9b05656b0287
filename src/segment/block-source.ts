import { CorruptionError, SeglogError } from "../errors.js";
import type { PooledFile } from "../files/handle-pool.js";
import { readStep, type Steps } from "../files/steps.js";
import { type Block, openBlock } from "../format/block.js";
import {
  BLOCK_HEADER_BYTES,
  BLOCK_MAGIC,
  BLOCK_MAGIC_POSITION,
  type BlockHeader,
  blockLength,
  type InvalidBlock,
  isInvalid,
  readBlockHeader,
} from "../format/block-header.js";
import { viewOf } from "../format/uint64.js";

/** How much is read from a file at a time when it is read in order. */
export const SCAN_CHUNK_BYTES = 1024 * 1024;

/** A header's length is one byte. */
const MAX_HEADER_BYTES = 256;

/** A data file and what the checksums of its blocks start from. */
export interface BlockSource {
  readonly file: PooledFile;
  readonly blockSeed: number;
}

/** Blocks that were read in one piece. */
export interface BlockRun {
  readonly blocks: Block[];
  /** Where the next block begins, or where `invalid` was met. */
  readonly nextPosition: number;
  /** Why the run ends before the range does, if it is not for want of room. */
  readonly invalid?: InvalidBlock;
}

/**
 * Reads and verifies the blocks that lie whole within `chunkBytes` of `position`, and at least
 * one. The blocks are views of the buffer.
 *
 * @param position - Where a block begins.
 * @param end - Where the readable part of the file ends; nothing at or behind it is read.
 * @param buffer - Read into this, so that the blocks are valid until the next use of it; without
 *   it, memory of their own.
 */
export function* readRun(
  source: BlockSource,
  position: number,
  end: number,
  chunkBytes: number,
  buffer?: Uint8Array,
): Steps<BlockRun> {
  let wanted = Math.min(Math.max(chunkBytes, MAX_HEADER_BYTES), end - position);
  for (;;) {
    const target =
      buffer !== undefined && buffer.length >= wanted
        ? buffer.subarray(0, wanted)
        : new Uint8Array(Buffer.allocUnsafeSlow(wanted).buffer);
    const count = yield* readStep(source.file, target, position);
    const run = parseRun(source, target.subarray(0, count), position, end);
    if (typeof run !== "number") return run;
    if (run <= wanted) {
      const reason = "the file ends before its data should";
      return { blocks: [], nextPosition: position, invalid: { kind: "damaged", reason } };
    }
    // The first block is longer than the chunk. Its header's checksum held, and it ends before
    // `end`, so its length may be trusted with an allocation.
    wanted = run;
  }
}

/** Takes a run apart; returns the length to read instead where the first block did not fit. */
function parseRun(
  source: BlockSource,
  bytes: Uint8Array,
  position: number,
  end: number,
): BlockRun | number {
  const view = viewOf(bytes);
  const blocks: Block[] = [];
  let start = 0;
  while (start < bytes.length) {
    const at = position + start;
    const reachesEnd = position + bytes.length >= end;
    if (!reachesEnd && bytes.length - start < MAX_HEADER_BYTES && blocks.length > 0) break;
    const header = readBlockHeader(bytes, view, start, at, source.blockSeed);
    if (isInvalid(header)) return { blocks, nextPosition: at, invalid: header };
    const length = blockLength(header);
    if (at + length > end) {
      const reason = "the file ends inside a block";
      return { blocks, nextPosition: at, invalid: { kind: "damaged", reason } };
    }
    if (start + length > bytes.length) {
      if (blocks.length === 0 && bytes.length < length) return length;
      break;
    }
    const block = openBlock(bytes, start, header, source.file.path);
    if (isInvalid(block)) return { blocks, nextPosition: at, invalid: block };
    blocks.push(block);
    start += length;
  }
  if (start === 0 && position < end) {
    const reason = "the file ends before its data should";
    return { blocks, nextPosition: position, invalid: { kind: "damaged", reason } };
  }
  return { blocks, nextPosition: position + start };
}

/**
 * Looks for the next place at or behind `from` where a block of this file begins. A header names
 * its own position and its checksum is seeded with the log's id and epoch, so neither chance nor a
 * record's content can look like one.
 *
 * @returns The block's header, or `undefined` if there is none before `end`.
 */
export function* findBlock(
  source: BlockSource,
  from: number,
  end: number,
): Steps<BlockHeader | undefined> {
  const buffer = Buffer.allocUnsafeSlow(SCAN_CHUNK_BYTES);
  const magic = Buffer.alloc(4);
  magic.writeUInt32LE(BLOCK_MAGIC);
  let position = from;
  while (end - position >= BLOCK_HEADER_BYTES) {
    const wanted = Math.min(buffer.length, end - position);
    const count = yield* readStep(source.file, buffer.subarray(0, wanted), position);
    const bytes = buffer.subarray(0, count);
    const view = viewOf(bytes);
    let found = bytes.indexOf(magic);
    while (found >= 0) {
      const start = found - BLOCK_MAGIC_POSITION;
      if (start >= 0 && bytes.length - start >= BLOCK_HEADER_BYTES) {
        const header = readBlockHeader(bytes, view, start, position + start, source.blockSeed);
        if (!isInvalid(header)) return header;
      }
      found = bytes.indexOf(magic, found + 1);
    }
    if (count < wanted || position + count >= end) return undefined;
    // Step back so that a header across the edge is seen whole next time.
    position += count - MAX_HEADER_BYTES;
  }
  return undefined;
}

/** The error for bytes that should be a block and are not. */
export function blockError(
  path: string,
  position: number,
  invalid: InvalidBlock,
  offset?: number,
): SeglogError {
  if (invalid.kind === "unsupported") {
    return new SeglogError(
      "UNSUPPORTED_FORMAT",
      `${path}: at position ${position}: ${invalid.reason} is of a newer seglog. ` +
        "Read it with that version.",
    );
  }
  const details = { file: path, position, reason: invalid.reason };
  return new CorruptionError(offset === undefined ? details : { ...details, offset });
}
