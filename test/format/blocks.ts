import { type Block, openBlock } from "../../src/format/block.js";
import {
  BLOCK_HEADER_BYTES,
  BLOCK_MAGIC,
  BlockAttribute,
  type BlockHeader,
  blockLength,
  isInvalid,
  parseBlockHeader,
} from "../../src/format/block-header.js";
import { checksum } from "../../src/format/checksum.js";
import type { CompressionName } from "../../src/format/compression.js";
import { GroupEncoder } from "../../src/format/group-encoder.js";
import type { LogRecord, RecordFields } from "../../src/format/record.js";
import { needsStructure, prepareRecord } from "../../src/format/record-codec.js";
import { viewOf, writeUint64 } from "../../src/format/uint64.js";

/** A record for an encoder: all but its timestamp may be left out. */
export type TimedRecord = RecordFields & { readonly timestamp: number };

export interface EncodingOptions {
  readonly blockBytes?: number;
  readonly compression?: CompressionName;
  readonly seed?: number;
  readonly position?: number;
  readonly baseOffset?: number;
  readonly previousChecksum?: number;
  readonly durableEndOffset?: number;
  /** Length of the buffer to begin with, which grows. */
  readonly bufferBytes?: number;
}

/** Encodes batches as a writer does: one group, blocks one behind the other, stamped and linked. */
export function encodeBatches(
  batches: readonly (readonly TimedRecord[])[],
  options: EncodingOptions = {},
): Uint8Array {
  const { blockBytes = 4096, compression = "none", seed = 0, bufferBytes = 64 } = options;
  const encoder = new GroupEncoder(Buffer.alloc(bufferBytes, 0xee), blockBytes, compression);
  for (const batch of batches) {
    for (const record of batch) {
      const prepared = prepareRecord(record);
      if (needsStructure(prepared)) encoder.addStructured(prepared, record.timestamp);
      else encoder.addValue(record.value, prepared.value.length, record.timestamp);
    }
    encoder.endBatch();
  }
  let position = options.position ?? 80;
  let baseOffset = options.baseOffset ?? 0;
  let previousChecksum = options.previousChecksum ?? 0;
  const { durableEndOffset = 0 } = options;
  for (const block of encoder.blocks) {
    const place = { position, previousChecksum, baseOffset, durableEndOffset };
    previousChecksum = encoder.stamp(block, place, seed);
    position += block.length;
    baseOffset += block.recordCount;
  }
  return Uint8Array.from(encoder.bytes.subarray(0, position - (options.position ?? 80)));
}

/** Takes bytes apart that hold blocks and nothing else; throws at the first that is not valid. */
export function decodeBlocks(bytes: Uint8Array, options: EncodingOptions = {}): Block[] {
  const blocks: Block[] = [];
  let start = 0;
  let chain = options.previousChecksum ?? 0;
  const first = options.position ?? 80;
  while (start < bytes.length) {
    const header = parseBlockHeader(bytes.subarray(start), first + start, options.seed ?? 0);
    if (isInvalid(header)) throw new Error(`at ${start}: ${header.reason}`);
    if (header.previousChecksum !== chain) throw new Error(`at ${start}: the chain is broken`);
    const block = openBlock(bytes, start, header, "test.log");
    if (isInvalid(block)) throw new Error(`at ${start}: ${block.reason}`);
    blocks.push(block);
    chain = header.checksum;
    start += blockLength(header);
  }
  return blocks;
}

export function recordsOf(blocks: readonly Block[]): LogRecord[] {
  return blocks.flatMap((block) =>
    Array.from({ length: block.header.recordCount }, (_, index) => block.recordAt(index)),
  );
}

/** Parts of a block that no writer of this version makes, or that no writer may make. */
export interface HandMadeBlock {
  readonly header?: Partial<Omit<BlockHeader, "producer">>;
  readonly producer?: { readonly id: bigint; readonly epoch: number; readonly sequence: number };
  /** Further bytes of a header that a newer version made longer. */
  readonly extraHeader?: Uint8Array;
  readonly body: Uint8Array;
  readonly seed?: number;
}

/** Builds a block from the format's table, byte by byte, with checksums that are right. */
export function handMade({
  header = {},
  producer,
  extraHeader = new Uint8Array(0),
  body,
  seed = 0,
}: HandMadeBlock): Uint8Array {
  const producerBytes = producer === undefined ? 0 : 16;
  const headerLength = BLOCK_HEADER_BYTES + producerBytes + extraHeader.length;
  const bytes = new Uint8Array(headerLength + body.length);
  const view = viewOf(bytes);
  const attributes =
    (header.attributes ?? BlockAttribute.lastOfBatch) |
    (producer === undefined ? 0 : BlockAttribute.producer);
  view.setUint32(4, BLOCK_MAGIC, true);
  view.setUint8(8, header.headerLength ?? headerLength);
  view.setUint8(9, header.codec ?? 0);
  view.setUint16(10, attributes, true);
  view.setUint32(12, header.position ?? 80, true);
  view.setUint32(16, header.previousChecksum ?? 0, true);
  view.setUint32(20, header.recordCount ?? 1, true);
  writeUint64(view, 24, header.baseOffset ?? 0);
  writeUint64(
    view,
    32,
    header.lastOffset ?? (header.baseOffset ?? 0) + (header.recordCount ?? 1) - 1,
  );
  writeUint64(view, 40, header.baseTimestamp ?? 1000);
  writeUint64(view, 48, header.maxTimestamp ?? 1000);
  writeUint64(view, 56, header.durableEndOffset ?? 0);
  view.setUint32(64, header.storedBytes ?? body.length, true);
  view.setUint32(68, header.bodyBytes ?? body.length, true);
  view.setUint32(72, header.bodyChecksum ?? checksum(body), true);
  if (producer !== undefined) {
    view.setBigUint64(80, producer.id, true);
    view.setUint32(88, producer.epoch, true);
    view.setUint32(92, producer.sequence, true);
  }
  bytes.set(extraHeader, BLOCK_HEADER_BYTES + producerBytes);
  bytes.set(body, headerLength);
  const covered = bytes.subarray(4, header.headerLength ?? headerLength);
  view.setUint32(0, checksum(covered, seed), true);
  return bytes;
}

/** A body: values one behind the other, then columns of 32-bit integers. */
export function bodyOf(
  values: readonly string[],
  ...columns: readonly (readonly number[])[]
): Uint8Array {
  const records = Buffer.from(values.join(""));
  const tables = Buffer.alloc(columns.reduce((sum, column) => sum + column.length * 4, 0));
  columns.flat().forEach((value, index) => {
    tables.writeUInt32LE(value, index * 4);
  });
  return Uint8Array.from(Buffer.concat([records, tables]));
}
