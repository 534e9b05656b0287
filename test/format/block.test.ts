import fc from "fast-check";
import { compressSync } from "lz4-napi";
import { describe, expect, it } from "vitest";
import { CorruptionError } from "../../src/errors.js";
import { type Block, openBlock } from "../../src/format/block.js";
import {
  BLOCK_HEADER_BYTES,
  BlockAttribute,
  blockLength,
  isInvalid,
  parseBlockHeader,
} from "../../src/format/block-header.js";
import { decompressBody } from "../../src/format/compression.js";
import {
  bodyOf,
  decodeBlocks,
  encodeBatches,
  type HandMadeBlock,
  handMade,
  recordsOf,
  type TimedRecord,
} from "./blocks.js";
import { bitFlips, prefixes } from "./bytes.js";

const FAR = 2 ** 32;
const timestamp = fc.oneof(
  fc.integer({ min: 1_700_000_000_000, max: 1_700_000_000_003 }),
  fc.constantFrom(0, 1, FAR - 1, FAR, FAR + 1, 2 * FAR, Number.MAX_SAFE_INTEGER),
  fc.maxSafeNat(),
);
const value = fc.oneof(
  fc.uint8Array({ maxLength: 40 }),
  fc.uint8Array({ minLength: 200, maxLength: 700 }),
  fc.string({ unit: "grapheme", maxLength: 40 }),
  fc.integer({ min: 0, max: 2000 }).map((length) => "long text ".repeat(length / 10)),
);
const record: fc.Arbitrary<TimedRecord> = fc.record(
  {
    value,
    timestamp,
    key: fc.uint8Array({ maxLength: 20 }),
    headers: fc.array(fc.tuple(fc.string({ maxLength: 9 }), fc.uint8Array({ maxLength: 9 })), {
      maxLength: 2,
    }),
  },
  { requiredKeys: ["value", "timestamp"] },
);
const plainRecord: fc.Arbitrary<TimedRecord> = fc.record({ value, timestamp });
const batches = fc.array(
  fc.array(fc.oneof({ weight: 3, arbitrary: plainRecord }, record), {
    minLength: 1,
    maxLength: 30,
  }),
  { minLength: 1, maxLength: 6 },
);
const options = fc.record({
  blockBytes: fc.constantFrom(256, 300, 1024, 4096, 1024 * 1024),
  compression: fc.constantFrom("none" as const, "lz4" as const),
  seed: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
  position: fc.integer({ min: 80, max: 2 ** 30 }),
  baseOffset: fc.integer({ min: 0, max: 2 ** 50 }),
  bufferBytes: fc.constantFrom(0, 1, 79, 80, 81, 4096),
});

function bytesOf(input: Uint8Array | string): Uint8Array {
  return typeof input === "string" ? new Uint8Array(Buffer.from(input)) : input;
}

function headerOf(bytes: Uint8Array, position = 80, seed = 0) {
  return parseBlockHeader(bytes, position, seed);
}

/** Opens a block that must be valid, or says why it is not. */
function open(bytes: Uint8Array): Block | string {
  const header = headerOf(bytes);
  if (isInvalid(header)) return header.reason;
  const block = openBlock(bytes, 0, header, "test.log");
  return isInvalid(block) ? block.reason : block;
}

function valid(parts: HandMadeBlock): Block {
  const block = open(handMade(parts));
  if (typeof block === "string") throw new Error(block);
  return block;
}

