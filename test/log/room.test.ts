import { appendFileSync, readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { segmentFileName } from "../../src/format/file-names.js";
import { LogStore } from "../../src/index.js";
import { createEnvironment } from "../../src/log/environment.js";
import { verifyLog } from "../../src/log/inspect/verify.js";
import { fileLength, patch } from "../support/damage.js";
import { durableSteps } from "../support/durable-steps.js";
import { FaultyFileSystem } from "../support/faulty-file-system.js";
import {
  appendEach,
  blocksOf,
  expectedValues,
  openLog,
  segmentPath,
  valuesOf,
} from "../support/log-builder.js";
import { newPath } from "../support/temporary-directory.js";

const DATA = /\.log$/;
const LONG = "x".repeat(1600);
/** A log gets room behind any group of at most 400 bytes. */
const ROOM = { roomFromBytes: 0, roomBytes: 6400 };

/** Where the last block of a segment ends. */
function dataEnd(directory: string, baseOffset = 0): number {
  const last = blocksOf(directory, baseOffset).at(-1)!;
  return last.position + last.headerLength + last.storedBytes;
}

async function findings(directory: string): Promise<readonly string[]> {
  const report = await verifyLog(createEnvironment(), directory);
  return report.findings.map(({ message }) => message);
}

describe("room behind the end of a log that syncs each group", () => {
  test("is zeros, which most groups then leave as long as they are", async () => {
    const directory = newPath();
    const log = await openLog(directory, {}, ROOM);
    const lengths = new Set<number>();
    for (let count = 0; count < 100; count++) {
      await appendEach(log, 1);
      lengths.add(fileLength(segmentPath(directory, 0)));
    }
    expect(lengths.size).toBeLessThan(30);
    const path = segmentPath(directory, 0);
    const end = dataEnd(directory);
    expect(fileLength(path)).toBeGreaterThan(end);
    expect(
      readFileSync(path)
        .subarray(end)
        .every((byte) => byte === 0),
    ).toBe(true);
    expect(await valuesOf(log)).toEqual(expectedValues(0, 100));
    const reader = await openLog(directory, { readOnly: true });
    expect(await valuesOf(reader)).toEqual(expectedValues(0, 100));
    expect(await findings(directory)).toEqual([]);
  });

  test("goes when the log is closed", async () => {
    const directory = newPath();
    const log = await openLog(directory, {}, ROOM);
    await appendEach(log, 10);
    expect(fileLength(segmentPath(directory, 0))).toBeGreaterThan(dataEnd(directory));
    await log.close();
    expect(fileLength(segmentPath(directory, 0))).toBe(dataEnd(directory));
    const again = await openLog(directory);
    expect(again.recovery.kind).toBe("clean");
    expect(await valuesOf(again)).toEqual(expectedValues(0, 10));
  });

  test("goes before the next segment begins, durably", async () => {
    const directory = newPath();
    const system = new FaultyFileSystem();
    const setting = { ...ROOM, fileSystem: system };
    const log = await openLog(directory, { segmentBytes: 2000 }, setting);
    for (let segment = 0; segment < 3; segment++) {
      await appendEach(log, 6);
      // Too long for what is left of the segment, most of which is room.
      await log.append(LONG);
    }
    const steps = durableSteps(system, directory);
    const first = segmentFileName(0, "data");
    const cut = steps.indexOf(`truncate ${first}`);
    expect(steps[cut + 1]).toBe(`datasync ${first}`);
    expect(steps[cut + 2]).toMatch(/^datasync .*\.log\.tmp$/);
    const bases = log.segments().map(({ baseOffset }) => baseOffset);
    expect(bases.length).toBeGreaterThan(2);
    for (const base of bases.slice(0, -1)) {
      expect(fileLength(segmentPath(directory, base))).toBe(dataEnd(directory, base));
      expect(fileLength(segmentPath(directory, base))).toBeLessThanOrEqual(2000);
    }
    await system.die();
    expect(await findings(directory)).toEqual([]);
    const values = await valuesOf(await openLog(directory));
    expect(values.length).toBe(21);
    expect(values[20]).toBe(LONG);
  });

  test("is no torn tail after a kill: nothing is cut, and the epoch stays", async () => {
    const directory = newPath();
    const system = new FaultyFileSystem();
    const log = await openLog(directory, {}, { ...ROOM, fileSystem: system });
    await appendEach(log, 10);
    await system.die();
    expect(fileLength(segmentPath(directory, 0))).toBeGreaterThan(dataEnd(directory));
    expect(await findings(directory)).toEqual([]);
    const reader = await openLog(directory, { readOnly: true });
    expect(await valuesOf(reader)).toEqual(expectedValues(0, 10));
    expect(reader.recovery.cutBytes).toBe(0);
    await reader.close();
    const again = await openLog(directory);
    expect(again.recovery).toMatchObject({ kind: "unclean", cutBytes: 0, epochRaised: false });
    expect(fileLength(segmentPath(directory, 0))).toBe(dataEnd(directory));
    expect(readdirSync(directory).filter((name) => name.includes("cut"))).toEqual([]);
    expect(await valuesOf(again)).toEqual(expectedValues(0, 10));
  });

  test("is kept with what was torn in it", async () => {
    const directory = newPath();
    const system = new FaultyFileSystem();
    const log = await openLog(directory, {}, { ...ROOM, fileSystem: system });
    await appendEach(log, 10);
    await system.die();
    const end = dataEnd(directory);
    patch(segmentPath(directory, 0), (bytes) => {
      bytes.fill(0xab, end, end + 10);
    });
    expect(fileLength(segmentPath(directory, 0))).toBeGreaterThan(end + 10);
    expect((await findings(directory)).join()).toContain("torn tail");
    const again = await openLog(directory);
    expect(again.recovery).toMatchObject({ cutPosition: end, epochRaised: true });
    expect(again.recovery.cutBytes).toBeGreaterThan(10);
    expect(fileLength(again.recovery.quarantineFile!)).toBe(again.recovery.cutBytes);
    expect(await valuesOf(again)).toEqual(expectedValues(0, 10));
  });

  test("is not what zeroed groups are taken for that were published", async () => {
    const directory = newPath();
    const system = new FaultyFileSystem();
    const log = await openLog(directory, {}, { ...ROOM, fileSystem: system });
    await appendEach(log, 10);
    await system.die();
    const { position } = blocksOf(directory, 0)[6]!;
    patch(segmentPath(directory, 0), (bytes) => {
      bytes.fill(0, position);
    });
    expect((await findings(directory)).join()).toContain("torn tail");
    const again = await openLog(directory);
    expect(again.recovery).toMatchObject({ cutPosition: position, epochRaised: true });
  });

  describe("hides nothing from a reader that looked before", () => {
    test("a writer died between making room and using it, and the next one", async () => {
      const directory = newPath();
      const begin = async () => {
        const system = new FaultyFileSystem();
        return { system, log: await openLog(directory, {}, { ...ROOM, fileSystem: system }) };
      };
      // The one that makes the log notes another end than those that find it empty.
      await (await begin()).system.die();
      const first = await begin();
      first.system.dieAtNext({ kind: "write", path: DATA, where: ({ isZeros }) => !isZeros });
      await first.log.append("of one length").catch(() => undefined);
      await first.system.die();
      const length = fileLength(segmentPath(directory, 0));
      const reader = await openLog(directory, { readOnly: true });
      expect(reader.endOffset).toBe(0);
      const second = await begin();
      await second.log.append("of one length");
      await second.log.append("another");
      await second.system.die();
      expect(fileLength(segmentPath(directory, 0))).toBe(length);
      await reader.refresh();
      expect(await valuesOf(reader)).toEqual(["of one length", "another"]);
    });

    test("what it saw was never synced, and another record has its offset", async () => {
      const directory = newPath();
      const system = new FaultyFileSystem();
      const log = await openLog(directory, {}, { ...ROOM, fileSystem: system });
      system.fail({ kind: "datasync", path: DATA }, { errno: "EIO" });
      await log.append("B").catch(() => undefined);
      await log.close().catch(() => undefined);
      const reader = await openLog(directory, { readOnly: true });
      expect(await valuesOf(reader)).toEqual(["B"]);
      // The kernel drops pages whose sync failed.
      const { position } = blocksOf(directory, 0)[0]!;
      patch(segmentPath(directory, 0), (bytes) => {
        bytes.fill(0, position);
      });
      const other = new FaultyFileSystem();
      const again = await openLog(directory, {}, { ...ROOM, fileSystem: other });
      await again.append("C");
      await other.die();
      await reader.refresh();
      expect(await valuesOf(reader)).toEqual(["C"]);
    });
  });

  test("is not made for what comes from the journal alone, nor for a log that is closing", async () => {
    const directory = newPath();
    const system = new FaultyFileSystem();
    const world = { ...createEnvironment(system), ...ROOM, journalFrom: 0 };
    const store = await LogStore.openOn(world, directory);
    // Until there is a journal, logs write to their own segments.
    const JOURNAL = /\/\.journal\/\d+\.log$/;
    while (system.countOf("write", JOURNAL) < 2) await store.append("warm-up", "");
    for (const key of ["a", "b"]) await store.appendBatch(key, ["1", "2"]);
    await store.close();
    const written = system.operations.filter(
      ({ kind, path }) => kind === "write" && /\/[ab]\/\d+\.log$/.test(path),
    );
    expect(written.length).toBeGreaterThan(1);
    const zeros = written.filter(({ isZeros }) => isZeros);
    expect(zeros).toEqual([]);
  });

  test("is done without where there is no space for it, until the next segment", async () => {
    const directory = newPath();
    const system = new FaultyFileSystem();
    const setting = { ...ROOM, fileSystem: system };
    const log = await openLog(directory, { segmentBytes: 2000 }, setting);
    const injection = system.fail(
      { kind: "write", path: DATA },
      { errno: "ENOSPC", shortBytes: 20, times: 1 },
    );
    await appendEach(log, 5);
    expect(injection.hits).toBe(1);
    expect(fileLength(segmentPath(directory, 0))).toBe(dataEnd(directory));
    expect(log.segments().length).toBe(1);
    await log.append(LONG);
    await appendEach(log, 7);
    const { baseOffset } = log.segments().at(-1)!;
    expect(baseOffset).toBeGreaterThan(0);
    expect(fileLength(segmentPath(directory, baseOffset))).toBeGreaterThan(
      dataEnd(directory, baseOffset),
    );
    await system.die();
    expect((await valuesOf(await openLog(directory))).length).toBe(13);
  });

  for (const durability of ["os", "interval"] as const) {
    test(`is none under "${durability}"`, async () => {
      const directory = newPath();
      const log = await openLog(directory, { durability }, ROOM);
      await appendEach(log, 5);
      expect(fileLength(segmentPath(directory, 0))).toBe(dataEnd(directory));
    });
  }

  test("is none for long groups, nor for small logs", async () => {
    const directory = newPath();
    const log = await openLog(directory, {}, { roomFromBytes: 1000, roomBytes: 6400 });
    await appendEach(log, 2);
    expect(fileLength(segmentPath(directory, 0))).toBe(dataEnd(directory));
    await log.append("x".repeat(2000));
    expect(fileLength(segmentPath(directory, 0))).toBe(dataEnd(directory));
    await appendEach(log, 1);
    expect(fileLength(segmentPath(directory, 0))).toBeGreaterThan(dataEnd(directory));
  });
});

test("zeros behind the end of a sealed segment are damage", async () => {
  const directory = newPath();
  const system = new FaultyFileSystem();
  const log = await openLog(directory, { segmentBytes: 500 }, { fileSystem: system });
  await appendEach(log, 10);
  await system.die();
  expect(await findings(directory)).toEqual([]);
  appendFileSync(segmentPath(directory, 0), Buffer.alloc(100));
  expect((await findings(directory)).length).toBeGreaterThan(0);
});

test("zeros behind the end of a log that was closed are a torn tail", async () => {
  const directory = newPath();
  const log = await openLog(directory);
  await appendEach(log, 10);
  await log.close();
  appendFileSync(segmentPath(directory, 0), Buffer.alloc(100));
  expect((await findings(directory)).join()).toContain("torn tail");
  expect((await openLog(directory)).recovery.cutBytes).toBe(100);
});
