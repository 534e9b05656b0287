import { describe, expect, it } from "vitest";
import type { CommitLog } from "../../src/index.js";
import { SharedFlush } from "../../src/server/shared-flush.js";

/** A log whose flushes end when the test says so. */
class SlowLog {
  readonly flushes: { end: () => void; fail: (error: Error) => void }[] = [];

  flush(): Promise<void> {
    return new Promise((end, fail) => {
      this.flushes.push({ end, fail });
    });
  }
}

function slow() {
  const log = new SlowLog();
  const shared = new SharedFlush();
  return { log, flush: () => shared.flush(log as unknown as CommitLog) };
}

/** Lets everything go on that does not wait for a flush. */
const settled = () => new Promise((resolve) => setImmediate(resolve));

describe("a shared flush", () => {
  it("begins after whoever shares it has asked, once for all of them", async () => {
    const { log, flush } = slow();
    const first = flush();
    const later = [flush(), flush(), flush()];
    await settled();
    expect(log.flushes).toHaveLength(1);
    log.flushes[0]!.end();
    await first;
    await settled();
    expect(log.flushes).toHaveLength(2);
    log.flushes[1]!.end();
    await Promise.all(later);
    void flush();
    expect(log.flushes).toHaveLength(3);
  });

  it("fails for those who share it, and for nobody else", async () => {
    const { log, flush } = slow();
    const first = flush();
    const second = flush();
    log.flushes[0]!.fail(new Error("disk"));
    await expect(first).rejects.toThrow("disk");
    await settled();
    log.flushes[1]!.end();
    await second;
  });
});
