import {
  BLOCK_HEADER_BYTES,
  BlockAttribute,
  type BlockHeader,
  type BlockProducer,
  PRODUCER_HEADER_BYTES,
  writeBlockHeader,
} from "./block-header.js";
import { checksumOfRange } from "./checksum.js";
import { Codec, type CodecId, type CompressionName, compressBody } from "./compression.js";
import { type StructuredRecord, writeStructuredRecord } from "./record-codec.js";
import { viewOf } from "./uint64.js";

/** A closed block in a group's buffer: all but its header is in place. */
export interface EncodedBlock {
  /** Where in the buffer its header goes. */
  readonly start: number;
  /** Of the header and the stored body. */
  readonly length: number;
  readonly headerLength: number;
  readonly codec: CodecId;
  attributes: number;
  readonly recordCount: number;
  readonly baseTimestamp: number;
  readonly maxTimestamp: number;
  readonly bodyBytes: number;
  readonly bodyChecksum: number;
  readonly producer: BlockProducer | undefined;
}

/** What a header says that is known only when the block gets its place in the log. */
export type BlockPlace = Pick<
  BlockHeader,
  "position" | "previousChecksum" | "baseOffset" | "durableEndOffset"
>;

/** Timestamp deltas are 32 bits wide; a block whose records lie further apart is closed. */
const MAX_TIMESTAMP_DELTA = 2 ** 32 - 1;

/**
 * The most that a record of `byteLength` adds to a buffer, if it gets a block of its own.
 *
 * @param isOfProducer - Whether the block has a producer.
 */
export function encodedBound(byteLength: number, isOfProducer = false): number {
  return (isOfProducer ? PRODUCER_HEADER_BYTES : BLOCK_HEADER_BYTES) + byteLength + 8;
}

/**
 * Encodes records into one contiguous buffer, block after block, each value copied once and
 * straight to its final place. Headers stay empty: {@link stamp} writes them when offsets and
 * positions are known, which is when the group is about to be written.
 */
export class GroupEncoder {
  readonly blocks: EncodedBlock[] = [];
  readonly #blockBytes: number;
  readonly #compression: CompressionName;
  #bytes: Buffer;
  #view: DataView;
  /** Start of the open block, and the end of what is in use. */
  #start = 0;
  #end = BLOCK_HEADER_BYTES;
  #count = 0;
  #headerLength = BLOCK_HEADER_BYTES;
  /** Of the open batch; the sequence is that of the open block. */
  #producer: BlockProducer | undefined;
  #structured = false;
  /** Attributes of the open block that a record asked for. */
  #asked = 0;
  #sameTimestamp = true;
  #minTimestamp = 0;
  #maxTimestamp = 0;
  #ends: Uint32Array;
  #timestamps: Float64Array;

  /**
   * @param bytes - The buffer to begin with; replaced by a larger one when it gets too small.
   * @param blockBytes - Length to which blocks are filled, header included.
   */
  constructor(bytes: Buffer, blockBytes: number, compression: CompressionName) {
    this.#bytes = bytes;
    this.#view = viewOf(bytes);
    this.#blockBytes = blockBytes;
    this.#compression = compression;
    this.#ends = new Uint32Array(16);
    this.#timestamps = new Float64Array(16);
  }

  /** The buffer; valid until the next record is added. */
  get bytes(): Buffer {
    return this.#bytes;
  }

  /** How many bytes are taken, a bound of the open block's tables included. */
  get length(): number {
    return this.#count === 0 ? this.#start : this.#end + this.#count * 8;
  }

  /**
   * Begins a batch of a producer, which each of its blocks will say. The batch before must have
   * been ended.
   *
   * @param producer - The sequence is that of the batch's first record.
   */
  beginProducersBatch(producer: BlockProducer): void {
    this.#producer = producer;
    this.#headerLength = PRODUCER_HEADER_BYTES;
    this.#end = this.#start + PRODUCER_HEADER_BYTES;
  }

