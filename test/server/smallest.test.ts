import fc from "fast-check";
import { expect, it } from "vitest";
import { smallest } from "../../src/server/smallest.js";

it("gives the first in their order", () => {
  const texts = fc.uniqueArray(fc.string({ unit: "binary", maxLength: 3 }), { maxLength: 60 });
  fc.assert(
    fc.property(texts, fc.integer({ min: 1, max: 20 }), (list, count) => {
      expect(smallest(list, count)).toEqual([...list].sort().slice(0, count));
    }),
  );
});
