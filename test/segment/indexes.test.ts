import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { OffsetIndex } from "../../src/segment/offset-index.js";
import { TimeIndex } from "../../src/segment/time-index.js";

/** Rising pairs, as blocks give them. */
const blocks = fc
  .array(fc.tuple(fc.integer({ min: 1, max: 500 }), fc.integer({ min: 80, max: 9000 })), {
    maxLength: 200,
  })
  .map((steps) => {
    let [offset, position] = [0, 80];
    return steps.map(([records, bytes]) => {
      const block = { relativeOffset: offset, position };
      offset += records;
      position += bytes;
      return block;
    });
  });

describe("OffsetIndex", () => {
  it("finds what a search from the front finds, as built and as read from its bytes", () => {
    fc.assert(
      fc.property(blocks, fc.array(fc.nat(120_000), { maxLength: 20 }), (entries, wanted) => {
        const built = new OffsetIndex();
        for (const { relativeOffset, position } of entries) built.add(relativeOffset, position);
        const read = OffsetIndex.decode(built.encode().slice());
        expect(built.encode()).toHaveLength(entries.length * 8);
        for (const index of [built, read]) {
          expect(index.count).toBe(entries.length);
          const edges = entries.flatMap(({ relativeOffset: each }) => [each - 1, each, each + 1]);
          for (const offset of [...wanted, ...edges.filter((each) => each >= 0)]) {
            const expected = entries.findLastIndex((each) => each.relativeOffset <= offset);
            expect(index.floor(offset)).toBe(expected);
          }
          entries.forEach(({ relativeOffset, position }, at) => {
            expect(index.relativeOffsetAt(at)).toBe(relativeOffset);
            expect(index.positionAt(at)).toBe(position);
          });
        }
      }),
    );
  });

  it("holds the largest offsets and positions that fit, and grows after it was read", () => {
    const index = OffsetIndex.decode(new Uint8Array(0));
    index.add(0, 80);
    index.add(2 ** 32 - 1, 2 ** 32 - 1);
    expect(index.floor(2 ** 32 - 1)).toBe(1);
    expect(index.floor(2 ** 32 - 2)).toBe(0);
    const again = OffsetIndex.decode(index.encode().slice());
    for (let each = 0; each < 100; each++) again.add(each, each);
    expect(again.count).toBe(102);
    expect(again.positionAt(1)).toBe(2 ** 32 - 1);
    expect(again.byteLength).toBeLessThan(102 * 8 * 2 + 64);
  });
});

describe("TimeIndex", () => {
  it("never leads behind the first record that is late enough, in any order of timestamps", () => {
    const records = fc.array(
      fc.record({
        count: fc.integer({ min: 1, max: 5 }),
        timestamps: fc.array(fc.nat(1000), { minLength: 5, maxLength: 5 }),
        isIndexed: fc.boolean(),
      }),
      { maxLength: 60 },
    );
    fc.assert(
      fc.property(records, fc.array(fc.nat(1001), { maxLength: 20 }), (list, wanted) => {
        const index = new TimeIndex();
        const timestamps: number[] = [];
        let max = 0;
        for (const { count, timestamps: times, isIndexed } of list) {
          if (isIndexed && timestamps.length > 0) index.add(max, timestamps.length);
          for (const each of times.slice(0, count)) {
            timestamps.push(each);
            max = Math.max(max, each);
          }
        }
        for (const timestamp of wanted) {
          const start = index.startFor(timestamp);
          const first = timestamps.findIndex((each) => each >= timestamp);
          expect(start).toBeLessThanOrEqual(first < 0 ? timestamps.length : first);
          expect(timestamps.slice(0, start).every((each) => each < timestamp)).toBe(true);
          const read = TimeIndex.decode(index.encode().slice());
          expect(read.startFor(timestamp)).toBe(start);
        }
        for (let entry = 1; entry < index.count; entry++) {
          expect(index.timestampAt(entry)).toBeGreaterThan(index.timestampAt(entry - 1));
          expect(index.relativeOffsetAt(entry)).toBeGreaterThan(index.relativeOffsetAt(entry - 1));
        }
      }),
      { numRuns: 300 },
    );
  });
});
