import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { KnownKeys } from "../../src/store/known-keys.js";

const key = fc.string({ unit: "binary", minLength: 1, maxLength: 3 });

interface Step {
  readonly kind: "add" | "delete" | "look";
  readonly key: string;
}

const step: fc.Arbitrary<Step> = fc.record({
  kind: fc.constantFrom("add", "delete", "look"),
  key,
});

function sortedFrom(keys: Iterable<string>, start: string): string[] {
  return [...keys].sort().filter((one) => one >= start);
}

describe("the keys of a store", () => {
  it("are a set, in order from anywhere, whenever somebody looks", () => {
    const first = fc.uniqueArray(key, { maxLength: 20 });
    fc.assert(
      fc.property(first, fc.array(step, { maxLength: 60 }), (list, steps) => {
        const known = new KnownKeys(list);
        const model = new Set(list);
        for (const { kind, key } of [...steps, { kind: "look", key: "" }]) {
          if (kind === "add") {
            known.add(key);
            model.add(key);
          } else if (kind === "delete") {
            known.delete(key);
            model.delete(key);
          } else {
            expect([...known.from(key)]).toEqual(sortedFrom(model, key));
          }
          expect([known.size, known.has(key)]).toEqual([model.size, model.has(key)]);
        }
        expect([...known].sort()).toEqual([...model].sort());
      }),
    );
  });

  it("stay in order when there are many, however they come and go", () => {
    const numbered = (count: number, step: number) =>
      Array.from({ length: count }, (_, index) => `k${(index * step) % count}`);
    const known = new KnownKeys(numbered(5000, 7));
    expect([...known.from("")]).toEqual(sortedFrom(known, ""));
    // From below, from above, and all over; then nearly all of them go, and come again.
    for (let index = 3000; index > 0; index--) known.add(`a${index}`);
    for (let index = 0; index < 3000; index++) known.add(`z${index}`);
    for (const one of numbered(5000, 11)) known.add(`${one}x`);
    expect([...known.from("k3")]).toEqual(sortedFrom(known, "k3"));
    for (const one of [...known].filter((_, index) => index % 400 > 0)) known.delete(one);
    expect([...known.from("")]).toEqual(sortedFrom(known, ""));
    for (const one of [...known]) known.delete(one);
    expect([...known.from("")]).toEqual([]);
    for (const one of numbered(3000, 7)) known.add(one);
    expect([...known.from("k1")]).toEqual(sortedFrom(known, "k1"));
  });
});