describe("a group", () => {
  it("comes back as it was: values, keys, headers, timestamps, offsets and batches", () => {
    fc.assert(
      fc.property(batches, options, (lists, how) => {
        const blocks = decodeBlocks(encodeBatches(lists, how), how);
        const expected = lists.flat().map((each, index) => ({
          offset: how.baseOffset + index,
          timestamp: each.timestamp,
          value: bytesOf(each.value),
          ...(each.key === undefined ? {} : { key: each.key }),
          ...(each.headers === undefined ? {} : { headers: each.headers }),
        }));
        expect(recordsOf(blocks)).toEqual(expected);
        const ends = blocks
          .filter(({ header }) => (header.attributes & BlockAttribute.lastOfBatch) !== 0)
          .map(({ header }) => header.lastOffset + 1 - how.baseOffset);
        let sum = 0;
        expect(ends).toEqual(
          lists.map((list) => {
            sum += list.length;
            return sum;
          }),
        );
      }),
      { numRuns: 200 },
    );
  });

  it("has blocks no longer than asked for, unless a record alone is", () => {
    fc.assert(
      fc.property(batches, options, (lists, how) => {
        for (const { header } of decodeBlocks(encodeBatches(lists, how), how)) {
          const length = header.headerLength + header.bodyBytes;
          if (header.recordCount > 1) expect(length).toBeLessThanOrEqual(how.blockBytes);
          expect(header.storedBytes).toBeLessThanOrEqual(header.bodyBytes);
        }
      }),
    );
  });

  it("finds each record by its offset, and its neighbour beside it", () => {
    fc.assert(
      fc.property(batches, options, fc.nat(), (lists, how, pick) => {
        const blocks = decodeBlocks(encodeBatches(lists, how), how);
        const offset = how.baseOffset + (pick % lists.flat().length);
        const block = blocks.find(({ header }) => header.lastOffset >= offset)!;
        const index = block.lowerBound(offset);
        expect(block.offsetAt(index)).toBe(offset);
        expect(block.lowerBound(block.header.baseOffset - 1)).toBe(0);
        expect(block.lowerBound(block.header.lastOffset + 1)).toBe(block.header.recordCount);
      }),
    );
  });

  it("costs nothing for what is absent", () => {
    const same = [
      { value: "aaaa", timestamp: 5 },
      { value: "bbbb", timestamp: 5 },
    ];
    expect(encodeBatches([same])).toHaveLength(BLOCK_HEADER_BYTES + 8 + 2 * 4);
    const differ = [
      { value: "aaaa", timestamp: 5 },
      { value: "bbbb", timestamp: 6 },
    ];
    expect(encodeBatches([differ])).toHaveLength(BLOCK_HEADER_BYTES + 8 + 2 * 8);
  });

  it("closes a block between timestamps that 32 bits cannot tell apart", () => {
    const at = (each: number) => ({ value: "v", timestamp: each });
    const count = (...times: number[]) => decodeBlocks(encodeBatches([times.map(at)])).length;
    expect(count(0, FAR - 1)).toBe(1);
    expect(count(FAR - 1, 0)).toBe(1);
    expect(count(0, FAR)).toBe(2);
    expect(count(FAR, 0)).toBe(2);
    expect(count(FAR, 1, FAR + 1)).toBe(2);
  });

  it("is compressed only where that saves", () => {
    const text = [{ value: "abc ".repeat(500), timestamp: 0 }];
    const noise = Buffer.from(
      Array.from({ length: 2000 }, (_, i) => (i * i * 31 + (i >> 3)) & 255),
    );
    const codecOf = (batch: TimedRecord[]) =>
      decodeBlocks(encodeBatches([batch], { compression: "lz4" }))[0]!.header.codec;
    expect(codecOf(text)).toBe(1);
    expect(codecOf([{ value: new Uint8Array(noise.subarray(0, 60)), timestamp: 0 }])).toBe(0);
  });
});

const SAMPLES: [string, Uint8Array][] = [
  [
    "plain",
    encodeBatches([
      [
        { value: "hello", timestamp: 7 },
        { value: "", timestamp: 9 },
      ],
    ]),
  ],
  [
    "structured",
    encodeBatches([[{ value: "hello", key: "k", headers: { a: "b" }, timestamp: 7 }]]),
  ],
  ["lz4", encodeBatches([[{ value: "hello ".repeat(40), timestamp: 7 }]], { compression: "lz4" })],
  ["producer", handMade({ producer: { id: 1n, epoch: 2, sequence: 3 }, body: bodyOf(["v"], [1]) })],
];

