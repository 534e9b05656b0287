import FakeTimers from "@sinonjs/fake-timers";

/**
 * Runs something during which the timers of logs go off only when they are told to: nothing waits
 * for a clock, and a seed determines what happens.
 */
export async function withVirtualTime<T>(
  run: (advance: (milliseconds: number) => void) => Promise<T>,
): Promise<T> {
  const clock = FakeTimers.install({ toFake: ["setTimeout", "clearTimeout"] });
  try {
    return await run((milliseconds) => clock.tick(milliseconds));
  } finally {
    clock.uninstall();
  }
}
