import { dirname } from "node:path";
import { describe, expect, test } from "vitest";
import type { SeglogError } from "../../src/errors.js";
import { kill } from "../support/crash.js";
import { codeOf } from "../support/failure.js";
import { FaultyFileSystem } from "../support/faulty-file-system.js";
import { appendEach, expectedValues, openLog, valuesOf } from "../support/log-builder.js";
import { newPath } from "../support/temporary-directory.js";

const DATA = /\.log$/;

/** Whether a promise is settled, now that everything that needs no disk has had its turn. */
async function isSettled(promise: Promise<unknown>): Promise<boolean> {
  let settled = false;
  const note = () => {
    settled = true;
  };
  promise.then(note, note);
  for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
  return settled;
}

describe('"always"', () => {
  test("an append resolves after the sync, and no reader sees the record before", async () => {
    const directory = newPath();
    const system = new FaultyFileSystem();
    const log = await openLog(directory, {}, { fileSystem: system });
    await appendEach(log, 2);
    const reader = await openLog(directory, { readOnly: true });
    const hold = system.hold({ kind: "datasync", path: DATA });
    const append = log.append("value-2");
    await hold.reached;
    expect(await isSettled(append)).toBe(false);
    expect(log.endOffset).toBe(2);
    expect(await log.readFrom(2)).toEqual([]);
    expect(await codeOf(log.read(2))).toBe("OFFSET_OUT_OF_RANGE");
    expect(await valuesOf(log)).toEqual(expectedValues(0, 2));
    await reader.refresh();
    expect(reader.endOffset).toBe(2);
    expect(await codeOf(reader.read(2))).toBe("OFFSET_OUT_OF_RANGE");
    hold.release();
    expect(await append).toBe(2);
    expect(await valuesOf(log)).toEqual(expectedValues(0, 3));
    expect((await reader.readFrom(2)).length).toBe(1);
  });

  test("an append of a group that goes on in the next segment resolves after the sync, too", async () => {
    const system = new FaultyFileSystem();
    const log = await openLog(newPath(), { segmentBytes: 300 }, { fileSystem: system });
    const hold = system.hold({ kind: "datasync", path: DATA });
    const batches = [0, 1].map(() => log.appendBatch(["x".repeat(100)]));
    await hold.reached;
    for (const batch of batches) expect(await isSettled(batch)).toBe(false);
    expect(log.endOffset).toBe(0);
    hold.release();
    expect((await batches[1]!).lastOffset).toBe(1);
    expect(log.segments().length).toBe(2);
  });

  test("a new log's directory, segment and metadata are durable before the first append", async () => {
    const system = new FaultyFileSystem();
    const log = await openLog(newPath(), {}, { fileSystem: system });
    await log.append("value");
    const kinds = ["makeDirectory", "datasync", "rename", "syncDirectory"] as const;
    const steps = system
      .matching({ kind: kinds })
      .filter(({ path }) => !path.endsWith("published"))
      .map(({ kind, path }) => `${kind} ${path.replace(log.directory, "")}`);
    // Whoever made the directories above may have died before it synced them.
    const ancestors: string[] = [];
    for (let path = log.directory; path !== dirname(path); path = dirname(path)) {
      ancestors.push(`syncDirectory ${dirname(path)}`);
    }
    expect(steps).toEqual([
      "makeDirectory ",
      ...ancestors,
      "datasync /00000000000000000000.log.tmp",
      "rename /00000000000000000000.log",
      "syncDirectory ",
      "datasync /log.meta.tmp",
      "rename /log.meta",
      "syncDirectory ",
      "datasync /00000000000000000000.log",
    ]);
  });
});

