import { beforeEach, describe, test, vi } from "vitest";
import type { OpenLogOptions } from "../../src/log/commit-log.js";
import { everyFault } from "./every-life.js";
import { FLUSH_MS, logLives } from "./log-lives.js";

/** Small enough that a short life rolls several times, and a record can be longer than a block. */
const SMALL: OpenLogOptions = { segmentBytes: 600, blockBytes: 256 };

const SETTINGS: readonly OpenLogOptions[] = [
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
  describe(`under "${options.durability}" every operation fails, in every way, while a log`, () => {
    for (const life of logLives(options)) {
      const stride = options.durability === "always" ? 1 : 4;
      test(life.name, { timeout: 900_000 }, () => everyFault(life, stride));
    }
  });
}
