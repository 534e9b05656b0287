import { beforeEach, describe, test, vi } from "vitest";
import type { StoreOptions } from "../../src/store/log-store.js";
import { everyFault } from "./every-life.js";
import { FLUSH_MS, storeLives } from "./store-lives.js";

/** Small enough that a short life rolls. */
const SMALL: StoreOptions = { segmentBytes: 600, blockBytes: 256 };

const SETTINGS: readonly StoreOptions[] = [
  { ...SMALL, durability: "always" },
  { ...SMALL, durability: "interval", flushIntervalMs: FLUSH_MS, compression: "lz4" },
  { ...SMALL, durability: "os" },
];

// Time passes when a life says so, and when nothing but a timer can go on.
beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  return () => vi.useRealTimers();
});

for (const options of SETTINGS) {
  describe(`under "${options.durability}" every operation fails, in every way, while a store`, () => {
    for (const life of storeLives(options)) {
      const stride = options.durability === "always" ? 1 : 4;
      test(life.name, { timeout: 900_000 }, () => everyFault(life, stride));
    }
  });
}
