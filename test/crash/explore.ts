import { test } from "vitest";
import type { Durability } from "../../src/log/options.js";
import { seeds } from "../support/random.js";
import { DEFAULT_EXTENT, Explorer } from "./explorer.js";
import { withVirtualTime } from "./virtual-time.js";

/** What all the tests of this kind together come to; each of three policies has a third. */
const STATES = 102_000;
/** How many tests a policy's states are spread over, so that a failure is told early. */
const PARTS = 4;

/** Tries crashes of lives under one policy until there are enough states. */
export function testCrashes(durability: Durability): void {
  for (const [part, seed] of seeds(PARTS).entries()) {
    const title = `nothing is lost or made up under "${durability}", part ${part}, seed ${seed}`;
    test(title, { timeout: 600_000 }, async () => {
      await withVirtualTime(async (advance) => {
        const explorer = new Explorer(seed, DEFAULT_EXTENT, advance);
        for (let life = 0; explorer.tally.states < STATES / 3 / PARTS; life++) {
          await explorer.explore(durability, life);
        }
      });
    });
  }
}
