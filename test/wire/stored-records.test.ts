import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { LogRecord } from "../../src/format/record.js";
import {
  ReadResponseSchema,
  StoredPackSchema,
} from "../../src/wire/generated/seglog/v1/log_service_pb.js";
import { packValues } from "../../src/wire/pack.js";
import { fromStoredRecords, toStoredRecords } from "../../src/wire/stored-records.js";
import { bytes } from "./bytes.js";

/** Through the bytes of a response and back, as a `Buffer`, which is what sockets give. */
function there(records: readonly LogRecord[], acceptPacks: boolean): LogRecord[] {
  const response = create(ReadResponseSchema, toStoredRecords(records, acceptPacks));
  return fromStoredRecords(
    fromBinary(ReadResponseSchema, Buffer.from(toBinary(ReadResponseSchema, response))),
  );
}

function plainRecords(timestamps: readonly number[]): LogRecord[] {
  const value = bytes("v");
  return timestamps.map((timestamp, index) => ({ offset: 100 + index, timestamp, value }));
}

const content = fc.uint8Array({ maxLength: 20 });
const gaps = fc.oneof(
  { weight: 9, arbitrary: fc.constant(1) },
  fc.integer({ min: 1, max: 2 ** 33 }),
);
const fields = fc.record({
  gap: gaps,
  timestamp: fc.oneof(fc.constant(5), fc.maxSafeNat()),
  value: content,
});

function numbered(list: readonly { gap: number; timestamp: number; value: Uint8Array }[]) {
  let offset = -1;
  return list.map(({ gap, timestamp, value }): LogRecord => {
    offset += gap;
    return { offset, timestamp, value };
  });
}

describe("records of a response", () => {
  it("come through in packs", () => {
    fc.assert(
      fc.property(fc.array(fields, { maxLength: 60 }).map(numbered), (records) => {
        expect(there(records, true)).toEqual(records);
        expect(there(records, false)).toEqual(records);
      }),
    );
  });

  it("come through with keys and headers, and with values that are no Buffers", () => {
    const value = bytes("v");
    const records: LogRecord[] = [
      { offset: 5, timestamp: 1, value },
      { offset: 7, timestamp: 2, value, key: bytes("") },
      {
        offset: 8,
        timestamp: 2,
        value,
        headers: [
          ["", bytes("h")],
          ["é", bytes("")],
        ],
      },
    ];
    const found = there(records, true);
    expect(found).toEqual(records);
    expect(Buffer.isBuffer(found[0]!.value)).toBe(false);
    expect(toStoredRecords(records, true).packs).toEqual([]);
  });

  it("begin a new pack with a new timestamp where those are few", () => {
    const few = plainRecords(Array.from({ length: 64 }, (_, index) => Math.floor(index / 16)));
    const { packs } = toStoredRecords(few, true);
    expect(packs.map(({ timestampDeltasMs }) => timestampDeltasMs)).toEqual([[], [], [], []]);
    const many = plainRecords(Array.from({ length: 64 }, (_, index) => Math.floor(index / 2)));
    expect(toStoredRecords(many, true).packs).toHaveLength(1);
    expect([there(few, true), there(many, true)]).toEqual([few, many]);
  });

  it("begin a new pack where a delta would not fit, and after 65,536 records", () => {
    const value = bytes("");
    const far = [0, 2 ** 32 - 1, 2 ** 32].map((offset) => ({ offset, timestamp: 1, value }));
    expect(toStoredRecords(far, true).packs).toHaveLength(2);
    const many = plainRecords(new Array(65_537).fill(1));
    expect(toStoredRecords(many, true).packs).toHaveLength(2);
  });
});

describe("a response that no server sends", () => {
  const pack = packValues([bytes("a"), bytes("b")]);
  const MAX = BigInt(Number.MAX_SAFE_INTEGER);

  it.each([
    ["no pack", {}, /without values/],
    ["too few offsets", { pack, offsetDeltas: [0] }, /2 records has 1 offset_deltas/],
    ["too many offsets", { pack, offsetDeltas: [0, 1, 2] }, /2 records has 3 offset_deltas/],
    ["too few timestamps", { pack, timestampDeltasMs: [0n] }, /has 1 timestamp_deltas_ms/],
    ["offsets that do not rise", { pack, offsetDeltas: [1, 1] }, /not above/],
    ["offsets that fall", { pack, offsetDeltas: [1, 0] }, /not above/],
    ["a base offset above 2^53 - 1", { pack, baseOffset: MAX + 1n }, /base_offset/],
    ["an offset above 2^53 - 1", { pack, baseOffset: MAX }, /above 2\^53 - 1/],
    [
      "a timestamp above 2^53 - 1",
      { pack, baseTimestampMs: MAX, timestampDeltasMs: [0n, 1n] },
      /timestamp/,
    ],
    ["a timestamp below 0", { pack, timestampDeltasMs: [0n, -1n] }, /timestamp/],
    ["lengths that lie", { pack: { ...pack, lengths: [1, 2] } }, /add up/],
  ])("with %s", (_, fields, message) => {
    const packs = [create(StoredPackSchema, fields)];
    expect(() => fromStoredRecords({ records: [], packs })).toThrow(message);
    expect(() => fromStoredRecords({ records: [], packs })).toThrow(RangeError);
  });

  it("with records and packs", () => {
    const response = create(ReadResponseSchema, { records: [{}], packs: [{ pack }] });
    expect(() => fromStoredRecords(response)).toThrow(/both/);
  });
});
