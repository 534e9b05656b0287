import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isInvalidHeader } from "../../src/format/envelope.js";
import {
  decodeProducerSnapshot,
  encodeProducerSnapshot,
  type ProducerSnapshot,
} from "../../src/format/producer-snapshot.js";

const uint32 = fc.integer({ min: 0, max: 2 ** 32 - 1 });
const state = fc.record({
  epoch: uint32,
  batches: fc.array(
    fc.record({ sequence: uint32, recordCount: uint32, baseOffset: fc.maxSafeNat() }),
    { minLength: 1, maxLength: 5 },
  ),
});
const snapshot: fc.Arbitrary<ProducerSnapshot> = fc.record({
  logId: fc.uint8Array({ minLength: 16, maxLength: 16 }),
  activeBaseOffset: fc.maxSafeNat(),
  endOffset: fc.maxSafeNat(),
  endPosition: uint32,
  lastBlockPosition: uint32,
  lastChecksum: uint32,
  producers: fc
    .array(fc.tuple(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), state), { maxLength: 20 })
    .map((pairs) => new Map(pairs)),
});

/** Two producers, with two batches and one. */
function sample(): Uint8Array {
  return encodeProducerSnapshot({
    logId: new Uint8Array(16).fill(3),
    activeBaseOffset: 10,
    endOffset: 20,
    endPosition: 500,
    lastBlockPosition: 400,
    lastChecksum: 0xdeadbeef,
    producers: new Map([
      [
        1n,
        {
          epoch: 2,
          batches: [
            { sequence: 3, recordCount: 4, baseOffset: 5 },
            { sequence: 7, recordCount: 1, baseOffset: 12 },
          ],
        },
      ],
      [2n ** 63n, { epoch: 0, batches: [{ sequence: 0, recordCount: 1, baseOffset: 19 }] }],
    ]),
  });
}

describe("a list of producers", () => {
  it("is read as it was written, in its order", () => {
    fc.assert(
      fc.property(snapshot, (written) => {
        const read = decodeProducerSnapshot(encodeProducerSnapshot(written));
        expect(read).toEqual(written);
        expect([...(read as ProducerSnapshot).producers.keys()]).toEqual([
          ...written.producers.keys(),
        ]);
      }),
    );
  });

  it("has the layout that its format says", () => {
    const bytes = Buffer.from(sample());
    expect(bytes.length).toBe(80 + 16 + 2 * 16 + 16 + 16);
    expect(bytes.toString("latin1", 4, 8)).toBe("SLR0");
    expect(bytes.readUInt32LE(16)).toBe(2);
    expect(bytes.readBigUInt64LE(48)).toBe(20n);
    expect([bytes.readUInt32LE(88), bytes.readUInt32LE(92)]).toEqual([2, 2]);
    expect(bytes.readBigUInt64LE(128)).toBe(2n ** 63n);
  });

  it("is recognised as damaged, whichever bit is flipped and wherever it is cut", () => {
    const bytes = sample();
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const damaged = bytes.slice();
      damaged[bit >> 3]! ^= 1 << (bit & 7);
      expect(isInvalidHeader(decodeProducerSnapshot(damaged)), `bit ${bit}`).toBe(true);
    }
    for (let length = 0; length < bytes.length; length++) {
      expect(isInvalidHeader(decodeProducerSnapshot(bytes.slice(0, length)))).toBe(true);
    }
  });
});
