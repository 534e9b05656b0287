import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  decodeIndexFile,
  decodeIndexHeader,
  encodeIndexFile,
  OFFSET_ENTRY_BYTES,
  OFFSET_INDEX_MAGIC,
  TIME_ENTRY_BYTES,
  TIME_INDEX_MAGIC,
} from "../../src/format/index-file.js";
import { bitFlips, prefixes } from "./bytes.js";

const uint32 = fc.integer({ min: 0, max: 2 ** 32 - 1 });
const uint53 = fc.maxSafeNat();
const summary = fc.record({
  segmentChecksum: uint32,
  lastChecksum: uint32,
  lastBlockPosition: uint32,
  endPosition: uint32,
  baseOffset: uint53,
  endOffset: uint53,
  records: uint53,
  batches: uint53,
  blocks: uint53,
  bodyBytes: uint53,
  minTimestamp: uint53,
  maxTimestamp: uint53,
});

describe.each([
  ["offset", OFFSET_INDEX_MAGIC, TIME_INDEX_MAGIC, OFFSET_ENTRY_BYTES],
  ["time", TIME_INDEX_MAGIC, OFFSET_INDEX_MAGIC, TIME_ENTRY_BYTES],
])("%s index file", (_name, magic, otherMagic, entryBytes) => {
  const entriesOf = (count: number) =>
    Uint8Array.from({ length: count * entryBytes }, (_, index) => index * 37);

  it("comes back as it was", () => {
    fc.assert(
      fc.property(summary, fc.nat(50), (each, entryCount) => {
        const entries = entriesOf(entryCount);
        const bytes = encodeIndexFile(magic, each, entryCount, entries);
        expect(decodeIndexFile(bytes, magic)).toEqual({ summary: each, entryCount, entries });
        expect(decodeIndexHeader(bytes, magic)).toEqual({ summary: each, entryCount });
        expect(decodeIndexFile(bytes, otherMagic)).toMatchObject({ kind: "damaged" });
      }),
    );
  });

  it("is damaged with any bit flipped, cut anywhere, or with a byte more", () => {
    const [sample] = fc.sample(summary, { numRuns: 1, seed: 1 });
    const bytes = encodeIndexFile(magic, sample!, 3, entriesOf(3));
    for (const [flipped, at] of bitFlips(bytes)) {
      expect(decodeIndexFile(flipped, magic), at).toMatchObject({ kind: "damaged" });
    }
    for (const prefix of prefixes(bytes)) {
      expect(decodeIndexFile(prefix, magic)).toMatchObject({ kind: "damaged" });
    }
    const longer = Buffer.concat([bytes, Buffer.alloc(1)]);
    expect(decodeIndexFile(longer, magic)).toMatchObject({ kind: "damaged" });
    const wholeEntryMore = Buffer.concat([bytes, Buffer.alloc(entryBytes)]);
    expect(decodeIndexFile(wholeEntryMore, magic)).toMatchObject({ kind: "damaged" });
  });
});
