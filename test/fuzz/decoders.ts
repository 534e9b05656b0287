import { expect } from "vitest";
import { SeglogError } from "../../src/errors.js";
import { openBlock } from "../../src/format/block.js";
import {
  type BlockHeader,
  blockLength,
  isInvalid,
  parseBlockHeader,
  writeBlockHeader,
} from "../../src/format/block-header.js";
import {
  decodeCheckpointHeader,
  decodeFrame,
  encodeCheckpointHeader,
  encodeFrame,
  frameChecksum,
} from "../../src/format/checkpoint-frame.js";
import { checksum } from "../../src/format/checksum.js";
import { decompressBody } from "../../src/format/compression.js";
import { parseSegmentFileName, segmentFileName } from "../../src/format/file-names.js";
import {
  decodeIndexFile,
  decodeIndexHeader,
  encodeIndexFile,
  OFFSET_INDEX_MAGIC,
  TIME_INDEX_MAGIC,
} from "../../src/format/index-file.js";
import { decodeLogMetadata, encodeLogMetadata } from "../../src/format/log-metadata.js";
import {
  decodePublishedHeader,
  decodeSlot,
  encodePublishedHeader,
  encodeSlot,
  PUBLISHED_HEADER_BYTES,
  SLOT_BYTES,
} from "../../src/format/published-end.js";
import {
  encodedLength,
  readStructuredRecord,
  writeStructuredRecord,
} from "../../src/format/record-codec.js";
import { decodeSegmentHeader, encodeSegmentHeader } from "../../src/format/segment-header.js";
import { decodeStoreMetadata, encodeStoreMetadata } from "../../src/format/store-metadata.js";
import { viewOf } from "../../src/format/uint64.js";
import { VarintReader, varintLength, writeVarint } from "../../src/format/varint.js";
import { decodeKey, encodeKey } from "../../src/store/key-directory.js";

/**
 * Feeds bytes to one decoder and throws unless it does what it must: give a value that, encoded
 * and decoded again, is the same value; or say why there is none.
 *
 * @returns Whether there was a value, so that a test can see that it gets behind the checksums.
 */
export type Probe = (bytes: Uint8Array) => boolean;

interface Refusal {
  readonly kind: "damaged" | "unsupported";
  readonly reason: string;
}

function isRefusal(value: object): value is Refusal {
  if (!("kind" in value)) return false;
  const { kind, reason } = value as Refusal;
  expect(["damaged", "unsupported"]).toContain(kind);
  expect(reason).toMatch(/^[\x20-\x7e]+$/);
  return true;
}

/** A probe for a decoder of a header that has an encoder beside it. */
function roundTrip<Value extends object>(
  decode: (bytes: Uint8Array) => Value | Refusal,
  encode: (value: Value) => Uint8Array,
  /** Of what a longer header of a newer version is, and this version does not keep. */
  comparable: (value: Value) => unknown = (value) => value,
): Probe {
  return (bytes) => {
    const value = decode(bytes);
    if (isRefusal(value)) return false;
    const again = decode(encode(value));
    if (isRefusal(again)) expect.fail(`encoded again: ${again.reason}`);
    expect(comparable(again)).toEqual(comparable(value));
    return true;
  };
}

function withoutChecksum<Value extends object>(value: Value): object {
  const { checksum: _, headerLength: __, ...rest } = value as Record<string, unknown>;
  return rest;
}

const probeIndex =
  (magic: number): Probe =>
  (bytes) => {
    const header = decodeIndexHeader(bytes, magic);
    isRefusal(header);
    return roundTrip(
      (each) => decodeIndexFile(each, magic),
      ({ summary, entryCount, entries }) => encodeIndexFile(magic, summary, entryCount, entries),
    )(bytes);
  };

function probePublished(bytes: Uint8Array): boolean {
  const header = decodePublishedHeader(bytes);
  if (isRefusal(header)) return false;
  const again = decodePublishedHeader(encodePublishedHeader(header.sessionId, header.processId));
  expect(again).toEqual(header);
  let found = false;
  for (let at = PUBLISHED_HEADER_BYTES; at < bytes.length; at += SLOT_BYTES) {
    const end = decodeSlot(bytes.subarray(at), header.slotSeed);
    if (end === undefined) continue;
    found = true;
    const slot = new Uint8Array(SLOT_BYTES);
    encodeSlot(slot, end, header.slotSeed);
    expect(decodeSlot(slot, header.slotSeed)).toEqual(end);
  }
  return found;
}

function probeCheckpoint(bytes: Uint8Array): boolean {
  const header = decodeCheckpointHeader(bytes);
  if (isRefusal(header)) return false;
  const again = decodeCheckpointHeader(encodeCheckpointHeader(header.storeId, new Uint8Array(16)));
  expect(again).toMatchObject({ storeId: header.storeId });
  let position = header.headerLength;
  let previous = header.checksum;
  for (;;) {
    const frame = decodeFrame(bytes, position, previous);
    if (frame === undefined) return position > header.headerLength;
    if (typeof frame === "string" || isRefusal(frame)) return position > header.headerLength;
    const encoded = encodeFrame(frame.entries, previous);
    expect(decodeFrame(encoded, 0, previous)).toEqual({
      position: 0,
      length: encoded.length,
      checksum: frameChecksum(encoded),
      entries: frame.entries,
    });
    expect(frame.length).toBeGreaterThan(0);
    position += frame.length;
    previous = frame.checksum;
  }
}

