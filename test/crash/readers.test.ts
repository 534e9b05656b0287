import { crc32 } from "node:zlib";
import { expect, test } from "vitest";
import type { Durability } from "../../src/log/options.js";
import { MemoryDisk } from "../support/memory-disk.js";
import { Random } from "../support/random.js";
import { Life } from "./life.js";
import { Model } from "./model.js";
import { randomSetting } from "./setting.js";
import { withVirtualTime } from "./virtual-time.js";
import { World } from "./world.js";

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
        const { retention: _, ...options } = randomSetting(durability, random).options;
        const setting = { ...randomSetting(durability, random), options };
        const model = new Model(setting);
        if (setting.kind === "log") model.log("log");
        const origin = {
          disk: new MemoryDisk(),
          boot: 0,
          expected: model.expectation(),
          loss: "process",
          startTimeMs: 1_700_000_000_000,
        } as const;
        const course = {
          keptPoints: 0,
          isShuffled: true,
          isReadBefore: true,
          isWatched: true,
          failingChange: undefined,
        };
        const world = new World(setting, origin, course, random);
        await new Life(world, "0", advance).live(30);
        looks += world.looks;
      }
    });
    expect(looks).toBeGreaterThan(LIVES);
  },
);
