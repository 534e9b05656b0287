import { create } from "@bufbuild/protobuf";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Codec, PackSchema } from "../../src/wire/generated/seglog/v1/log_service_pb.js";
import { MAX_BATCH_RECORDS, packValues, unpackValues } from "../../src/wire/pack.js";
import { compressPack, decompressPack } from "../../src/wire/pack-compression.js";
import { bytes } from "./bytes.js";

const MIB = 1024 * 1024;
const values = fc.array(fc.uint8Array({ maxLength: 200 }), { minLength: 1, maxLength: 50 });

describe("a pack", () => {
  it("gives back the values", () => {
    fc.assert(
      fc.property(values, (list) => {
        expect(unpackValues(packValues(list))).toEqual(list);
      }),
    );
  });

  it("gives back the values when it was compressed", () => {
    fc.assert(
      fc.property(values, (list) => {
        const pack = compressPack(packValues(list));
        expect(unpackValues(decompressPack(pack, MIB))).toEqual(list);
      }),
    );
  });

  it("takes values that lie next to each other, in whatever order", () => {
    const memory = bytes("abcdefgh");
    const list = [
      [0, 2],
      [2, 5],
      [5, 5],
      [5, 6],
      [1, 3],
      [3, 3],
      [7, 8],
    ].map(([from, to]) => memory.subarray(from, to));
    expect(unpackValues(packValues(list))).toEqual(list.map((value) => new Uint8Array(value)));
  });

  it("keeps nothing of the values, and gives no Buffers", () => {
    const value = Buffer.from("abc");
    const pack = packValues([value]);
    value.fill(0);
    pack.values = Buffer.from(pack.values);
    const [unpacked] = unpackValues(pack);
    expect(unpacked).toEqual(bytes("abc"));
    expect(Buffer.isBuffer(unpacked)).toBe(false);
  });

  it("is compressed only where that saves something", () => {
    expect(compressPack(packValues([bytes("abc")])).codec).toBe(Codec.UNSPECIFIED);
    const pack = compressPack(packValues([new Uint8Array(1000)]));
    expect(pack.codec).toBe(Codec.LZ4);
    expect(pack.values.length).toBeLessThan(100);
  });
});

describe("a hostile pack", () => {
  const zeros = compressPack(packValues([new Uint8Array(100_000)]));

  it.each([
    ["lengths of less than there is", { values: bytes("abc"), lengths: [1, 1] }, /add up to 2/],
    ["lengths of more than there is", { values: bytes("abc"), lengths: [4] }, /add up to 4/],
    [
      "lengths that a 32-bit sum would make fit",
      { values: bytes("abc"), lengths: [2 ** 32 - 1, 4] },
      /add up to 4294967299/,
    ],
    ["values without lengths", { values: bytes("abc") }, /add up to 0/],
    ["too many records", { lengths: new Array(MAX_BATCH_RECORDS + 1).fill(0) }, /at most 65536/],
    ["a codec where none may be", zeros, /codec 1/],
  ])("with %s", (_, fields, message) => {
    expect(() => unpackValues(create(PackSchema, fields))).toThrow(message);
  });

  it.each([
    ["a codec of the future", { codec: 7 as Codec, lengths: [1] }, /codec 7/],
    ["more than is allowed", { codec: Codec.LZ4, lengths: [MIB, 1] }, /take 1048577 bytes/],
    ["a length that LZ4 cannot reach", { ...zeros, lengths: [MIB] }, /more than LZ4 data/],
    ["a length that is not that of the data", { ...zeros, lengths: [99_999] }, /decompressed/],
    [
      "no LZ4",
      { codec: Codec.LZ4, lengths: [20], values: bytes("what is this, I ask?") },
      /decompressed/,
    ],
    ["too many records", { codec: Codec.LZ4, lengths: new Array(70_000).fill(0) }, /at most 65536/],
  ])("that claims to be compressed, with %s", (_, fields, message) => {
    expect(() => decompressPack(create(PackSchema, fields), MIB)).toThrow(message);
    expect(() => decompressPack(create(PackSchema, fields), MIB)).toThrow(RangeError);
  });
});
