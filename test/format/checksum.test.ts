import { crc32 as nativeCrc32 } from "node:zlib";
import crc32 from "crc-32";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { checksum } from "../../src/format/checksum.js";

/** The definition, bit by bit. */
function crcByDefinition(bytes: Uint8Array, seed = 0): number {
  let crc = ~seed >>> 0;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  }
  return ~crc >>> 0;
}

function noise(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, index) => (index * 131 + (index >>> 5)) & 0xff);
}

describe("checksum", () => {
  it("has the check value of CRC-32", () => {
    expect(checksum(Buffer.from("123456789"))).toBe(0xcbf43926);
  });

  it("is unsigned, and 0 for nothing", () => {
    expect(checksum(new Uint8Array(0))).toBe(0);
    expect(checksum(new Uint8Array(0), 0xfedcba98)).toBe(0xfedcba98);
    expect(checksum(Buffer.from([0xff]))).toBe(0xff000000);
  });

  it("is the same in both implementations around the length at which they switch", () => {
    for (let length = 0; length <= 600; length++) {
      const bytes = noise(length);
      const expected = crcByDefinition(bytes, 0x9abcdef0);
      expect(checksum(bytes, 0x9abcdef0), `length ${length}`).toBe(expected);
      expect(crc32.buf(bytes, 0x9abcdef0) >>> 0, `crc-32, length ${length}`).toBe(expected);
      expect(nativeCrc32(bytes, 0x9abcdef0), `zlib, length ${length}`).toBe(expected);
    }
  });

  it("of two parts, the first as the seed of the second, is that of the whole", () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 700 }),
        fc.uint8Array({ maxLength: 700 }),
        (one, other) => {
          const whole = checksum(Buffer.concat([one, other]));
          expect(checksum(other, checksum(one))).toBe(whole);
          expect(whole).toBe(crcByDefinition(Buffer.concat([one, other])));
        },
      ),
    );
  });

  it("does not look at bytes around a view", () => {
    const bytes = noise(1000);
    expect(checksum(bytes.subarray(300, 700))).toBe(checksum(bytes.slice(300, 700)));
  });
});