describe.each(SAMPLES)("a %s block", (_name, bytes) => {
  it("is refused as damaged with any bit flipped", () => {
    expect(open(bytes)).toBeTypeOf("object");
    for (const [flipped, at] of bitFlips(bytes)) {
      const header = headerOf(flipped);
      if (isInvalid(header)) expect(header.kind, at).toBe("damaged");
      else expect(openBlock(flipped, 0, header, "f"), at).toMatchObject({ kind: "damaged" });
    }
  });

  it("is refused when it is cut anywhere", () => {
    for (const prefix of prefixes(bytes)) expect(open(prefix)).toBeTypeOf("string");
  });

  it("is refused at another position and with another seed", () => {
    expect(headerOf(bytes, 81)).toMatchObject({ kind: "damaged" });
    expect(headerOf(bytes, 80, 1)).toMatchObject({ kind: "damaged" });
  });
});

describe("a block header", () => {
  it("is never seen in random bytes", () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 0, maxLength: 300 }), (random) => {
        expect(headerOf(random)).toMatchObject({ kind: "damaged" });
        if (random.length < 9) return;
        random.set(Buffer.from("SLB0"), 4);
        expect(headerOf(random)).toMatchObject({ kind: "damaged" });
        random[8] = 80;
        expect(headerOf(random)).toMatchObject({ kind: "damaged" });
      }),
      { numRuns: 500 },
    );
  });

  it.each([0, 1, 2, 3, 4])("with known attribute bit %d is read", (bit) => {
    const attributes = 1 << bit;
    const producer = { id: 1n, epoch: 1, sequence: 1 };
    const parts = { header: { attributes }, body: bodyOf(["v"], [1], [0], [0]) };
    const bytes = handMade(bit === 4 ? { ...parts, producer } : parts);
    expect(headerOf(bytes)).not.toHaveProperty("kind");
  });

  it.each([6, 7])("with unknown attribute bit %d is unsupported, once it is whole", (bit) => {
    const bytes = handMade({ header: { attributes: 1 << bit }, body: bodyOf(["v"], [1]) });
    expect(headerOf(bytes)).toMatchObject({ kind: "unsupported" });
    bytes[30]! ^= 1;
    expect(headerOf(bytes)).toMatchObject({ kind: "damaged" });
  });

  it.each([8, 15])("with attribute bit %d, which may be ignored, is read", (bit) => {
    const attributes = 1 | (1 << bit);
    const block = valid({ header: { attributes }, body: bodyOf(["v"], [1]) });
    expect(Buffer.from(block.recordAt(0).value).toString()).toBe("v");
  });

  it("with an unknown codec is unsupported, once it is whole", () => {
    const bytes = handMade({ header: { codec: 2 }, body: bodyOf(["v"], [1]) });
    expect(headerOf(bytes)).toMatchObject({ kind: "unsupported" });
    bytes[70]! ^= 1;
    expect(headerOf(bytes)).toMatchObject({ kind: "damaged" });
  });

  it("that a newer version made longer is read, its body where it says", () => {
    const block = valid({ extraHeader: Buffer.alloc(32, 9), body: bodyOf(["v"], [1]) });
    expect(block.header.headerLength).toBe(112);
    expect(Buffer.from(block.recordAt(0).value).toString()).toBe("v");
  });

  it.each<[string, NonNullable<HandMadeBlock["header"]>]>([
    ["no records", { recordCount: 0, lastOffset: 0 }],
    ["more records than the body has tables for", { recordCount: 9, lastOffset: 8 }],
    ["a last offset before the base offset", { baseOffset: 5, lastOffset: 4 }],
    ["fewer offsets than records", { recordCount: 2, lastOffset: 0 }],
    ["more offsets than records and no column of them", { lastOffset: 3 }],
    ["an offset of 2^53", { baseOffset: 2 ** 53, lastOffset: 2 ** 53 }],
    ["a timestamp of 2^53", { maxTimestamp: 2 ** 53 }],
    ["a latest timestamp before the earliest", { baseTimestamp: 1001 }],
    ["a durable end behind itself", { durableEndOffset: 1 }],
    ["a length beyond all limits", { storedBytes: 2 ** 28, bodyBytes: 2 ** 28 }],
    ["a stored length beyond all limits", { codec: 1, storedBytes: 2 ** 28 }],
    ["a body beyond all limits", { codec: 1, bodyBytes: 2 ** 28 }],
    ["two lengths that differ without a codec", { bodyBytes: 6 }],
    ["a producer's bit and no room for one", { attributes: 17 }],
  ])("with %s is damaged though its checksum is right", (_what, header) => {
    expect(headerOf(handMade({ header, body: bodyOf(["v"], [1]) }))).toMatchObject({
      kind: "damaged",
    });
  });

  it("shorter than the format's is damaged", () => {
    const bytes = handMade({ header: { headerLength: 79 }, body: bodyOf(["v"], [1]) });
    expect(headerOf(bytes)).toMatchObject({ kind: "damaged" });
  });
});

