import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  type CheckpointEntry,
  type CheckpointFrame,
  decodeFrame,
  encodeFrame,
  FRAME_HEADER_BYTES,
  frameChecksum,
} from "../../src/format/checkpoint-frame.js";
import { checksum } from "../../src/format/checksum.js";
import { viewOf } from "../../src/format/uint64.js";
import { bitFlips, prefixes } from "./bytes.js";

const name = fc.oneof(
  fc.string({ unit: "grapheme", maxLength: 300 }),
  fc.constantFrom("__proto__", "constructor", "\ufeffbom", "\0", ""),
);
const entry: fc.Arbitrary<CheckpointEntry> = fc.oneof(
  fc.record({
    kind: fc.constant("committed" as const),
    group: name,
    key: name,
    next: fc.maxSafeNat(),
  }),
  fc.record({ kind: fc.constant("key deleted" as const), key: name }),
);
const previous = fc.integer({ min: 0, max: 2 ** 32 - 1 });

const ENTRIES: readonly CheckpointEntry[] = [
  { kind: "committed", group: "g", key: "orders", next: 300 },
  { kind: "key deleted", key: "old" },
];

function expectFrame(frame: ReturnType<typeof decodeFrame>): CheckpointFrame {
  if (frame === undefined || typeof frame === "string") throw new Error(`no frame: ${frame}`);
  return frame;
}

/** A frame around any payload, with a checksum that is right. */
function forgedFrame(payload: Uint8Array, count: number): Uint8Array {
  const bytes = new Uint8Array(FRAME_HEADER_BYTES + payload.length);
  viewOf(bytes).setUint32(4, payload.length, true);
  viewOf(bytes).setUint32(8, count, true);
  bytes.set(payload, FRAME_HEADER_BYTES);
  viewOf(bytes).setUint32(0, checksum(bytes.subarray(4), 5), true);
  return bytes;
}

describe("checkpoint frames", () => {
  it("come back one behind the other, each linked to the one before", () => {
    const frames = fc.array(fc.array(entry, { maxLength: 8 }), { minLength: 1, maxLength: 5 });
    fc.assert(
      fc.property(frames, previous, (lists, first) => {
        let link = first;
        const pieces = lists.map((entries) => {
          const frame = encodeFrame(entries, link);
          link = frameChecksum(frame);
          return frame;
        });
        const bytes = Buffer.concat([Buffer.alloc(7), ...pieces]);
        let position = 7;
        link = first;
        for (const entries of lists) {
          const frame = expectFrame(decodeFrame(bytes, position, link));
          expect(frame.entries).toEqual(entries);
          position += frame.length;
          link = frame.checksum;
        }
        expect(decodeFrame(bytes, position, link)).toBeUndefined();
      }),
    );
  });

  it("are refused with any bit flipped, cut anywhere, or behind another frame", () => {
    const frame = encodeFrame(ENTRIES, 5);
    expect(expectFrame(decodeFrame(frame, 0, 5)).entries).toEqual(ENTRIES);
    for (const [flipped, at] of bitFlips(frame)) {
      expect(decodeFrame(flipped, 0, 5), at).toBeTypeOf("string");
    }
    for (const prefix of prefixes(frame)) {
      if (prefix.length === 0) continue;
      expect(decodeFrame(prefix, 0, 5), `${prefix.length} bytes`).toBeTypeOf("string");
    }
    expect(decodeFrame(frame, 0, 6)).toBeTypeOf("string");
  });

  it("allocate nothing for lengths and counts that are forged", () => {
    const frame = encodeFrame(ENTRIES, 5);
    viewOf(frame).setUint32(4, 2 ** 32 - 1, true);
    expect(decodeFrame(frame, 0, 5)).toBeTypeOf("string");
    expect(decodeFrame(forgedFrame(new Uint8Array(0), 2 ** 32 - 1), 0, 5)).toBeTypeOf("string");
  });

  it.each([
    ["an unknown kind", [3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]],
    ["an offset of 2^53", [1, 0, 0, 0, 0, 0, 0, 0, 0, 0x20, 0]],
    ["a group that is not UTF-8", [1, 1, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0]],
    ["a lone surrogate in CESU-8", [1, 3, 0xed, 0xa0, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0]],
    ["a byte too few", [1, 0, 0, 0, 0, 0, 0, 0, 0, 0]],
    ["a byte too many", [1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]],
    ["a key that ends outside", [1, 0, 200, 0, 0, 0, 0, 0, 0, 0, 0]],
  ])("with a right checksum and %s are refused", (_what, payload) => {
    expect(decodeFrame(forgedFrame(Uint8Array.from(payload), 1), 0, 5)).toBeTypeOf("string");
  });

  it("never throw, whatever their payload is", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), fc.nat(5), (payload, count) => {
        const frame = decodeFrame(forgedFrame(payload, count), 0, 5);
        if (typeof frame !== "string") expect(frame!.entries).toHaveLength(count);
        expect(decodeFrame(payload, 0, 5)).not.toBeTypeOf("object");
      }),
      { numRuns: 1000 },
    );
  });
});
