import { CorruptionError, SeglogError } from "../errors.js";
import {
  BlockAttribute,
  type BlockHeader,
  columnCount,
  type InvalidBlock,
} from "./block-header.js";
import { checksum } from "./checksum.js";
import { Codec, decompressBody } from "./compression.js";
import { copyOf } from "./copied-bytes.js";
import type { LogRecord } from "./record.js";
import { readStructuredRecord } from "./record-codec.js";
import { viewOf } from "./uint64.js";

/*
 * The body of a block, when not compressed:
 *
 *   the records, one after the other
 *   u32 x record count   end of each record, relative to the first byte of the body
 *   u32 x record count   timestamp minus base timestamp   with attribute bit 2
 *   u32 x record count   offset minus base offset         with attribute bit 3
 *
 * The tables stand behind the records, so that a writer can copy records straight to their final
 * place before it knows how many there will be.
 */

/** The records of one block whose checksums hold. */
export class Block {
  readonly header: BlockHeader;
  readonly #file: string;
  readonly #body: Uint8Array;
  readonly #view: DataView;
  readonly #endsAt: number;
  readonly #structured: boolean;
  readonly #timestampsAt: number;
  readonly #offsetsAt: number;

  constructor(header: BlockHeader, body: Uint8Array, file: string) {
    const { attributes, recordCount } = header;
    this.header = header;
    this.#file = file;
    this.#body = body;
    this.#view = viewOf(body);
    this.#structured = (attributes & BlockAttribute.structured) !== 0;
    const columnBytes = recordCount * 4;
    this.#endsAt = body.length - columnCount(attributes) * columnBytes;
    const afterEnds = this.#endsAt + columnBytes;
    const hasTimestamps = (attributes & BlockAttribute.timestampDeltas) !== 0;
    this.#timestampsAt = hasTimestamps ? afterEnds : -1;
    const hasOffsets = (attributes & BlockAttribute.offsetDeltas) !== 0;
    this.#offsetsAt = hasOffsets ? afterEnds + (hasTimestamps ? columnBytes : 0) : -1;
  }

  /** Offset of the record at `index`, which is in [0, record count). */
  offsetAt(index: number): number {
    const { baseOffset, lastOffset } = this.header;
    if (this.#offsetsAt < 0) return baseOffset + index;
    const offset = baseOffset + this.#view.getUint32(this.#offsetsAt + index * 4, true);
    if (offset > lastOffset) throw this.#damage("an offset lies outside of its block");
    return offset;
  }

  /** Index of the first record whose offset is at least `offset`; the record count if none is. */
  lowerBound(offset: number): number {
    const { baseOffset, recordCount } = this.header;
    if (this.#offsetsAt < 0) return Math.min(Math.max(offset - baseOffset, 0), recordCount);
    let low = 0;
    let high = recordCount;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.offsetAt(middle) < offset) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Timestamp of the record at `index`, in milliseconds since 1970. */
  timestampAt(index: number): number {
    const { baseTimestamp, maxTimestamp } = this.header;
    if (this.#timestampsAt < 0) return baseTimestamp;
    const timestamp = baseTimestamp + this.#view.getUint32(this.#timestampsAt + index * 4, true);
    if (timestamp > maxTimestamp) throw this.#damage("a record is later than its block says");
    return timestamp;
  }

  /** The record at `index`, whose value is a view of this block. */
  recordAt(index: number): LogRecord {
    return this.#recordAt(index, false);
  }

  /** The record at `index`, copied. */
  copyAt(index: number): LogRecord {
    return this.#recordAt(index, true);
  }

  /** A block with the same records in memory of its own. */
  copy(): Block {
    return new Block(this.header, new Uint8Array(this.#body), this.#file);
  }

  #recordAt(index: number, isCopied: boolean): LogRecord {
    const start = index === 0 ? 0 : this.#view.getUint32(this.#endsAt + index * 4 - 4, true);
    const end = this.#view.getUint32(this.#endsAt + index * 4, true);
    if (start > end || end > this.#endsAt) {
      throw this.#damage("the table of record ends does not rise");
    }
    const offset = this.offsetAt(index);
    const timestamp = this.timestampAt(index);
    const body = this.#body;
    if (!this.#structured) {
      const value = isCopied
        ? copyOf(body, start, end)
        : new Uint8Array(body.buffer, body.byteOffset + start, end - start);
      return { offset, timestamp, value };
    }
    const parts = isCopied
      ? readStructuredRecord(copyOf(body, start, end), 0, end - start)
      : readStructuredRecord(body, start, end);
    if (typeof parts === "string") throw this.#damage(parts);
    if (parts === undefined) {
      throw new SeglogError(
        "UNSUPPORTED_FORMAT",
        `${this.#file}: record ${offset} has fields of a newer seglog. Read it with that version.`,
      );
    }
    const { value, key, headers } = parts;
    if (headers === undefined) {
      return key === undefined ? { offset, timestamp, value } : { offset, timestamp, value, key };
    }
    return key === undefined
      ? { offset, timestamp, value, headers }
      : { offset, timestamp, value, key, headers };
  }

  #damage(reason: string): CorruptionError {
    const { position, baseOffset } = this.header;
    return new CorruptionError({ file: this.#file, position, reason, offset: baseOffset });
  }
}

/**
 * Verifies the body of a block and gives access to its records.
 *
 * @param bytes - Holds the whole block from `start` on.
 * @param file - Named in errors.
 */
export function openBlock(
  bytes: Uint8Array,
  start: number,
  header: BlockHeader,
  file: string,
): Block | InvalidBlock {
  const bodyStart = start + header.headerLength;
  const stored = bytes.subarray(bodyStart, bodyStart + header.storedBytes);
  if (stored.length < header.storedBytes) {
    return { kind: "damaged", reason: "the file ends inside a block" };
  }
  if (checksum(stored) !== header.bodyChecksum) {
    return { kind: "damaged", reason: "the block's checksum does not match" };
  }
  if (header.codec === Codec.none) return new Block(header, stored, file);
  const body = decompressBody(stored, header.bodyBytes);
  return typeof body === "string"
    ? { kind: "damaged", reason: body }
    : new Block(header, body, file);
}
