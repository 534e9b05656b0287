import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isInvalidHeader } from "../../src/format/envelope.js";
import {
  decodeProducerSnapshot,
  encodeProducerSnapshot,
  MOST_PRODUCERS,
  type ProducerSnapshot,
} from "../../src/format/producer-snapshot.js";

const uint32 = fc.integer({ min: 0, max: 2 ** 32 - 1 });
const END_OFFSET = 2 ** 40;
/** Batches one behind the other, with gaps between them. */
const state = fc.record({
  epoch: uint32,
  batches: fc
    .array(
      fc.record({
        gap: fc.nat(1000),
        recordCount: fc.integer({ min: 1, max: 2 ** 20 }),
        baseOffset: fc.nat(2 ** 30),
      }),
      { minLength: 1, maxLength: 5 },
    )
    .map((parts) => {
      let [sequence, baseOffset] = [0, 0];
      return parts.map(({ gap, recordCount, baseOffset: more }) => {
        const batch = { sequence: sequence + gap, recordCount, baseOffset: baseOffset + more };
        sequence = batch.sequence + recordCount;
        baseOffset = batch.baseOffset + recordCount;
        return batch;
      });
    }),
});
const snapshot: fc.Arbitrary<ProducerSnapshot> = fc.record({
  logId: fc.uint8Array({ minLength: 16, maxLength: 16 }),
  activeBaseOffset: fc.maxSafeNat(),
  endOffset: fc.integer({ min: END_OFFSET, max: Number.MAX_SAFE_INTEGER }),
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

  it.each<[string, readonly (readonly [number, number, number])[]]>([
    ["no record", [[0, 0, 0]]],
    ["records past the end of the log", [[0, 5, 16]]],
    ["sequences past the last one", [[2 ** 32 - 1, 2, 0]]],
    [
      "sequences that go back",
      [
        [5, 2, 0],
        [6, 1, 2],
      ],
    ],
    [
      "offsets that go back",
      [
        [0, 2, 5],
        [2, 1, 6],
      ],
    ],
  ])("with a right checksum and batches with %s is damaged", (_, triples) => {
    const batches = triples.map(([sequence, recordCount, baseOffset]) => {
      return { sequence, recordCount, baseOffset };
    });
    const decoded = decodeProducerSnapshot(
      encodeProducerSnapshot({
        ...(decodeProducerSnapshot(sample()) as ProducerSnapshot),
        producers: new Map([[1n, { epoch: 0, batches }]]),
      }),
    );
    expect(isInvalidHeader(decoded)).toBe(true);
  });

  it("with more producers than a log knows is damaged", () => {
    const state = { epoch: 0, batches: [{ sequence: 0, recordCount: 1, baseOffset: 0 }] };
    const many = (count: number) =>
      new Map(Array.from({ length: count }, (_, index) => [BigInt(index), state] as const));
    const base = decodeProducerSnapshot(sample()) as ProducerSnapshot;
    const decode = (count: number) =>
      decodeProducerSnapshot(encodeProducerSnapshot({ ...base, producers: many(count) }));
    expect(isInvalidHeader(decode(MOST_PRODUCERS))).toBe(false);
    expect(isInvalidHeader(decode(MOST_PRODUCERS + 1))).toBe(true);
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
