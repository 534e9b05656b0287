import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { checksum } from "../../src/format/checksum.js";

// A log that keeps to docs/file-format.md but that this version of seglog does not write: holes
// between offsets, a producer, longer headers, and bits that a reader may ignore. Encoded here field
// by field, so that the page is tested and not the encoder.

const LOG_ID = Buffer.from("00112233445566778899aabbccddeeff", "hex");
const CREATED_AT = 1_767_225_600_000;

export function writeCraftedLog(directory: string): void {
  mkdirSync(directory, { recursive: true });
  const first = segmentHeader({ epoch: 0, baseOffset: 0, length: 96 });
  const firstBlocks = blocks(first, 0, [
    {
      // Two values alone; an ignorable attribute, and a header with four bytes of a later version.
      baseOffset: 0,
      lastOffset: 1,
      attributes: 1 | 0x8000,
      extra: Buffer.from("ffffffff", "hex"),
      body: body([text("zero"), text("one")]),
    },
    {
      // Offsets 5, 7 and 11 in one block, structured, with timestamps that go back.
      baseOffset: 5,
      lastOffset: 11,
      attributes: 2 | 4 | 8,
      body: body(
        [text("\0five"), text("\x01\x01kseven"), text("\x02\x01\x01h\x01veleven")],
        [2, 0, 1],
        [0, 2, 6],
      ),
    },
    {
      // Ends the batch that the block before began. The producer's fields are read over.
      baseOffset: 12,
      lastOffset: 12,
      attributes: 1 | 16,
      extra: Buffer.from("01000000000000000200000003000000", "hex"),
      body: body([text("twelve")]),
    },
  ]);
  writeFileSync(join(directory, "00000000000000000000.log"), firstBlocks.bytes);

  // Offsets 13 to 19 are a hole between two segments.
  const second = segmentHeader({
    epoch: 2,
    baseOffset: 20,
    length: 80,
    predecessor: { baseOffset: 0, checksum: firstBlocks.lastChecksum },
  });
  const secondBlocks = blocks(second, 20, [
    { baseOffset: 20, lastOffset: 20, attributes: 1, body: body([text("twenty")]) },
  ]);
  writeFileSync(join(directory, "00000000000000000020.log"), secondBlocks.bytes);
  writeFileSync(join(directory, "log.meta"), metadata(secondBlocks));
}

interface Place {
  readonly epoch: number;
  readonly baseOffset: number;
  readonly length: number;
  readonly predecessor?: { readonly baseOffset: number; readonly checksum: number };
}

function segmentHeader({ epoch, baseOffset, length, predecessor }: Place): Buffer {
  const bytes = Buffer.alloc(length, 0xee);
  bytes.fill(0, 0, 80);
  bytes.writeUInt32LE(0x8000_0000, 16);
  bytes.writeUInt32LE(predecessor?.checksum ?? 0, 20);
  LOG_ID.copy(bytes, 24);
  bytes.writeBigUInt64LE(BigInt(epoch), 40);
  bytes.writeBigUInt64LE(BigInt(baseOffset), 48);
  bytes.writeBigUInt64LE(BigInt(CREATED_AT), 56);
  bytes.writeBigUInt64LE(BigInt(predecessor?.baseOffset ?? baseOffset), 64);
  return seal(bytes, "SLS0");
}

interface CraftedBlock {
  readonly baseOffset: number;
  readonly lastOffset: number;
  readonly attributes: number;
  /** Header bytes behind the first 80. */
  readonly extra?: Buffer;
  readonly body: { readonly recordCount: number; readonly bytes: Buffer };
}

/** A segment's file, and what log.meta says of its end. */
interface SegmentFile {
  readonly bytes: Buffer;
  readonly baseOffset: number;
  readonly lastChecksum: number;
  readonly lastBlockPosition: number;
}

function blocks(header: Buffer, baseOffset: number, list: readonly CraftedBlock[]): SegmentFile {
  const seed = checksum(header.subarray(24, 56));
  const pieces = [header];
  let position = header.length;
  let lastChecksum = header.readUInt32LE(0);
  let lastBlockPosition = 0;
  for (const block of list) {
    const bytes = Buffer.concat([Buffer.alloc(80), block.extra ?? Buffer.alloc(0)]);
    bytes.write("SLB0", 4, "latin1");
    bytes.writeUInt8(bytes.length, 8);
    bytes.writeUInt16LE(block.attributes, 10);
    bytes.writeUInt32LE(position, 12);
    bytes.writeUInt32LE(lastChecksum, 16);
    bytes.writeUInt32LE(block.body.recordCount, 20);
    bytes.writeBigUInt64LE(BigInt(block.baseOffset), 24);
    bytes.writeBigUInt64LE(BigInt(block.lastOffset), 32);
    bytes.writeBigUInt64LE(BigInt(CREATED_AT), 40);
    bytes.writeBigUInt64LE(BigInt(CREATED_AT + 2), 48);
    bytes.writeUInt32LE(block.body.bytes.length, 64);
    bytes.writeUInt32LE(block.body.bytes.length, 68);
    bytes.writeUInt32LE(checksum(block.body.bytes), 72);
    lastChecksum = checksum(bytes.subarray(4), seed);
    bytes.writeUInt32LE(lastChecksum, 0);
    pieces.push(bytes, block.body.bytes);
    lastBlockPosition = position;
    position += bytes.length + block.body.bytes.length;
  }
  return { bytes: Buffer.concat(pieces), baseOffset, lastChecksum, lastBlockPosition };
}

/** Records, then their ends, then the columns. */
function body(records: readonly Buffer[], ...columns: readonly (readonly number[])[]) {
  let end = 0;
  const ends = records.map((record) => (end += record.length));
  const numbers = [ends, ...columns].flat();
  const tables = Buffer.alloc(numbers.length * 4);
  for (const [index, number] of numbers.entries()) tables.writeUInt32LE(number, index * 4);
  return { recordCount: records.length, bytes: Buffer.concat([...records, tables]) };
}

/** Closed cleanly, start offset 1, epoch 2; eight bytes longer than today, with unknown flags. */
function metadata(last: SegmentFile): Buffer {
  const bytes = Buffer.alloc(152, 0xee);
  bytes.fill(0, 0, 144);
  bytes.writeUInt32LE(0x8000_0000, 16);
  bytes.writeUInt32LE(0x8000_0001, 20);
  LOG_ID.copy(bytes, 24);
  bytes.writeBigUInt64LE(2n, 40);
  bytes.writeBigUInt64LE(1n, 48);
  bytes.writeBigUInt64LE(BigInt(last.baseOffset), 104);
  bytes.writeBigUInt64LE(21n, 112);
  bytes.writeBigUInt64LE(BigInt(CREATED_AT + 2), 120);
  bytes.writeUInt32LE(last.bytes.length, 128);
  bytes.writeUInt32LE(last.lastBlockPosition, 132);
  bytes.writeUInt32LE(last.lastChecksum, 136);
  return seal(bytes, "SLM0");
}

function seal(bytes: Buffer, magic: string): Buffer {
  bytes.write(magic, 4, "latin1");
  bytes.writeUInt16LE(0, 8);
  bytes.writeUInt16LE(bytes.length, 10);
  bytes.writeUInt32LE(checksum(bytes.subarray(4)), 0);
  return bytes;
}

function text(content: string): Buffer {
  return Buffer.from(content, "latin1");
}
