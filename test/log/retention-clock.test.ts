import { describe, expect, test } from "vitest";
import { CommitLog } from "../../src/log/commit-log.js";
import { createEnvironment } from "../../src/log/environment.js";
import { RetentionClock } from "../../src/log/write/retention-clock.js";
import { valueAt } from "../support/log-builder.js";
import { newPath } from "../support/temporary-directory.js";

const DAY = 24 * 3600 * 1000;

describe("the clock of retention", () => {
  test("follows the machine's, and stays behind its jumps", () => {
    let wall = 1_000_000;
    let monotonic = 5;
    const clock = new RetentionClock(
      () => wall,
      () => monotonic,
      100,
    );
    expect(clock.now()).toBe(1_000_000);
    wall += 50;
    monotonic += 50;
    expect(clock.now()).toBe(1_000_050);
    wall -= 20;
    expect(clock.now()).toBe(1_000_030);
    wall += DAY;
    expect(clock.now()).toBe(1_000_150);
  });

  test("lets no record expire while the clock has jumped a year ahead", async () => {
    let wall = Date.UTC(2026, 0, 1);
    let monotonic = 0;
    const environment = createEnvironment(
      undefined,
      undefined,
      () => wall,
      () => monotonic,
    );
    const options = { segmentBytes: 480, retention: { ms: DAY } };
    const log = await CommitLog.openOn(environment, newPath(), options);
    const append = async (count: number) => {
      for (let index = 0; index < count; index++) await log.append(valueAt(log.endOffset));
      await log.flush();
    };
    await append(20);
    wall += 365 * DAY;
    await append(20);
    expect(log.startOffset).toBe(0);
    // Put right again; from here on time passes by both clocks.
    wall -= 365 * DAY;
    wall += 2 * DAY;
    monotonic += 2 * DAY;
    await append(20);
    expect(log.startOffset).toBeGreaterThanOrEqual(16);
    await log.close();
  });
});
