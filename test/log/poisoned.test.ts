import { describe, expect, test } from "vitest";
import type { SeglogError } from "../../src/errors.js";
import { CommitLog } from "../../src/log/commit-log.js";
import { createEnvironment } from "../../src/log/environment.js";
import { codeOf, failureOf } from "../support/failure.js";
import { FaultyFileSystem } from "../support/faulty-file-system.js";
import { appendEach, expectedValues, openLog, valuesOf } from "../support/log-builder.js";
import { newPath } from "../support/temporary-directory.js";

const DATA = /\.log$/;

/** What holds of every log that gave up: it says so, reads on, closes, and opens again. */
async function expectPoisoned(
  log: CommitLog,
  system: FaultyFileSystem,
  readable: number,
): Promise<void> {
  expect(await codeOf(log.append("more"))).toBe("LOG_POISONED");
  expect(await codeOf(log.appendBatch(["more"]))).toBe("LOG_POISONED");
  expect(await codeOf(log.flush())).toBe("LOG_POISONED");
  expect(await codeOf(log.truncateTo(0))).toBe("LOG_POISONED");
  expect(await codeOf(log.deleteBefore(readable))).toBe("LOG_POISONED");
  expect(log.endOffset).toBe(readable);
  expect(await valuesOf(log)).toEqual(expectedValues(0, readable));
  const syncs = system.countOf("datasync", DATA);
  // How giving the files back goes is of no interest.
  system.fail({ kind: ["read", "close"] }, { errno: "EIO", times: Number.POSITIVE_INFINITY });
  expect(await codeOf(log.truncateTo(0))).toBe("LOG_POISONED");
  expect(await codeOf(log.close())).toBe("LOG_POISONED");
  expect(system.countOf("datasync", DATA)).toBe(syncs);
  expect(system.openPaths).toEqual([]);

  const again = await openLog(log.directory);
  expect((await valuesOf(again)).slice(0, readable)).toEqual(expectedValues(0, readable));
  expect(await again.append("more")).toBe(again.endOffset - 1);
}

describe("a sync that fails", () => {
  for (const errno of ["EIO", "ENOSPC", "EDQUOT"]) {
    test(`with ${errno}: LOG_POISONED for what waits and for all that comes`, async () => {
      const system = new FaultyFileSystem();
      const log = await openLog(newPath(), {}, { fileSystem: system });
      await appendEach(log, 3);
      system.fail({ kind: "datasync", path: DATA }, { errno });
      const hold = system.hold({ kind: "datasync", path: DATA });
      const first = failureOf(log.append("in the group"));
      await hold.reached;
      const queued = failureOf(log.append("behind it"));
      const batch = failureOf(log.appendBatch(["behind", "it"]));
      hold.release();
      expect(await first).toMatchObject({
        code: "LOG_POISONED",
        cause: { cause: { code: errno } },
      });
      expect((await queued).code).toBe("LOG_POISONED");
      expect((await batch).code).toBe("LOG_POISONED");
      // Never synced again: the failure may have turned dirty pages clean.
      expect(system.countOf("datasync", DATA)).toBe(4);
      await expectPoisoned(log, system, 3);
    });
  }

  test("before a roll poisons too", async () => {
    const system = new FaultyFileSystem();
    const options = { durability: "os", segmentBytes: 300 } as const;
    const log = await openLog(newPath(), options, { fileSystem: system });
    await appendEach(log, 2);
    system.fail({ kind: "datasync", path: DATA }, { errno: "EIO" });
    expect(await codeOf(log.append("x".repeat(200)))).toBe("LOG_POISONED");
    await expectPoisoned(log, system, 2);
  });

  test("in flush, and in close, poisons and rejects", async () => {
    const system = new FaultyFileSystem();
    const log = await openLog(newPath(), { durability: "os" }, { fileSystem: system });
    await appendEach(log, 2);
    system.fail({ kind: "datasync", path: DATA }, { errno: "EIO" });
    expect(await codeOf(log.flush())).toBe("LOG_POISONED");
    await expectPoisoned(log, system, 2);

    const other = new FaultyFileSystem();
    const second = await openLog(newPath(), { durability: "os" }, { fileSystem: other });
    await appendEach(second, 2);
    other.fail({ kind: "datasync", path: DATA }, { errno: "EIO" });
    expect(await codeOf(second.close())).toBe("LOG_POISONED");
    expect(other.openPaths).toEqual([]);
    expect(await valuesOf(await openLog(second.directory))).toEqual(expectedValues(0, 2));
  });

  test("refuses appends that wait for room", async () => {
    const system = new FaultyFileSystem();
    const log = await openLog(newPath(), { maxPendingBytes: 1000 }, { fileSystem: system });
    system.fail({ kind: "datasync", path: DATA }, { errno: "EIO" });
    const first = codeOf(log.append("x".repeat(900)));
    const waiting = codeOf(log.append("y".repeat(900)));
    expect(await first).toBe("LOG_POISONED");
    expect(await waiting).toBe("LOG_POISONED");
  });

  test("before the pool closes an idle handle poisons its log, and tells it", async () => {
    const system = new FaultyFileSystem();
    // As few handles as there can be: eight data files, and nine logs that want one.
    const environment = createEnvironment(system, 16);
    const told: SeglogError[] = [];
    const logs: CommitLog[] = [];
    for (let index = 0; index < 9; index++) {
      const options = {
        durability: "os",
        onError: (error: SeglogError) => told.push(error),
      } as const;
      logs.push(await CommitLog.openOn(environment, newPath(), options));
    }
    system.forget();
    const [victim, ...others] = logs as [CommitLog, ...CommitLog[]];
    const failing = { kind: "datasync", path: new RegExp(`^${victim.directory}/.*log$`) } as const;
    system.fail(failing, { errno: "EIO" });
    for (const log of logs) await appendEach(log, 1);
    expect(system.matching(failing).length).toBe(1);
    expect(told.map(({ code }) => code)).toEqual(["LOG_POISONED"]);
    expect(await codeOf(victim.append("more"))).toBe("LOG_POISONED");
    expect(await valuesOf(victim)).toEqual(expectedValues(0, 1));
    for (const log of others) await appendEach(log, 1);
    expect(await codeOf(victim.close())).toBe("LOG_POISONED");
    for (const log of others) await log.close();
    expect(system.matching(failing).length).toBe(1);
    expect(system.openPaths).toEqual([]);
  });
});

