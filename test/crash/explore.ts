import { test } from "vitest";
import type { Durability } from "../../src/log/options.js";
import { DEFAULT_EXTENT, Explorer } from "./explorer.js";
import { withVirtualTime } from "./virtual-time.js";

const POLICIES: readonly Durability[] = ["always", "interval", "os"];
/** What the three policies and four seeds of the tests come to together. */
const STATES = 100_800;
/** Fewer disks at each moment than in long runs, for more lives. */
const EXTENT = { ...DEFAULT_EXTENT, mixedDisks: 1, nestedPoints: 1 };

/**
 * Tries crashes of lives under each policy until there are enough states. The seed is the same at
 * every run, so that a change is judged by itself; `npm run test:crash` takes others.
 */
export function testCrashes(seed: number): void {
  test.for(POLICIES)(
    `nothing is lost or made up under "%s", seed ${seed}`,
    { timeout: 600_000 },
    async (durability) => {
      await withVirtualTime(async (advance) => {
        const explorer = new Explorer(seed, EXTENT, advance);
        const states = STATES / 4 / POLICIES.length;
        for (let life = 0; explorer.tally.states < states; life++) {
          await explorer.explore(durability, life, states);
        }
      });
    },
  );
}
