import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { RecordFields } from "../../src/format/record.js";
import {
  describe as describeValue,
  needsStructure,
  prepareRecord,
  readStructuredRecord,
  writeStructuredRecord,
} from "../../src/format/record-codec.js";

const bytes = fc.uint8Array({ maxLength: 200 });
const text = fc.string({ unit: "grapheme", maxLength: 60 });
const fields = fc.record(
  {
    value: bytes,
    key: bytes,
    headers: fc.array(fc.tuple(text, bytes), { maxLength: 5 }),
  },
  { requiredKeys: ["value"] },
);

function encode(record: RecordFields): Uint8Array {
  const prepared = prepareRecord(record);
  const target = new Uint8Array(prepared.byteLength + 8).fill(0xee);
  expect(writeStructuredRecord(target, 4, prepared)).toBe(4 + prepared.byteLength);
  expect([...target.subarray(0, 4), ...target.subarray(-4)].every((byte) => byte === 0xee)).toBe(
    true,
  );
  return target.slice(4, -4);
}

describe("structured records", () => {
  it("come back as they were", () => {
    fc.assert(
      fc.property(fields, (record) => {
        const encoded = encode(record);
        const parts = readStructuredRecord(encoded, 0, encoded.length);
        expect(parts).toEqual({
          value: record.value,
          key: record.key,
          headers: record.headers,
        });
      }),
    );
  });

  it("tell an empty key and no headers from none", () => {
    const encoded = encode({ value: "", key: "", headers: [] });
    expect([...encoded]).toEqual([3, 0, 0]);
    expect(readStructuredRecord(encoded, 0, 3)).toEqual({
      value: new Uint8Array(0),
      key: new Uint8Array(0),
      headers: [],
    });
    expect(needsStructure(prepareRecord({ value: "", key: "" }))).toBe(true);
    expect(needsStructure(prepareRecord({ value: "", headers: [] }))).toBe(true);
    expect(needsStructure(prepareRecord({ value: "", timestamp: 5 }))).toBe(false);
  });

  it("keep a name that begins with a byte order mark, and repeated names in order", () => {
    const headers: [string, string][] = [
      ["\ufeffa", "1"],
      ["x", "2"],
      ["x", "3"],
    ];
    const encoded = encode({ value: "v", headers });
    const parts = readStructuredRecord(encoded, 0, encoded.length);
    expect(parts).toMatchObject({
      headers: headers.map(([name, value]) => [name, new Uint8Array(Buffer.from(value))]),
    });
  });

  it("take headers as pairs, as a Map and as an object, one like the other", () => {
    const pairs: [string, string][] = [
      ["a", "1"],
      ["__proto__", "2"],
    ];
    const expected = encode({ value: "v", headers: pairs });
    expect(encode({ value: "v", headers: new Map(pairs) })).toEqual(expected);
    expect(encode({ value: "v", headers: { a: "1", ["__proto__"]: "2" } })).toEqual(expected);
  });

  it("answer any bytes with parts inside of them, a reason, or nothing", () => {
    const junk = fc.tuple(
      fc.constantFrom(0, 1, 2, 3, 4, 0x80),
      fc.uint8Array({ maxLength: 60 }),
      fc.uint8Array({ maxLength: 3 }),
    );
    fc.assert(
      fc.property(junk, ([flags, rest, after]) => {
        const all = Uint8Array.from([flags, ...rest, ...after]);
        const parts = readStructuredRecord(all, 0, 1 + rest.length);
        if (flags > 3) {
          expect(parts).toBeUndefined();
        } else if (typeof parts !== "string") {
          const views = [parts!.value, parts!.key, ...(parts!.headers ?? []).map(([, v]) => v)];
          for (const view of views) {
            if (view === undefined) continue;
            expect(view.byteOffset + view.length).toBeLessThanOrEqual(1 + rest.length);
          }
        }
      }),
      { numRuns: 1000 },
    );
  });

  it("are refused when they are empty, or cut anywhere before the value", () => {
    expect(readStructuredRecord(new Uint8Array(4), 2, 2)).toBeTypeOf("string");
    const encoded = encode({ value: "", key: "key", headers: { name: "content" } });
    for (let length = 0; length < encoded.length; length++) {
      expect(readStructuredRecord(encoded, 0, length), `length ${length}`).toBeTypeOf("string");
    }
  });

  it("do not allocate for the number of headers that they announce", () => {
    const forged = Uint8Array.from([2, 0xff, 0xff, 0xff, 0xff, 0x0f, 0, 0]);
    expect(readStructuredRecord(forged, 0, forged.length)).toBeTypeOf("string");
    const notUtf8 = Uint8Array.from([2, 1, 1, 0xff, 0]);
    expect(readStructuredRecord(notUtf8, 0, notUtf8.length)).toBeTypeOf("string");
  });
});

describe("prepareRecord", () => {
  it.each<[unknown, typeof TypeError | typeof RangeError]>([
    [undefined, TypeError],
    [null, TypeError],
    [5, TypeError],
    [{}, TypeError],
    [{ value: 5 }, TypeError],
    [{ value: [1] }, TypeError],
    [{ value: "\ud800" }, TypeError],
    [{ value: "v", key: 5 }, TypeError],
    [{ value: "v", key: "\udfff" }, TypeError],
    [{ value: "v", headers: "text" }, TypeError],
    [{ value: "v", headers: null }, TypeError],
    [{ value: "v", headers: ["ab"] }, TypeError],
    [{ value: "v", headers: [[1, "v"]] }, TypeError],
    [{ value: "v", headers: [["a"]] }, TypeError],
    [{ value: "v", headers: { "\ud800": "v" } }, TypeError],
    [{ value: "v", headers: { a: 1 } }, TypeError],
    [{ value: "v", timestamp: -1 }, RangeError],
    [{ value: "v", timestamp: 1.5 }, RangeError],
    [{ value: "v", timestamp: 2 ** 53 }, RangeError],
    [{ value: "v", timestamp: Number.NaN }, RangeError],
    [{ value: "v", timestamp: "1" }, RangeError],
    [{ value: "v", timestamp: null }, RangeError],
  ])("refuses %j", (record, error) => {
    expect(() => prepareRecord(record as RecordFields)).toThrow(error);
  });
});

describe("what a message calls a wrong value", () => {
  it.each([
    [undefined, "undefined"],
    [null, "null"],
    [5, "5"],
    ["text", '"text"'],
    ["x".repeat(300), `"${"x".repeat(40)}"… (300 characters)`],
    [() => 1, "a function"],
    [{}, "an object"],
    [Object.create(null), "an object"],
    [[], "an array"],
    [new ArrayBuffer(3), "an ArrayBuffer"],
    [new Date(), "a Date"],
  ])("%o: %s", (value, text) => expect(describeValue(value)).toBe(text));
});
