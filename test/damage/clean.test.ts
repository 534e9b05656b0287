import { describe, expect, test } from "vitest";
import { seeds } from "../support/random.js";
import { makeSample } from "./sample.js";
import { Sweep } from "./sweep.js";

const TIMEOUT_MS = 7_200_000;

describe.each(seeds(1))("a store that was closed, seed %i", (seed) => {
  for (const kind of ["flip", "cut"] as const) {
    const what = kind === "flip" ? "any bit of any file turned" : "any file cut to any length";
    test(`with ${what}`, { timeout: TIMEOUT_MS }, async () => {
      const { clean } = await makeSample("one");
      const before = process.cpuUsage();
      const { violations, damages, operations } = await new Sweep(clean, seed)[kind]();
      const { user } = process.cpuUsage(before);
      const seconds = Math.round(user / 1e6);
      console.info(`clean, ${kind}: ${damages} damages, ${operations} operations, ${seconds} s`);
      expect(violations).toEqual([]);
      expect(damages).toBeGreaterThan(5_000);
    });
  }
});
