import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { VarintReader, varintLength, writeVarint } from "../../src/format/varint.js";

const LARGEST = 2 ** 32 - 1;
const EDGES = [0, 1, 127, 128, 16383, 16384, 2 ** 21 - 1, 2 ** 21, 2 ** 28 - 1, 2 ** 28, 2 ** 31];
const value = fc.oneof(fc.constantFrom(...EDGES, LARGEST), fc.integer({ min: 0, max: LARGEST }));

describe("varints", () => {
  it("come back, take the length they say, and touch nothing else", () => {
    fc.assert(
      fc.property(fc.array(value, { maxLength: 20 }), (values) => {
        const target = new Uint8Array(values.length * 5 + 1).fill(0xee);
        let end = 0;
        for (const each of values) {
          const next = writeVarint(target, end, each);
          expect(next - end).toBe(varintLength(each));
          end = next;
        }
        expect(target.subarray(end).every((byte) => byte === 0xee)).toBe(true);
        const reader = new VarintReader(target, 0, end);
        for (const each of values) expect(reader.next()).toBe(each);
        expect(reader.position).toBe(end);
        expect(reader.next()).toBeUndefined();
      }),
    );
  });

  it.each([
    [[0x80], "ends in the middle"],
    [[], "is empty"],
    [[0xff, 0xff, 0xff, 0xff, 0x10], "is 2^32"],
    [[0xff, 0xff, 0xff, 0xff, 0xff], "goes on after five bytes"],
    [[0x80, 0x80, 0x80, 0x80, 0x80, 0x01], "has six bytes"],
  ])("gives nothing for %j, which %s", (bytes) => {
    expect(new VarintReader(Uint8Array.from(bytes), 0, bytes.length).next()).toBeUndefined();
  });

  it("reads never beyond the end it was given", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 30 }), fc.nat(30), (bytes, end) => {
        const limit = Math.min(end, bytes.length);
        const reader = new VarintReader(bytes, 0, limit);
        for (let turn = 0; turn < 10; turn++) {
          const taken = reader.take(reader.next());
          expect(reader.position).toBeLessThanOrEqual(limit);
          if (taken === undefined) break;
          expect(taken.byteOffset + taken.length).toBeLessThanOrEqual(bytes.byteOffset + limit);
        }
      }),
    );
  });
});