for (const durability of ["os", "interval"] as const) {
  describe(`"${durability}"`, () => {
    test("an append resolves after the write; flush and close sync", async () => {
      const system = new FaultyFileSystem();
      const setting = { fileSystem: system, smallWriteBytes: 0 };
      const log = await openLog(newPath(), { durability }, setting);
      system.forget();
      const write = system.hold({ kind: "write", path: DATA });
      const append = log.append("value-0");
      await write.reached;
      expect(await isSettled(append)).toBe(false);
      write.release();
      expect(await append).toBe(0);
      expect(await valuesOf(log)).toEqual(["value-0"]);
      expect(system.countOf("datasync", DATA)).toBe(0);
      await log.flush();
      expect(system.countOf("datasync", DATA)).toBe(1);
      await log.flush();
      expect(system.countOf("datasync", DATA)).toBe(1);
      await log.append("value-1");
      await log.close();
      expect(system.countOf("datasync", DATA)).toBe(2);
    });

    test("a segment is synced before the next one begins", async () => {
      const directory = newPath();
      const system = new FaultyFileSystem();
      const options = { durability, segmentBytes: 300 };
      const log = await openLog(directory, options, { fileSystem: system });
      system.forget();
      await appendEach(log, 10);
      const made = system.matching({ kind: "open", path: /\.log\.tmp$/ }).length;
      expect(made).toBeGreaterThan(2);
      expect(system.countOf("datasync", DATA)).toBe(made);
      await kill(log, system);
      expect(await valuesOf(await openLog(directory, options))).toEqual(expectedValues(0, 10));
    });

    test("much that is written begins to be synced while appends go on", async () => {
      const system = new FaultyFileSystem();
      const setting = { fileSystem: system, syncAheadBytes: 1000 };
      const log = await openLog(newPath(), { durability }, setting);
      system.forget();
      await log.append("x".repeat(500));
      expect(system.countOf("datasync", DATA)).toBe(0);
      const sync = system.hold({ kind: "datasync", path: DATA });
      await log.append("x".repeat(500));
      await sync.reached;
      // Nobody waits for it, and there is one at a time.
      await log.append("x".repeat(2000));
      expect(system.countOf("datasync", DATA)).toBe(1);
      sync.release();
      await log.flush();
      expect(system.countOf("datasync", DATA)).toBe(2);
    });

    test("flush waits for what was accepted before it", async () => {
      const system = new FaultyFileSystem();
      const log = await openLog(newPath(), { durability }, { fileSystem: system });
      system.forget();
      const append = log.append("value");
      const flushed = log.flush();
      await flushed;
      expect(await isSettled(append)).toBe(true);
      const [written] = system.matching({ kind: "write", path: DATA });
      const [synced] = system.matching({ kind: "datasync", path: DATA });
      expect(synced!.number).toBeGreaterThan(written!.number);
    });
  });
}

describe('the timer of "interval"', () => {
  test("syncs by itself after what was written, and not while nothing is", async () => {
    const system = new FaultyFileSystem();
    const options = { durability: "interval", flushIntervalMs: 5 } as const;
    const log = await openLog(newPath(), options, { fileSystem: system });
    for (let round = 0; round < 3; round++) {
      const hold = system.hold({ kind: "datasync", path: DATA });
      await log.append("value");
      await hold.reached;
      hold.release();
      await log.flush();
    }
    expect(system.countOf("datasync", DATA)).toBe(3);
  });

  test("tells of a sync that fails, in onError and in the next call", async () => {
    const system = new FaultyFileSystem();
    let tell!: (error: SeglogError) => void;
    const told = new Promise<SeglogError>((resolve) => {
      tell = resolve;
    });
    const options = { durability: "interval", flushIntervalMs: 5, onError: tell } as const;
    const log = await openLog(newPath(), options, { fileSystem: system });
    system.fail({ kind: "datasync", path: DATA }, { errno: "EIO" });
    await log.append("value-0");
    expect((await told).code).toBe("LOG_POISONED");
    expect(await codeOf(log.append("value-1"))).toBe("LOG_POISONED");
    expect(await codeOf(log.flush())).toBe("LOG_POISONED");
    expect(await valuesOf(log)).toEqual(["value-0"]);
    expect(await codeOf(log.close())).toBe("LOG_POISONED");
  });
});