describe("a sync that fails while appends go on", () => {
  test("poisons the log, tells it, and fails what is being written", async () => {
    const system = new FaultyFileSystem();
    const told: SeglogError[] = [];
    let onTold: (() => void) | undefined;
    const onError = (error: SeglogError) => {
      told.push(error);
      onTold?.();
    };
    const setting = { fileSystem: system, syncAheadBytes: 50, smallWriteBytes: 0 };
    const log = await openLog(newPath(), { durability: "os", onError }, setting);
    system.fail({ kind: "datasync", path: DATA }, { errno: "EIO" });
    const sync = system.hold({ kind: "datasync", path: DATA });
    // Acknowledged when it is written, as the policy says: nothing has failed yet.
    await appendEach(log, 1);
    await sync.reached;
    const write = system.hold({ kind: "write", path: DATA });
    const append = codeOf(log.append("is being written when the sync fails"));
    await write.reached;
    const failed = new Promise<void>((resolve) => {
      onTold = resolve;
    });
    sync.release();
    await failed;
    write.release();
    expect(await append).toBe("LOG_POISONED");
    await expectPoisoned(log, system, 1);
    expect(told.map(({ code }) => code)).toEqual(["LOG_POISONED"]);
  });
});

describe("a write that fails with EIO", () => {
  test("poisons: nobody knows what the file holds now", async () => {
    const system = new FaultyFileSystem();
    const log = await openLog(newPath(), {}, { fileSystem: system });
    await appendEach(log, 3);
    system.fail({ kind: "write", path: DATA }, { errno: "EIO", shortBytes: 50 });
    expect(await codeOf(log.append("lost"))).toBe("LOG_POISONED");
    await expectPoisoned(log, system, 3);
  });
});

describe("log.meta, replaced in a directory that cannot be synced then", () => {
  test.each(["EIO", "ENOSPC"])(
    "poisons (%s): nobody knows which one a crash leaves",
    async (errno) => {
      const system = new FaultyFileSystem();
      const directory = newPath();
      const before = await openLog(directory);
      await appendEach(before, 4);
      await before.close();
      const log = await openLog(directory, {}, { fileSystem: system });
      system.fail({ kind: "syncDirectory" }, { errno });
      expect(await codeOf(log.append("value-4"))).toBe("LOG_POISONED");
      await expectPoisoned(log, system, 4);
    },
  );
});
