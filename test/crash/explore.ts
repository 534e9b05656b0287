import { test } from "vitest";
import type { Durability } from "../../src/log/options.js";
import { DEFAULT_EXTENT, Explorer } from "./explorer.js";
import { withVirtualTime } from "./virtual-time.js";

/** What all the tests of this kind together come to; each of three policies has a third. */
const STATES = 102_000;
/**
 * The same at every run, so that a change is judged by itself; `npm run test:crash` takes others.
 * A policy's states are spread over them, so that a failure is told early.
 */
const SEEDS = process.env.SEGLOG_SEED?.split(",").map(Number) ?? [1, 2, 3, 4];

/** Tries crashes of lives under one policy until there are enough states. */
export function testCrashes(durability: Durability): void {
  for (const seed of SEEDS) {
    const title = `nothing is lost or made up under "${durability}", seed ${seed}`;
    test(title, { timeout: 600_000 }, async () => {
      await withVirtualTime(async (advance) => {
        const explorer = new Explorer(seed, DEFAULT_EXTENT, advance);
        for (let life = 0; explorer.tally.states < STATES / 3 / SEEDS.length; life++) {
          await explorer.explore(durability, life);
        }
      });
    });
  }
}