describe("a block of a producer", () => {
  it("says whose it is", () => {
    const producer = { id: 2n ** 64n - 3n, epoch: 2 ** 32 - 1, sequence: 12 };
    const block = valid({ producer, body: bodyOf(["v"], [1]) });
    expect(block.header.producer).toEqual(producer);
    expect(blockLength(block.header)).toBe(96 + 5);
  });
});

describe("what this version reads but does not write", () => {
  it("a column of offsets, with holes", () => {
    const block = valid({
      header: { attributes: 1 | 8, recordCount: 3, baseOffset: 100, lastOffset: 120 },
      body: bodyOf(["a", "bb", "c"], [1, 3, 4], [0, 7, 20]),
    });
    expect(recordsOf([block]).map(({ offset }) => offset)).toEqual([100, 107, 120]);
    expect([99, 100, 101, 107, 108, 120, 121].map((each) => block.lowerBound(each))).toEqual([
      0, 0, 1, 1, 2, 2, 3,
    ]);
  });

  it("a column of offsets behind a column of timestamps", () => {
    const block = valid({
      header: {
        attributes: 1 | 4 | 8,
        recordCount: 2,
        lastOffset: 5,
        baseTimestamp: 1000,
        maxTimestamp: 1050,
      },
      body: bodyOf(["a", "b"], [1, 2], [50, 0], [0, 5]),
    });
    expect(recordsOf([block]).map(({ offset, timestamp: at }) => [offset, at])).toEqual([
      [0, 1050],
      [5, 1000],
    ]);
  });

  it.each<[string, HandMadeBlock]>([
    ["an end behind the records", { body: bodyOf(["v"], [2]) }],
    ["an end of 2^32 - 1", { body: bodyOf(["v"], [2 ** 32 - 1]) }],
    [
      "ends that go back",
      { header: { recordCount: 2, lastOffset: 1 }, body: bodyOf(["v", "w"], [2, 1]) },
    ],
    [
      "an offset outside of the block",
      {
        header: { attributes: 9, recordCount: 2, lastOffset: 5 },
        body: bodyOf(["v", "w"], [1, 2], [0, 6]),
      },
    ],
    [
      "a timestamp later than the block's latest",
      { header: { attributes: 5, maxTimestamp: 1050 }, body: bodyOf(["v"], [1], [51]) },
    ],
    ["a structured record without flags", { header: { attributes: 3 }, body: bodyOf([], [0]) }],
  ])("but not %s", (_what, parts) => {
    const block = valid(parts);
    const last = block.header.recordCount - 1;
    expect(() => block.recordAt(last)).toThrow(CorruptionError);
  });

  it("but not a record with unknown flags, such as a tombstone", () => {
    const block = valid({ header: { attributes: 3 }, body: bodyOf(["\u0004"], [1]) });
    expect(() => block.recordAt(0)).toThrow(
      expect.objectContaining({ code: "UNSUPPORTED_FORMAT" }),
    );
  });

  it("answers any body with records inside of it or CorruptionError", () => {
    const attributes = fc.integer({ min: 0, max: 15 });
    fc.assert(
      fc.property(attributes, fc.uint8Array({ minLength: 36, maxLength: 120 }), (bits, body) => {
        const header = { attributes: bits, recordCount: 3, lastOffset: bits & 8 ? 40 : 2 };
        const block = valid({ header, body });
        for (let index = 0; index < 3; index++) {
          try {
            const { value: found, offset } = block.recordAt(index);
            expect(found.byteOffset + found.length).toBeLessThanOrEqual(
              found.buffer.byteLength - 12,
            );
            expect(offset).toBeLessThanOrEqual(header.lastOffset);
          } catch (error) {
            expect(["CORRUPTION", "UNSUPPORTED_FORMAT"]).toContain((error as CorruptionError).code);
          }
        }
      }),
      { numRuns: 1000 },
    );
  });
});

