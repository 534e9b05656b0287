import { expect, it } from "vitest";
import type { CommitLog } from "../../src/index.js";
import { SharedFlush } from "../../src/server/shared-flush.js";

/** A log whose flushes end when the test says so. */
class SlowLog {
  readonly flushes: (() => void)[] = [];

  flush(): Promise<void> {
    return new Promise((end) => {
      this.flushes.push(end);
    });
  }
}

/** Lets everything go on that does not wait for a flush. */
const settled = () => new Promise((resolve) => setImmediate(resolve));

it("a flush is shared by all who ask for one of the same log", async () => {
  const shared = new SharedFlush();
  const logs = [new SlowLog(), new SlowLog()] as const;
  const flush = (index: 0 | 1) => shared.flush(logs[index] as unknown as CommitLog);
  const asked = [flush(0), flush(0), flush(0), flush(1)];
  await settled();
  expect(logs.map(({ flushes }) => flushes.length)).toEqual([1, 1]);
  for (const { flushes } of logs) flushes[0]!();
  await settled();
  expect(logs.map(({ flushes }) => flushes.length)).toEqual([2, 1]);
  logs[0].flushes[1]!();
  await Promise.all(asked);
});
