import fc from "fast-check";
import { expect, test } from "vitest";
import { copyOf } from "../../src/format/copied-bytes.js";

test("copies are equal to what was copied, and stay so whatever becomes of that or of others", () => {
  const lengths = fc.array(fc.integer({ min: 0, max: 2000 }), { minLength: 1, maxLength: 50 });
  fc.assert(
    fc.property(lengths, fc.integer({ min: 0, max: 20 }), (all, start) => {
      const copies = all.map((length, index) => {
        const bytes = Buffer.alloc(start + length + 5, index + 1);
        const copy = copyOf(bytes, start, start + length);
        bytes.fill(0xff);
        return copy;
      });
      for (const [index, copy] of copies.entries()) {
        expect(copy).toEqual(new Uint8Array(all[index]!).fill(index + 1));
        copy.fill(0xee);
      }
    }),
  );
});

test("a short copy cannot be transferred: that would empty others", () => {
  const copy = copyOf(Uint8Array.of(1, 2, 3), 0, 3);
  const other = copyOf(Uint8Array.of(4, 5), 0, 2);
  try {
    structuredClone(copy, { transfer: [copy.buffer as ArrayBuffer] });
  } catch {
    // Newer versions of Node refuse to; older ones copy it.
  }
  expect(copy).toEqual(Uint8Array.of(1, 2, 3));
  expect(other).toEqual(Uint8Array.of(4, 5));
});
