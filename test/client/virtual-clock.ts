import FakeTimers, { type Clock } from "@sinonjs/fake-timers";
import { onTestFinished, vi } from "vitest";
import { Random } from "../support/random.js";

/** Time that passes only when it is told to, and chance that a seed determines. */
export function virtualClock(seed = 1): Clock {
  const random = new Random(seed);
  const chance = vi.spyOn(Math, "random").mockImplementation(() => random.next());
  const clock = FakeTimers.install({
    toFake: ["setTimeout", "clearTimeout", "setImmediate", "clearImmediate", "performance"],
  });
  onTestFinished(() => {
    clock.uninstall();
    chance.mockRestore();
  });
  return clock;
}
