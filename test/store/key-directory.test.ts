import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decodeKey, encodeKey, MAX_DIRECTORY_NAME_BYTES } from "../../src/store/key-directory.js";
import { codeOf } from "../support/failure.js";

const key = fc.string({ unit: "grapheme", minLength: 1, maxLength: 12 });

describe("encodeKey", () => {
  it.each([
    ["orders", "orders"],
    ["a-b_c9", "a-b_c9"],
    ["Orders", "%4frders"],
    ["..", "%2e%2e"],
    [".", "%2e"],
    ["a/b", "a%2fb"],
    ["a\\b", "a%5cb"],
    ["a%2fb", "a%252fb"],
    ["\0", "%00"],
    ["a b", "a%20b"],
    ["ü", "%c3%bc"],
    ["💧", "%f0%9f%92%a7"],
    ["con", "%63on"],
    ["CON", "%43%4f%4e"],
    ["com1", "%63om1"],
    ["lpt0", "%6cpt0"],
    ["nul", "%6eul"],
    ["console", "console"],
    ["com10", "com10"],
    ["~", "%7e"],
    ["\ufeff", "%ef%bb%bf"],
    ["__proto__", "__proto__"],
  ])("of %j is %j", (each, name) => {
    expect(encodeKey(each)).toBe(name);
    expect(decodeKey(name)).toBe(each);
  });

  it("is undone by decodeKey, and makes only names that are safe everywhere", () => {
    fc.assert(
      fc.property(key, (each) => {
        const name = encodeKey(each);
        expect(name).toMatch(/^[a-z0-9_%-]+$/);
        expect(name).not.toMatch(/^(con|prn|aux|nul|com\d|lpt\d)$/);
        expect(decodeKey(name)).toBe(each);
      }),
      { numRuns: 2000 },
    );
  });

  it("gives 10,000 random keys names that differ, also where case is ignored", () => {
    const keys = new Set(fc.sample(key, { numRuns: 10_000, seed: 7 }));
    for (const each of [...keys]) {
      keys.add(each.toUpperCase());
      keys.add(each.normalize("NFD"));
    }
    const names = new Set([...keys].map((each) => encodeKey(each).toLowerCase().normalize("NFC")));
    expect(names.size).toBe(keys.size);
    expect(keys.size).toBeGreaterThan(9000);
  });

  it("takes as much as a directory's name may hold, and says what is too long", async () => {
    expect(encodeKey("k".repeat(MAX_DIRECTORY_NAME_BYTES))).toHaveLength(240);
    expect(encodeKey("K".repeat(80))).toHaveLength(240);
    expect(await codeOf(() => encodeKey("k".repeat(241)))).toBe("INVALID_KEY");
    expect(await codeOf(() => encodeKey("K".repeat(81)))).toBe("INVALID_KEY");
    expect(await codeOf(() => encodeKey("k".repeat(10_000_000)))).toBe("INVALID_KEY");
  });

  it.each(["", "\ud800", "a\udc00b", "\udc00\ud800"])("refuses %j", async (each) => {
    expect(await codeOf(() => encodeKey(each))).toBe("INVALID_KEY");
  });

  it.each([undefined, null, 5, {}, ["k"], Buffer.from("k")])("of %j is a TypeError", (each) => {
    expect(() => encodeKey(each as string)).toThrow(TypeError);
  });
});

describe("decodeKey", () => {
  it.each([
    "",
    "Orders",
    "a.b",
    ".deleted-orders",
    "%4Frders",
    "%4",
    "%",
    "%6frders",
    "%61",
    "con",
    "%ff",
    "%c3",
    "%ed%a0%80",
    "a b",
    "ü",
    "k".repeat(241),
  ])("knows no key of %j, which encodeKey never makes", (name) => {
    expect(decodeKey(name)).toBeUndefined();
  });

  it("gives a key only for the one name that encodeKey makes of it", () => {
    const name = fc.stringMatching(/^(?:[a-z0-9_-]|%[0-9a-f]{2}){1,12}$/);
    fc.assert(
      fc.property(name, (each) => {
        const decoded = decodeKey(each);
        if (decoded !== undefined) expect(encodeKey(decoded)).toBe(each);
      }),
      { numRuns: 2000 },
    );
  });
});
