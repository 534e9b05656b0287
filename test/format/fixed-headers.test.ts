import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  CHECKPOINT_MAGIC,
  decodeCheckpointHeader,
  encodeCheckpointHeader,
} from "../../src/format/checkpoint-frame.js";
import { checksum } from "../../src/format/checksum.js";
import {
  decodeIndexHeader,
  encodeIndexFile,
  OFFSET_INDEX_MAGIC,
  TIME_INDEX_MAGIC,
} from "../../src/format/index-file.js";
import {
  decodeLogMetadata,
  encodeLogMetadata,
  LOG_METADATA_MAGIC,
  type LogMetadata,
} from "../../src/format/log-metadata.js";
import {
  decodePublishedHeader,
  encodePublishedHeader,
  PUBLISHED_MAGIC,
} from "../../src/format/published-end.js";
import {
  decodeSegmentHeader,
  encodeSegmentHeader,
  SEGMENT_MAGIC,
} from "../../src/format/segment-header.js";
import {
  decodeStoreMetadata,
  encodeStoreMetadata,
  STORE_METADATA_MAGIC,
} from "../../src/format/store-metadata.js";
import { viewOf } from "../../src/format/uint64.js";
import { bitFlips, idOf, prefixes } from "./bytes.js";

const end = {
  activeBaseOffset: 4000,
  endOffset: 5000,
  maxTimestamp: 1_700_000_000_123,
  endPosition: 123_456,
  lastBlockPosition: 120_000,
  lastChecksum: 0xfedcba98,
};
const logMetadata: LogMetadata = {
  logId: idOf(1),
  epoch: 7,
  startOffset: 12,
  truncation: { epoch: 7, offset: 4500 },
  bootId: idOf(90),
  storeId: idOf(33),
  clean: true,
  synced: true,
  hasProducers: false,
  end,
  revision: 0xfffffffe,
};
const summary = {
  segmentChecksum: 0x80000001,
  lastChecksum: 0xffffffff,
  lastBlockPosition: 80,
  endPosition: 2 ** 32 - 1,
  baseOffset: 2 ** 40,
  endOffset: 2 ** 40 + 9,
  records: 9,
  batches: 3,
  blocks: 4,
  bodyBytes: 2 ** 33,
  minTimestamp: 1,
  maxTimestamp: 2 ** 41,
};

interface Header {
  readonly name: string;
  readonly magic: number;
  readonly bytes: Uint8Array;
  readonly knownFeatures: number;
  /** Read with a fixed length: a longer one is as good as none, and no data depends on it. */
  readonly isHint?: boolean;
  /** Where offsets, epochs, counts and timestamps of 64 bits stand. */
  readonly numbersAt: readonly number[];
  readonly decode: (bytes: Uint8Array) => object;
}

const SUMMARY_NUMBERS = [40, 48, 56, 64, 72, 80, 88, 96];

const HEADERS: readonly Header[] = [
  {
    name: "segment header",
    magic: SEGMENT_MAGIC,
    bytes: encodeSegmentHeader({
      logId: idOf(1),
      epoch: 3,
      baseOffset: 2 ** 45 + 1,
      createdAt: 1_700_000_000_000,
      predecessor: { baseOffset: 17, checksum: 0xdeadbeef, headerChecksum: 0xfeedface },
    }),
    knownFeatures: 0,
    numbersAt: [40, 48, 56],
    decode: decodeSegmentHeader,
  },
  {
    name: "log metadata",
    magic: LOG_METADATA_MAGIC,
    bytes: encodeLogMetadata(logMetadata),
    knownFeatures: 1,
    numbersAt: [40, 48, 56, 64, 104, 112, 120],
    decode: decodeLogMetadata,
  },
  {
    name: "store metadata",
    magic: STORE_METADATA_MAGIC,
    bytes: encodeStoreMetadata({ storeId: idOf(5), createdAt: 1_700_000_000_000 }),
    knownFeatures: 0,
    numbersAt: [40],
    decode: decodeStoreMetadata,
  },
  {
    name: "published header",
    magic: PUBLISHED_MAGIC,
    isHint: true,
    bytes: encodePublishedHeader(idOf(9), 4321),
    knownFeatures: 0,
    numbersAt: [],
    decode: decodePublishedHeader,
  },
  {
    name: "checkpoint header",
    magic: CHECKPOINT_MAGIC,
    bytes: encodeCheckpointHeader(idOf(5), idOf(6)),
    knownFeatures: 0,
    numbersAt: [],
    decode: decodeCheckpointHeader,
  },
  {
    name: "offset index header",
    magic: OFFSET_INDEX_MAGIC,
    isHint: true,
    bytes: encodeIndexFile(OFFSET_INDEX_MAGIC, summary, 0, new Uint8Array(0)),
    knownFeatures: 0,
    numbersAt: SUMMARY_NUMBERS,
    decode: (bytes) => decodeIndexHeader(bytes, OFFSET_INDEX_MAGIC),
  },
  {
    name: "time index header",
    magic: TIME_INDEX_MAGIC,
    isHint: true,
    bytes: encodeIndexFile(TIME_INDEX_MAGIC, summary, 0, new Uint8Array(0)),
    knownFeatures: 0,
    numbersAt: SUMMARY_NUMBERS,
    decode: (bytes) => decodeIndexHeader(bytes, TIME_INDEX_MAGIC),
  },
];

