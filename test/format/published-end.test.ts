import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { checksum } from "../../src/format/checksum.js";
import {
  decodePublishedHeader,
  decodeSlot,
  encodePublishedHeader,
  encodeSlot,
  type PublishedEnd,
  publishedSlotSeed,
  SLOT_BYTES,
  slotPosition,
} from "../../src/format/published-end.js";
import { viewOf } from "../../src/format/uint64.js";
import { bitFlips, idOf, prefixes } from "./bytes.js";

const end: PublishedEnd = {
  sequence: 9,
  logId: idOf(4),
  epoch: 2,
  startOffset: 10,
  endOffset: 20,
  activeBaseOffset: 15,
  endPosition: 4096,
  maxTimestamp: 1_700_000_000_000,
  revision: 0xfffffffe,
};

function slotOf(each: PublishedEnd, seed: number): Uint8Array {
  const slot = new Uint8Array(SLOT_BYTES);
  encodeSlot(slot, each, seed);
  return slot;
}

describe("published slots", () => {
  it("come back as they were, also when a slot's bytes are used again", () => {
    const offset = fc.maxSafeNat();
    const ends = fc.record({
      sequence: offset,
      logId: fc.uint8Array({ minLength: 16, maxLength: 16 }),
      epoch: offset,
      startOffset: offset,
      endOffset: offset,
      activeBaseOffset: offset,
      endPosition: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
      maxTimestamp: offset,
      revision: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
    });
    const seed = publishedSlotSeed(idOf(1));
    const slot = new Uint8Array(SLOT_BYTES);
    fc.assert(
      fc.property(ends, (each) => {
        encodeSlot(slot, each, seed);
        expect(decodeSlot(slot, seed)).toEqual(each);
      }),
    );
  });

  it("are nothing with any bit flipped, when they are cut, and when they are empty", () => {
    const seed = publishedSlotSeed(idOf(1));
    const slot = slotOf(end, seed);
    for (const [flipped, at] of bitFlips(slot)) {
      expect(decodeSlot(flipped, seed), at).toBeUndefined();
    }
    for (const prefix of prefixes(slot)) expect(decodeSlot(prefix, seed)).toBeUndefined();
    expect(decodeSlot(new Uint8Array(SLOT_BYTES), seed)).toBeUndefined();
    expect(decodeSlot(new Uint8Array(SLOT_BYTES), 0)).toBeUndefined();
  });

  it("with a number above 2^53 - 1 are nothing, though their checksum is right", () => {
    const seed = publishedSlotSeed(idOf(1));
    for (const at of [8, 32, 40, 48, 56, 64]) {
      const slot = slotOf(end, seed);
      viewOf(slot).setBigUint64(at, 2n ** 53n, true);
      viewOf(slot).setUint32(0, checksum(slot.subarray(4), seed), true);
      expect(decodeSlot(slot, seed), `at ${at}`).toBeUndefined();
    }
  });

  it("of another session are nothing", () => {
    const slot = slotOf(end, publishedSlotSeed(idOf(1)));
    expect(decodeSlot(slot, publishedSlotSeed(idOf(2)))).toBeUndefined();
  });

  it("half written over older ones are nothing, wherever the write stopped", () => {
    const seed = publishedSlotSeed(idOf(1));
    const older = slotOf(end, seed);
    const newer = slotOf({ ...end, sequence: 11, endOffset: 3_000_000, endPosition: 9999 }, seed);
    for (let length = 1; length < SLOT_BYTES; length++) {
      const torn = Buffer.concat([newer.subarray(0, length), older.subarray(length)]);
      if (torn.equals(newer) || torn.equals(older)) continue;
      expect(decodeSlot(torn, seed), `torn at ${length}`).toBeUndefined();
    }
  });

  it("have places that do not overlap, behind the header", () => {
    expect([0, 1, 2].map(slotPosition)).toEqual([64, 224, 384]);
    expect(decodePublishedHeader(encodePublishedHeader(idOf(1), 77))).toMatchObject({
      processId: 77,
      slotSeed: publishedSlotSeed(idOf(1)),
    });
  });
});
