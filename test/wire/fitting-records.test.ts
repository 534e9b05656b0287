import { create, toBinary } from "@bufbuild/protobuf";
import fc from "fast-check";
import { expect, it } from "vitest";
import type { LogRecord } from "../../src/format/record.js";
import { fittingRecords } from "../../src/wire/fitting-records.js";
import { FollowResponseSchema } from "../../src/wire/generated/seglog/v1/log_service_pb.js";
import { toStoredRecords } from "../../src/wire/stored-records.js";

/** A response that has as much beside its records as one can have. */
function responseBytes(records: readonly LogRecord[], acceptPacks: boolean): number {
  const response = create(FollowResponseSchema, {
    key: "k".repeat(255),
    ...toStoredRecords(records, acceptPacks),
    nextOffset: BigInt(Number.MAX_SAFE_INTEGER),
    endOffset: BigInt(Number.MAX_SAFE_INTEGER),
    generation: new Uint8Array(24),
  });
  return toBinary(FollowResponseSchema, response).length;
}

const content = fc.uint8Array({ maxLength: 40 });
const header = fc.tuple(fc.string({ unit: "grapheme", maxLength: 5 }), content);
const gaps = fc.oneof(fc.constant(1), fc.integer({ min: 1, max: 2 ** 40 }));
const timestamp = fc.oneof(fc.constant(5), fc.maxSafeNat());
const plain = fc.record({ gap: gaps, timestamp, value: content });
const full = fc.record({
  gap: gaps,
  timestamp,
  value: content,
  key: content,
  headers: fc.array(header),
});

function numbered(list: readonly ({ gap: number } & Omit<LogRecord, "offset">)[]): LogRecord[] {
  let offset = 2 ** 50;
  return list.map(({ gap, ...record }) => {
    offset += gap;
    return { ...record, offset };
  });
}

const lists = fc.oneof(fc.array(plain, { maxLength: 100 }), fc.array(full, { maxLength: 40 }));

it("gives what fits in a response, in packs or not, and at least one record", () => {
  const share = fc.double({ min: 0, max: 1, noNaN: true });
  fc.assert(
    fc.property(lists.map(numbered), share, fc.boolean(), (records, share, acceptPacks) => {
      const maxBytes = Math.floor(share * responseBytes(records, acceptPacks));
      const fitting = fittingRecords(records, maxBytes);
      expect(fitting).toEqual(records.slice(0, fitting.length));
      expect(fitting.length).toBeGreaterThanOrEqual(Math.min(1, records.length));
      if (fitting.length > 1) {
        expect(responseBytes(fitting, acceptPacks)).toBeLessThanOrEqual(maxBytes);
      }
    }),
  );
});

it("leaves room for records of the largest numbers, each of which is a pack by itself", () => {
  const far = numbered(
    Array.from({ length: 50 }, () => ({
      gap: 2 ** 40,
      timestamp: Number.MAX_SAFE_INTEGER,
      value: new Uint8Array(0),
    })),
  );
  for (const acceptPacks of [true, false]) {
    for (let maxBytes = responseBytes(far, acceptPacks); maxBytes > 1000; maxBytes--) {
      const bytes = responseBytes(fittingRecords(far, maxBytes), acceptPacks);
      expect(bytes).toBeLessThanOrEqual(maxBytes);
    }
  }
});

it("gives nearly as much as there may be", () => {
  const records = numbered(
    Array.from({ length: 5000 }, () => ({ gap: 1, timestamp: 5, value: new Uint8Array(1000) })),
  );
  const bytes = responseBytes(fittingRecords(records, 4_194_304), true);
  expect(bytes).toBeGreaterThan(0.95 * 4_194_304 - 1000);
});
