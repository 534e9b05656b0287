import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  decodeJournalKey,
  encodeJournalKey,
  encodeJournalMark,
  journalName,
} from "../../src/format/journal-key.js";

const LOG_ID = new Uint8Array(16).map((_, index) => 250 - index);
const LOG = journalName(LOG_ID);

describe("the key of a journal's record", () => {
  const producer = fc.record({
    id: fc.bigInt(0n, 2n ** 64n - 1n),
    epoch: fc.nat(2 ** 32 - 1),
    sequence: fc.nat(2 ** 32 - 1),
    goesOn: fc.boolean(),
  });

  it("comes back as it was encoded, whatever memory it has", () => {
    fc.assert(
      fc.property(
        fc.maxSafeNat(),
        fc.option(fc.uint8Array({ maxLength: 20 }), { nil: undefined }),
        fc.option(producer, { nil: undefined }),
        fc.boolean(),
        (offset, key, ofProducer, isShared) => {
          const bytes = encodeJournalKey(LOG, offset, key, ofProducer, isShared);
          expect(decodeJournalKey(bytes)).toEqual({
            log: LOG,
            offset,
            isMark: false,
            producer: ofProducer,
            key,
          });
        },
      ),
    );
  });

  it("is laid out as the page on the format says", () => {
    const ofProducer = { id: 0x0102030405060708n, epoch: 9, sequence: 0x0a0b0c0d, goesOn: true };
    const bytes = encodeJournalKey(LOG, 5, Buffer.from("key"), ofProducer, false);
    expect(Buffer.from(bytes).toString("hex")).toBe(
      `${Buffer.from(LOG_ID).toString("hex")}0500000000000000` +
        "0d08070605040302010900000" +
        "00d0c0b0a6b6579",
    );
  });

  it("may be a mark", () => {
    expect(decodeJournalKey(encodeJournalMark(LOG_ID))).toMatchObject({ log: LOG, isMark: true });
  });

  it("is nobody's when it is too short", () => {
    const ofProducer = { id: 1n, epoch: 0, sequence: 0, goesOn: false };
    for (const [producer, length] of [
      [undefined, 25],
      [ofProducer, 41],
    ] as const) {
      const bytes = encodeJournalKey(LOG, 0, undefined, producer, false);
      expect(bytes.length).toBe(length);
      for (let cut = 0; cut < length; cut++) {
        expect(decodeJournalKey(bytes.subarray(0, cut))).toBeUndefined();
      }
    }
  });
});
