import { crc32 } from "node:zlib";
import { expect, test } from "vitest";
import type { Durability } from "../../src/log/options.js";
import { Random } from "../support/random.js";
import { Life } from "./life.js";
import { randomSetting } from "./setting.js";
import { withVirtualTime } from "./virtual-time.js";
import { beginning, World } from "./world.js";

/** Lives without a crash, each of them watched by a reader that stays over its sessions. */
const LIVES = 60;

test.for<Durability>(["always", "interval", "os"])(
  'a reader in another process sees under "%s" what the writer shows',
  { timeout: 120_000 },
  async (durability) => {
    let looks = 0;
    await withVirtualTime(async (advance) => {
      for (let life = 0; life < LIVES; life++) {
        const random = new Random(crc32(`watched ${durability} ${life}`));
        const drawn = randomSetting(durability, random);
        const { retention: _, ...options } = drawn.options;
        const setting = { ...drawn, options };
        const course = {
          keptPoints: 0,
          isShuffled: true,
          isReadBefore: true,
          isWatched: true,
          failingChange: undefined,
        };
        const world = new World(setting, beginning(setting), course, random);
        await new Life(world, "0", advance).live(30);
        looks += world.looks;
      }
    });
    expect(looks).toBeGreaterThan(LIVES);
  },
);