/** A copy with one field set and the checksum made right again. */
function resealed(bytes: Uint8Array, change: (view: DataView) => void): Uint8Array {
  const copy = bytes.slice();
  change(viewOf(copy));
  viewOf(copy).setUint32(0, checksum(copy.subarray(4)), true);
  return copy;
}

describe.each(HEADERS)("$name", ({ bytes, magic, knownFeatures, isHint, numbersAt, decode }) => {
  it("begins with its checksum, magic, version and length", () => {
    const view = viewOf(bytes);
    expect(view.getUint32(0, true)).toBe(checksum(bytes.subarray(4)));
    expect(view.getUint32(4, true)).toBe(magic);
    expect(view.getUint16(8, true)).toBe(0);
    expect(view.getUint16(10, true)).toBe(bytes.length);
    expect(decode(bytes)).not.toHaveProperty("kind");
  });

  it("is damaged with any bit flipped", () => {
    for (const [flipped, at] of bitFlips(bytes)) {
      expect(decode(flipped), at).toMatchObject({ kind: "damaged" });
    }
  });

  it("is damaged when it is cut, and does not mind what follows", () => {
    for (const prefix of prefixes(bytes)) {
      expect(decode(prefix), `${prefix.length} bytes`).toMatchObject({ kind: "damaged" });
    }
    const followed = Uint8Array.of(...bytes, ...Buffer.alloc(100, 0xee));
    expect(decode(followed)).toEqual(decode(bytes));
  });

  it("of another version or with unknown features is unsupported, if its checksum is right", () => {
    const newer = resealed(bytes, (view) => view.setUint16(8, 1, true));
    expect(decode(newer)).toMatchObject({ kind: "unsupported" });
    for (let bit = 0; bit < 32; bit++) {
      const feature = (1 << bit) >>> 0;
      const features = viewOf(bytes).getUint32(12, true) | feature;
      const changed = resealed(bytes, (view) => view.setUint32(12, features >>> 0, true));
      const isKnown = (feature & knownFeatures) !== 0;
      if (isKnown) expect(decode(changed)).not.toHaveProperty("kind");
      else expect(decode(changed), `feature ${bit}`).toMatchObject({ kind: "unsupported" });
    }
    const damaged = newer.slice();
    damaged[20]! ^= 1;
    expect(decode(damaged)).toMatchObject({ kind: "damaged" });
  });

  it.skipIf(isHint)("that a newer version made longer is unsupported too", () => {
    const longer = Buffer.concat([bytes, Buffer.alloc(24, 7)]);
    const newer = resealed(longer, (view) => {
      view.setUint16(8, 1, true);
      view.setUint16(10, longer.length, true);
    });
    expect(decode(newer)).toMatchObject({ kind: "unsupported" });
  });

  it.skipIf(numbersAt.length === 0)("is damaged where a number is above 2^53 - 1", () => {
    for (const at of numbersAt) {
      for (const value of [2n ** 53n, 2n ** 64n - 1n]) {
        const forged = resealed(bytes, (view) => view.setBigUint64(at, value, true));
        expect(decode(forged), `${value} at ${at}`).toMatchObject({ kind: "damaged" });
      }
    }
  });

  it("is never seen in random bytes", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (random) => {
        expect(decode(random)).toMatchObject({ kind: "damaged" });
        if (random.length >= 8) viewOf(random).setUint32(4, magic, true);
        expect(decode(random)).toMatchObject({ kind: "damaged" });
      }),
      { numRuns: 300 },
    );
  });
});