  /** Adds a record that is a value alone. `byteLength` is that of the value, in UTF-8 for text. */
  addValue(value: Uint8Array | string, byteLength: number, timestamp: number): void {
    if (this.#structured) {
      const bytes = typeof value === "string" ? Buffer.from(value) : value;
      const record = { value: bytes, key: undefined, headers: undefined, timestamp };
      this.addStructured({ ...record, byteLength: byteLength + 1 }, timestamp);
      return;
    }
    this.#makeRoom(byteLength, timestamp);
    if (typeof value === "string") this.#bytes.write(value, this.#end, byteLength, "utf8");
    else this.#bytes.set(value, this.#end);
    this.#end += byteLength;
    this.#note(timestamp);
  }

  /**
   * Adds the values of a batch that begins with them: the same as {@link addValue} for each, with
   * what they have in common looked at once. They have one timestamp.
   */
  addValues(values: readonly Uint8Array[], timestamp: number): void {
    for (let at = 0; at < values.length; ) {
      if (this.#count > 0) this.#close();
      at = this.#fillBlock(values, at, timestamp);
    }
  }

  /** Adds a record with a key or headers. */
  addStructured(record: StructuredRecord, timestamp: number): void {
    if (!this.#structured) {
      if (this.#count > 0) this.#close();
      this.#structured = true;
    }
    this.#makeRoom(record.byteLength, timestamp);
    if (record.keyNamesProducer === true) this.#asked = BlockAttribute.keysNameProducers;
    this.#end = writeStructuredRecord(this.#bytes, this.#end, record);
    this.#note(timestamp);
  }

  /** Ends the batch: the block that is open becomes its last. There must be one. */
  endBatch(): void {
    if (this.#count > 0) this.#close();
    this.blocks[this.blocks.length - 1]!.attributes |= BlockAttribute.lastOfBatch;
    this.#structured = false;
    if (this.#producer === undefined) return;
    this.#producer = undefined;
    this.#headerLength = BLOCK_HEADER_BYTES;
    this.#end = this.#start + BLOCK_HEADER_BYTES;
  }

  /**
   * Writes the header of a closed block.
   *
   * @returns The header's checksum, which the next block's chain field takes.
   */
  stamp(block: EncodedBlock, place: BlockPlace, seed: number): number {
    const header = {
      position: place.position,
      previousChecksum: place.previousChecksum,
      baseOffset: place.baseOffset,
      lastOffset: place.baseOffset + block.recordCount - 1,
      durableEndOffset: place.durableEndOffset,
      codec: block.codec,
      attributes: block.attributes,
      recordCount: block.recordCount,
      baseTimestamp: block.baseTimestamp,
      maxTimestamp: block.maxTimestamp,
      storedBytes: block.length - block.headerLength,
      bodyBytes: block.bodyBytes,
      bodyChecksum: block.bodyChecksum,
      producer: block.producer,
    };
    return writeBlockHeader(this.#bytes, this.#view, block.start, header, seed);
  }

  /** Sees to it that the open block may take this record, and that the buffer can. */
  #makeRoom(byteLength: number, timestamp: number): void {
    if (this.#count > 0 && this.#isFull(byteLength, timestamp)) {
      const structured = this.#structured;
      this.#close();
      this.#structured = structured;
    }
    const needed = this.#end + byteLength + (this.#count + 1) * 8;
    if (needed > this.#bytes.length) this.#grow(needed);
  }

  #isFull(byteLength: number, timestamp: number): boolean {
    const columns = this.#sameTimestamp && timestamp === this.#minTimestamp ? 4 : 8;
    const tables = (this.#count + 1) * columns;
    return (
      this.#end - this.#start + byteLength + tables > this.#blockBytes ||
      timestamp - this.#minTimestamp > MAX_TIMESTAMP_DELTA ||
      this.#maxTimestamp - timestamp > MAX_TIMESTAMP_DELTA
    );
  }

  /**
   * Puts values from index `from` on into the open block, which has none yet, until it is full.
   *
   * @returns Index of the first value that had no room.
   */
  #fillBlock(values: readonly Uint8Array[], from: number, timestamp: number): number {
    const bodyStart = this.#start + this.#headerLength;
    const limit = this.#start + this.#blockBytes;
    let end = bodyStart;
    let count = 0;
    let at = from;
    for (; at < values.length; at++) {
      const value = values[at]!;
      const valueEnd = end + value.length;
      if (count > 0 && valueEnd + (count + 1) * 4 > limit) break;
      const needed = valueEnd + (count + 1) * 8;
      if (needed > this.#bytes.length) {
        this.#end = end;
        this.#grow(needed);
      }
      if (count === this.#ends.length) this.#growTables();
      this.#bytes.set(value, end);
      this.#ends[count++] = valueEnd - bodyStart;
      end = valueEnd;
    }
    this.#end = end;
    this.#count = count;
    this.#minTimestamp = timestamp;
    this.#maxTimestamp = timestamp;
    this.#sameTimestamp = true;
    return at;
  }

  /** Notes the record that now ends at `#end`. */
  #note(timestamp: number): void {
    const index = this.#count;
    if (index === this.#ends.length) this.#growTables();
    this.#ends[index] = this.#end - this.#start - this.#headerLength;
    this.#timestamps[index] = timestamp;
    this.#count = index + 1;
    if (index === 0) {
      this.#minTimestamp = timestamp;
      this.#maxTimestamp = timestamp;
      this.#sameTimestamp = true;
    } else if (timestamp !== this.#minTimestamp) {
      this.#sameTimestamp = false;
      if (timestamp < this.#minTimestamp) this.#minTimestamp = timestamp;
      else if (timestamp > this.#maxTimestamp) this.#maxTimestamp = timestamp;
    }
  }

  #close(): void {
    const view = this.#view;
    const count = this.#count;
    let at = this.#end;
    for (let index = 0; index < count; index++, at += 4) {
      view.setUint32(at, this.#ends[index]!, true);
    }
    const producer = this.#producer;
    let attributes = this.#asked | (this.#structured ? BlockAttribute.structured : 0);
    if (producer !== undefined) attributes |= BlockAttribute.producer;
    if (!this.#sameTimestamp) {
      attributes |= BlockAttribute.timestampDeltas;
      for (let index = 0; index < count; index++, at += 4) {
        view.setUint32(at, this.#timestamps[index]! - this.#minTimestamp, true);
      }
    }
    const bodyStart = this.#start + this.#headerLength;
    let bodyEnd = at;
    let codec: CodecId = Codec.none;
    if (this.#compression === "lz4") {
      const compressed = compressBody(this.#bytes.subarray(bodyStart, at));
      if (compressed !== undefined) {
        this.#bytes.set(compressed, bodyStart);
        bodyEnd = bodyStart + compressed.length;
        codec = Codec.lz4;
      }
    }
    this.blocks.push({
      start: this.#start,
      length: bodyEnd - this.#start,
      headerLength: this.#headerLength,
      codec,
      attributes,
      recordCount: count,
      baseTimestamp: this.#minTimestamp,
      maxTimestamp: this.#maxTimestamp,
      bodyBytes: at - bodyStart,
      bodyChecksum: checksumOfRange(this.#bytes, bodyStart, bodyEnd),
      producer,
    });
    if (producer !== undefined) {
      this.#producer = { ...producer, sequence: producer.sequence + count };
    }
    this.#start = bodyEnd;
    this.#end = this.#start + this.#headerLength;
    this.#count = 0;
    this.#structured = false;
    this.#asked = 0;
  }

  #grow(needed: number): void {
    const larger = Buffer.allocUnsafeSlow(Math.max(needed, this.#bytes.length * 2));
    larger.set(this.#bytes.subarray(0, this.#end));
    this.#bytes = larger;
    this.#view = viewOf(larger);
  }

  #growTables(): void {
    const ends = new Uint32Array(this.#ends.length * 4);
    ends.set(this.#ends);
    this.#ends = ends;
    const timestamps = new Float64Array(ends.length);
    timestamps.set(this.#timestamps);
    this.#timestamps = timestamps;
  }
}