/** A data file: its header, then each block that stands where the one before ends. */
function probeDataFile(bytes: Uint8Array): boolean {
  const header = decodeSegmentHeader(bytes);
  if (isRefusal(header)) return false;
  expect(withoutChecksum(decodeSegmentHeader(encodeSegmentHeader(header)))).toEqual(
    withoutChecksum(header),
  );
  let position = header.headerLength;
  let blocks = 0;
  while (position < bytes.length) {
    const block = parseBlockHeader(bytes.subarray(position), position, header.blockSeed);
    if (isInvalid(block)) break;
    probeBlock(bytes, position, block);
    blocks++;
    position += blockLength(block);
  }
  return blocks > 0;
}

function probeBlock(bytes: Uint8Array, start: number, header: BlockHeader): void {
  if (header.producer === undefined) {
    const copy = new Uint8Array(80);
    writeBlockHeader(copy, viewOf(copy), 0, header, 1);
    expect(withoutChecksum(parseBlockHeader(copy, header.position, 1))).toEqual(
      withoutChecksum(header),
    );
  }
  const block = openBlock(bytes, start, header, "probe.log");
  if (isRefusal(block)) return;
  const { recordCount, baseOffset, lastOffset, baseTimestamp, maxTimestamp } = header;
  const records = [0, 1, recordCount >>> 1, recordCount - 1].filter((each) => each < recordCount);
  for (const index of records) {
    const lower = orTyped(() => block.lowerBound(baseOffset + index));
    if (lower !== undefined) expect(lower).toBeLessThanOrEqual(recordCount);
    const record = orTyped(() => block.recordAt(index));
    if (record === undefined) continue;
    expect(record.offset).toBeGreaterThanOrEqual(baseOffset);
    expect(record.offset).toBeLessThanOrEqual(lastOffset);
    expect(record.timestamp).toBeGreaterThanOrEqual(baseTimestamp);
    expect(record.timestamp).toBeLessThanOrEqual(maxTimestamp);
    expect(record.value.length).toBeLessThanOrEqual(header.bodyBytes);
    expect(record.value).not.toBeInstanceOf(Buffer);
  }
}

/** What `run` gives; `undefined` where it fails as it may. */
function orTyped<Value>(run: () => Value): Value | undefined {
  try {
    return run();
  } catch (error) {
    if (error instanceof SeglogError) return undefined;
    throw error;
  }
}

function probeRecord(bytes: Uint8Array): boolean {
  const parts = readStructuredRecord(bytes, 0, bytes.length);
  if (parts === undefined || typeof parts === "string") return false;
  const { value, key } = parts;
  const headers = parts.headers?.map(([name, content]) => [Buffer.from(name), content] as const);
  const byteLength = encodedLength({ value, key, headers });
  // Varints may be written longer than they need to be.
  expect(byteLength).toBeLessThanOrEqual(bytes.length);
  const encoded = new Uint8Array(byteLength);
  const record = { value, key, headers, timestamp: undefined, byteLength };
  expect(writeStructuredRecord(encoded, 0, record)).toBe(byteLength);
  expect(readStructuredRecord(encoded, 0, byteLength)).toEqual(parts);
  return true;
}

function probeVarints(bytes: Uint8Array): boolean {
  const reader = new VarintReader(bytes, 0, bytes.length);
  let found = false;
  while (reader.position < bytes.length) {
    const before = reader.position;
    const value = reader.next();
    expect(reader.position).toBeGreaterThan(before);
    expect(reader.position).toBeLessThanOrEqual(bytes.length);
    if (value === undefined) continue;
    found = true;
    const encoded = new Uint8Array(varintLength(value));
    expect(writeVarint(encoded, 0, value)).toBe(encoded.length);
    expect(new VarintReader(encoded, 0, encoded.length).next()).toBe(value);
    expect(encoded.length).toBeLessThanOrEqual(reader.position - before);
  }
  return found;
}

/** The first four bytes are what the block's header declares, and half of the time those of LZ4. */
function probeLz4(bytes: Uint8Array): boolean {
  if (bytes.length < 4) return false;
  const declared = viewOf(bytes).getUint32(0, true);
  let found = false;
  for (const stored of [bytes, bytes.subarray(4)]) {
    const body = decompressBody(stored, declared);
    if (typeof body === "string") continue;
    expect(body).toHaveLength(declared);
    expect(declared).toBeLessThanOrEqual(stored.length * 255 + 16);
    found = true;
  }
  return found;
}

function probeNames(bytes: Uint8Array): boolean {
  const name = Buffer.from(bytes).toString("latin1");
  const segment = parseSegmentFileName(name);
  if (segment !== undefined) expect(segmentFileName(segment.baseOffset, segment.kind)).toBe(name);
  const key = decodeKey(name);
  if (key !== undefined) expect(encodeKey(key)).toBe(name);
  expect(checksum(bytes)).toBe(checksum(bytes.subarray(1), checksum(bytes.subarray(0, 1))));
  return segment !== undefined || key !== undefined;
}

/** Each decoder, and files of what name are made for it. */
export const PROBES: Readonly<Record<string, readonly [file: RegExp | undefined, probe: Probe]>> = {
  "a data file": [/\.log$/, probeDataFile],
  "an offset index": [/\.index$/, probeIndex(OFFSET_INDEX_MAGIC)],
  "a time index": [/\.timeindex$/, probeIndex(TIME_INDEX_MAGIC)],
  "log.meta": [/log\.meta$/, roundTrip(decodeLogMetadata, encodeLogMetadata)],
  "store.meta": [/store\.meta$/, roundTrip(decodeStoreMetadata, encodeStoreMetadata)],
  published: [/published$/, probePublished],
  "committed-offsets": [/committed-offsets$/, probeCheckpoint],
  "a structured record": [undefined, probeRecord],
  varints: [undefined, probeVarints],
  "an LZ4 body": [undefined, probeLz4],
  names: [undefined, probeNames],
};
