import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { RecordFields } from "../../src/format/record.js";
import {
  AppendRequestSchema,
  RecordSchema,
} from "../../src/wire/generated/seglog/v1/log_service_pb.js";
import { unpackValues } from "../../src/wire/pack.js";
import { fromRecord, toBatch } from "../../src/wire/records.js";
import { bytes } from "./bytes.js";

describe("records of a request", () => {
  it("with values alone are a pack", () => {
    const { pack, records } = create(
      AppendRequestSchema,
      toBatch(["a", bytes("bc"), { value: "" }]),
    );
    expect(records).toEqual([]);
    expect(unpackValues(pack!)).toEqual([bytes("a"), bytes("bc"), bytes("")]);
  });

  it("with more than a value come through whole", () => {
    const content = fc.uint8Array({ maxLength: 20 });
    const record = fc.record(
      {
        value: content,
        key: content,
        headers: fc.array(fc.tuple(fc.string({ unit: "grapheme" }), content), { minLength: 1 }),
        timestamp: fc.maxSafeNat(),
      },
      { requiredKeys: ["value", "key"] },
    );
    fc.assert(
      fc.property(fc.array(record, { minLength: 1, maxLength: 5 }), (records) => {
        const request = create(AppendRequestSchema, toBatch(records as RecordFields[]));
        const wire = toBinary(AppendRequestSchema, request);
        const found = fromBinary(AppendRequestSchema, wire).records.map(fromRecord);
        const { headers, timestamp } = { headers: undefined, timestamp: undefined };
        expect(found).toEqual(records.map((given) => ({ headers, timestamp, ...given })));
      }),
    );
  });

  it("keep nothing of the input", () => {
    const value = bytes("abc");
    const batch = toBatch([{ value, key: value, headers: { name: value } }]);
    value.fill(0);
    const [record] = create(AppendRequestSchema, batch).records;
    expect(record).toMatchObject({ value: bytes("abc"), key: bytes("abc") });
    expect(record!.headers[0]!.value).toEqual(bytes("abc"));
  });

  it.each([[5], [{}], [{ value: "\ud800" }], [{ value: "a", timestamp: -1 }]])(
    "are refused: %j",
    (record) => {
      expect(() => toBatch([record as RecordFields])).toThrow(/must be|lone surrogate/);
    },
  );

  it("with a timestamp that no number holds are refused", () => {
    const record = create(RecordSchema, { timestampMs: 2n ** 53n });
    expect(() => fromRecord(record)).toThrow(RangeError);
  });
});