const id = fc.uint8Array({ minLength: 16, maxLength: 16 });
const uint32 = fc.integer({ min: 0, max: 2 ** 32 - 1 });
const offset = fc.maxSafeNat();

describe("segment header", () => {
  it("comes back as it was", () => {
    const place = fc.tuple(offset, offset, uint32, uint32);
    fc.assert(
      fc.property(
        id,
        offset,
        place,
        offset,
        (logId, epoch, [one, other, sum, headerChecksum], createdAt) => {
          const baseOffset = Math.max(one, other);
          const before = Math.min(one, other);
          const predecessor =
            before === baseOffset
              ? undefined
              : { baseOffset: before, checksum: sum, headerChecksum };
          const header = { logId, epoch, baseOffset, createdAt, predecessor };
          const bytes = encodeSegmentHeader(header);
          expect(decodeSegmentHeader(bytes)).toEqual({
            ...header,
            headerLength: 80,
            checksum: viewOf(bytes).getUint32(0, true),
            blockSeed: checksum(bytes.subarray(24, 56)),
          });
        },
      ),
    );
  });

  it("gives blocks another seed for another log, epoch or base offset", () => {
    const base = { logId: idOf(1), epoch: 1, baseOffset: 1, createdAt: 0, predecessor: undefined };
    const seedOf = (change: object) => {
      const header = decodeSegmentHeader(encodeSegmentHeader({ ...base, ...change }));
      if ("kind" in header) throw new Error(header.reason);
      return header.blockSeed;
    };
    const seeds = [{}, { logId: idOf(2) }, { epoch: 2 }, { baseOffset: 2 }].map(seedOf);
    expect(new Set(seeds).size).toBe(4);
    expect(seedOf({ createdAt: 99 })).toBe(seedOf({}));
  });

  it("is damaged when its offsets contradict each other", () => {
    const bytes = HEADERS[0]!.bytes;
    const later = resealed(bytes, (view) => view.setBigUint64(64, 2n ** 46n, true));
    expect(decodeSegmentHeader(later)).toMatchObject({ kind: "damaged" });
    const huge = resealed(bytes, (view) => view.setBigUint64(48, 2n ** 53n, true));
    expect(decodeSegmentHeader(huge)).toMatchObject({ kind: "damaged" });
  });
});

describe("log metadata", () => {
  it("comes back as it was", () => {
    const metadata = fc.record({
      logId: id,
      epoch: offset,
      startOffset: offset,
      truncation: fc.option(fc.record({ epoch: offset, offset }), { nil: undefined }),
      bootId: id,
      storeId: fc.option(id, { nil: undefined }),
      clean: fc.boolean(),
      synced: fc.boolean(),
      hasProducers: fc.boolean(),
      end: fc.record({
        activeBaseOffset: offset,
        endOffset: offset,
        maxTimestamp: offset,
        endPosition: uint32,
        lastBlockPosition: uint32,
        lastChecksum: uint32,
      }),
      revision: uint32,
    });
    fc.assert(
      fc.property(metadata, (each) => {
        expect(decodeLogMetadata(encodeLogMetadata(each))).toEqual(each);
      }),
    );
  });

  it.each([40, 48, 56, 64, 104, 112, 120])("with 2^53 at %d is damaged", (position) => {
    const bytes = resealed(encodeLogMetadata(logMetadata), (view) =>
      view.setBigUint64(position, 2n ** 53n, true),
    );
    expect(decodeLogMetadata(bytes)).toMatchObject({ kind: "damaged" });
  });

  it("that an older seglog must not write to is so by a feature, not by a flag alone", () => {
    const alone = encodeLogMetadata({ ...logMetadata, storeId: undefined });
    expect(viewOf(alone).getUint32(12, true)).toBe(0);
    expect(viewOf(encodeLogMetadata(logMetadata)).getUint32(12, true)).toBe(1);
  });
});

describe("store metadata", () => {
  it("comes back as it was", () => {
    fc.assert(
      fc.property(id, offset, (storeId, createdAt) => {
        const bytes = encodeStoreMetadata({ storeId, createdAt });
        expect(decodeStoreMetadata(bytes)).toEqual({ storeId, createdAt });
      }),
    );
  });
});
