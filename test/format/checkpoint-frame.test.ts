import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  type CheckpointEntry,
  type CheckpointFrame,
  decodeFrame,
  encodeFrame,
  FRAME_HEADER_BYTES,
  frameChecksum,
  logIdText,
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
    logId: fc.uint8Array({ minLength: 16, maxLength: 16 }).map(logIdText),
    next: fc.maxSafeNat(),
  }),
  fc.record({ kind: fc.constant("key deleted" as const), key: name }),
  fc.record({
    kind: fc.constant("producer opened" as const),
    name,
    id: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
    epoch: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
    nextEpoch: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
  }),
);
const previous = fc.integer({ min: 0, max: 2 ** 32 - 1 });

const ENTRIES: readonly CheckpointEntry[] = [
  { kind: "committed", group: "g", key: "orders", logId: "0123456789abcdef".repeat(2), next: 300 },
  { kind: "key deleted", key: "old" },
];

function expectFrame(frame: ReturnType<typeof decodeFrame>): CheckpointFrame {
  if (typeof frame !== "object" || "kind" in frame) throw new Error(`no frame: ${frame}`);
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

  const ID = Array.from({ length: 16 }, () => 7);
  const NEXT = [0, 0, 0, 0, 0, 0, 0, 0];

  it.each([
    ["nothing at all", []],
    ["an offset of 2^53", [1, 0, 0, ...ID, 0, 0, 0, 0, 0, 0, 0x20, 0]],
    ["a key that is not UTF-8", [1, 1, 0xff, 0, ...ID, ...NEXT]],
    ["a group with a lone surrogate in CESU-8", [1, 0, 3, 0xed, 0xa0, 0x80, ...ID, ...NEXT]],
    ["a byte too few", [1, 0, 0, ...ID, ...NEXT.slice(1)]],
    ["a byte too many", [1, 0, 0, ...ID, ...NEXT, 0]],
    ["a deleted key and a byte too many", [2, 0, 0]],
    ["a deleted key that is cut", [2, 3, 0x61]],
    ["a producer's epoch that is cut", [3, 1, 0x61, ...NEXT, ...NEXT.slice(1)]],
    ["a producer and a byte too many", [3, 1, 0x61, ...NEXT, ...NEXT, 0]],
    ["a key that ends outside", [1, 200, 0, ...ID, ...NEXT]],
  ])("with a right checksum and an entry of %s are refused", (_what, rest) => {
    const payload = Uint8Array.from([rest.length, ...rest]);
    expect(decodeFrame(forgedFrame(payload, 1), 0, 5)).toBeTypeOf("string");
  });

  it.each([
    ["longer than the frame", [4, 2, 1, 0x61]],
    ["shorter than the frame", [3, 2, 1, 0x61, 0]],
    ["that is no length", [0xff, 0xff, 0xff, 0xff, 0xff]],
  ])("with a right checksum and an entry's length %s are refused", (_what, payload) => {
    expect(decodeFrame(forgedFrame(Uint8Array.from(payload), 1), 0, 5)).toBeTypeOf("string");
  });

  it("are not taken for damaged ones where an entry of a later version must be understood", () => {
    for (const kind of [0, 4, 0x7f]) {
      const payload = Uint8Array.from([3, 2, 1, 0x61, 4, kind, 1, 2, 3]);
      expect(decodeFrame(forgedFrame(payload, 2), 0, 5)).toMatchObject({ kind: "unsupported" });
    }
  });

  it("are read without entries of a later version that may be skipped", () => {
    for (const kind of [0x80, 0x81, 0xff]) {
      const payload = Uint8Array.from([4, kind, 1, 2, 3, 3, 2, 1, 0x61, 1, kind]);
      const { entries } = expectFrame(decodeFrame(forgedFrame(payload, 3), 0, 5));
      expect(entries).toEqual([{ kind: "key deleted", key: "a" }]);
    }
  });

  it("never throw, whatever their payload is", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), fc.nat(5), (payload, count) => {
        const frame = decodeFrame(forgedFrame(payload, count), 0, 5);
        if (typeof frame === "object" && !("kind" in frame)) {
          expect(frame.entries.length).toBeLessThanOrEqual(count);
        }
        expect(decodeFrame(payload, 0, 5)).not.toBeTypeOf("object");
      }),
      { numRuns: 1000 },
    );
  });
});
