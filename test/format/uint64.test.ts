import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readUint64, viewOf, writeUint64 } from "../../src/format/uint64.js";

describe("uint64", () => {
  it("agrees with DataView's own on every safe integer", () => {
    fc.assert(
      fc.property(fc.maxSafeNat(), fc.nat(8), (value, position) => {
        const bytes = new Uint8Array(24);
        writeUint64(viewOf(bytes), position, value);
        expect(viewOf(bytes).getBigUint64(position, true)).toBe(BigInt(value));
        expect(readUint64(viewOf(bytes), position)).toBe(value);
      }),
    );
  });

  it.each([0, 2 ** 32 - 1, 2 ** 32, 2 ** 52, Number.MAX_SAFE_INTEGER])("keeps %d", (value) => {
    const bytes = new Uint8Array(8);
    writeUint64(viewOf(bytes), 0, value);
    expect(readUint64(viewOf(bytes), 0)).toBe(value);
  });

  it("reads what no number can hold as something that is no safe integer", () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 2n ** 53n, max: 2n ** 64n - 1n }), (value) => {
        const bytes = new Uint8Array(8);
        viewOf(bytes).setBigUint64(0, value, true);
        expect(Number.isSafeInteger(readUint64(viewOf(bytes), 0))).toBe(false);
      }),
    );
  });

  it("views exactly the bytes of a view", () => {
    const bytes = new Uint8Array(16).subarray(4, 12);
    expect(viewOf(bytes).byteLength).toBe(8);
    viewOf(bytes).setUint8(0, 7);
    expect(bytes[0]).toBe(7);
  });
});