describe("an LZ4 body", () => {
  const body = bodyOf(["hello ".repeat(100)], [600]);
  const stored = new Uint8Array(compressSync(Buffer.from(body)));
  const block = (bytes: Uint8Array, bodyBytes = body.length) =>
    open(handMade({ header: { codec: 1, bodyBytes }, body: bytes }));

  it("is read when all agrees", () => {
    expect(block(stored)).toBeTypeOf("object");
  });

  it("with a forged prefix is refused before the decoder allocates", () => {
    for (const claim of [0, 1, 603, 605, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1]) {
      const forged = stored.slice();
      Buffer.from(forged.buffer).writeUInt32LE(claim, 0);
      const before = process.memoryUsage().rss;
      expect(block(forged), `prefix ${claim}`).toBeTypeOf("string");
      expect(process.memoryUsage().rss - before).toBeLessThan(64 * 1024 * 1024);
    }
  });

  it("that claims more than LZ4 can reach is refused before the decoder allocates", () => {
    for (const claim of [2 ** 26, 128 * 1024 * 1024, 2 ** 31 - 1, 2 ** 32 - 1]) {
      const bomb = stored.slice();
      Buffer.from(bomb.buffer).writeUInt32LE(claim, 0);
      const before = process.memoryUsage().rss;
      expect(block(bomb, claim), `claim ${claim}`).toBeTypeOf("string");
      const reason = "the declared length is more than LZ4 data of this size can hold";
      expect(decompressBody(bomb, claim)).toBe(reason);
      expect(process.memoryUsage().rss - before).toBeLessThan(64 * 1024 * 1024);
    }
  });

  it("that is as dense as LZ4 gets is still read", () => {
    const zeros = Buffer.alloc(16 * 1024 * 1024);
    const dense = new Uint8Array(compressSync(zeros));
    expect(decompressBody(dense, zeros.length)).toHaveLength(zeros.length);
  });

  it("of any bytes gives a body of the length declared or a reason, and never throws", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), fc.nat(3000), (random, bodyBytes) => {
        const bytes = Buffer.alloc(4 + random.length);
        bytes.writeUInt32LE(bodyBytes);
        bytes.set(random, 4);
        const result = decompressBody(new Uint8Array(bytes), bodyBytes);
        if (typeof result !== "string") expect(result).toHaveLength(bodyBytes);
      }),
      { numRuns: 1000 },
    );
    expect(decompressBody(new Uint8Array(3), 0)).toBeTypeOf("string");
  });
});
