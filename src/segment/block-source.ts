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
  MAX_BLOCK_HEADER_BYTES,
  readBlockHeader,
} from "../format/block-header.js";
import { viewOf } from "../format/uint64.js";

/** How much is read from a file at a time when it is read in order. */
export const SCAN_CHUNK_BYTES = 1024 * 1024;
/** A run of compressed blocks ends when they have become this long, however short they were. */
const MAX_RUN_BODY_BYTES = 4 * 1024 * 1024;
/** The search for a block looks at this much first; after damage the next one is mostly near. */
const FIRST_SEARCH_BYTES = 16 * 1024;

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
  let wanted = Math.min(Math.max(chunkBytes, MAX_BLOCK_HEADER_BYTES), end - position);
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
  let bodyBytes = 0;
  while (start < bytes.length && bodyBytes < MAX_RUN_BODY_BYTES) {
    const at = position + start;
    const reachesEnd = position + bytes.length >= end;
    if (!reachesEnd && bytes.length - start < MAX_BLOCK_HEADER_BYTES && blocks.length > 0) break;
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
    bodyBytes += header.bodyBytes;
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
  let found: BlockHeader | undefined;
  yield* findBlocks(source, from, end, (header) => {
    found = header;
    return false;
  });
  return found;
}

/**
 * As {@link findBlock}, for every block from `from` on whose header is valid, whatever lies between
 * them; bodies are not looked at.
 *
 * @param visit - Returns whether to go on.
 */
export function* findBlocks(
  source: BlockSource,
  from: number,
  end: number,
  visit: (header: BlockHeader) => boolean,
): Steps<void> {
  const magic = Buffer.alloc(4);
  magic.writeUInt32LE(BLOCK_MAGIC);
  let buffer = Buffer.allocUnsafeSlow(FIRST_SEARCH_BYTES);
  let position = from;
  while (end - position >= BLOCK_HEADER_BYTES) {
    const wanted = Math.min(buffer.length, end - position);
    const count = yield* readStep(source.file, buffer.subarray(0, wanted), position);
    const bytes = buffer.subarray(0, count);
    const view = viewOf(bytes);
    const isLast = count < wanted || position + count >= end;
    // A header that may be cut by the edge is left to the next chunk.
    const limit = count - (isLast ? BLOCK_HEADER_BYTES : MAX_BLOCK_HEADER_BYTES);
    let start = 0;
    while (start <= limit) {
      const mark = bytes.indexOf(magic, start + BLOCK_MAGIC_POSITION);
      if (mark < 0 || mark - BLOCK_MAGIC_POSITION > limit) {
        start = limit + 1;
        break;
      }
      start = mark - BLOCK_MAGIC_POSITION;
      const header = readBlockHeader(bytes, view, start, position + start, source.blockSeed);
      if (isInvalid(header)) {
        start++;
      } else {
        if (!visit(header)) return;
        start += blockLength(header);
      }
    }
    if (isLast) return;
    position += start;
    if (buffer.length < SCAN_CHUNK_BYTES) buffer = Buffer.allocUnsafeSlow(buffer.length * 4);
  }
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
