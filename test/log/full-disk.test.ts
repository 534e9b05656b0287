import { describe, expect, test } from "vitest";
import type { SeglogError } from "../../src/errors.js";
import { fileLength } from "../support/damage.js";
import { codeOf } from "../support/failure.js";
import { FaultyFileSystem } from "../support/faulty-file-system.js";
import {
  appendEach,
  expectedValues,
  openLog,
  segmentPath,
  textOf,
  valueAt,
  valuesOf,
} from "../support/log-builder.js";
import { newPath } from "../support/temporary-directory.js";

const DATA = /\.log$/;
const FOREVER = Number.POSITIVE_INFINITY;

describe.each([
  ["in place", FOREVER],
  ["beside the event loop", 0],
])("a write %s for which there is no space", (_, smallWriteBytes) => {
  for (const [name, fault] of [
    ["ENOSPC", { errno: "ENOSPC" }],
    ["EDQUOT after a part", { errno: "EDQUOT", shortBytes: 30 }],
    ["EFBIG", { errno: "EFBIG" }],
    ["a short write, and then no progress", { shortBytes: 0, times: 2 }],
  ] as const) {
    test(`${name}: NO_SPACE, cut back, readable, and appends go on when there is space`, async () => {
      const directory = newPath();
      const system = new FaultyFileSystem();
      const log = await openLog(directory, {}, { fileSystem: system, smallWriteBytes });
      await appendEach(log, 3);
      const length = fileLength(segmentPath(directory, 0));
      system.fail({ kind: "write", path: DATA }, fault);
      const results = await Promise.all([
        codeOf(log.append("no room")),
        codeOf(log.appendBatch(["no", "room"])),
      ]);
      expect(results).toEqual(["NO_SPACE", "NO_SPACE"]);
      expect(fileLength(segmentPath(directory, 0))).toBe(length);
      expect(await valuesOf(log)).toEqual(expectedValues(0, 3));
      await appendEach(log, 2);
      expect(await valuesOf(log)).toEqual(expectedValues(0, 5));
      await log.close();
      const again = await openLog(directory);
      expect(again.recovery.kind).toBe("clean");
      expect(await valuesOf(again)).toEqual(expectedValues(0, 5));
    });
  }

  test("short writes that make progress are no failure", async () => {
    const system = new FaultyFileSystem();
    const log = await openLog(newPath(), {}, { fileSystem: system, smallWriteBytes });
    system.fail({ kind: "write", path: DATA }, { shortBytes: 17, times: 40 });
    await log.appendBatch(expectedValues(0, 50));
    expect(system.countOf("write", DATA)).toBeGreaterThan(30);
    expect(await valuesOf(log)).toEqual(expectedValues(0, 50));
  });

  test("a file that cannot be cut back poisons the log", async () => {
    const directory = newPath();
    const system = new FaultyFileSystem();
    const log = await openLog(directory, {}, { fileSystem: system });
    await appendEach(log, 3);
    system.fail({ kind: "write", path: DATA }, { errno: "ENOSPC", shortBytes: 60 });
    system.fail({ kind: "truncate", path: DATA }, { errno: "EIO" });
    expect(await codeOf(log.append("no room"))).toBe("LOG_POISONED");
    expect(await codeOf(log.append("no room"))).toBe("LOG_POISONED");
    expect(await valuesOf(log)).toEqual(expectedValues(0, 3));
    expect(await codeOf(log.close())).toBe("LOG_POISONED");
    const again = await openLog(directory);
    expect(again.recovery.cutBytes).toBe(60);
    expect(await valuesOf(again)).toEqual(expectedValues(0, 3));
  });

  test("what was written before the failure, of the same group, is acknowledged", async () => {
    const system = new FaultyFileSystem();
    const log = await openLog(newPath(), { segmentBytes: 600 }, { fileSystem: system });
    system.fail({ kind: "write", path: DATA }, { errno: "ENOSPC", after: 1 });
    const first = log.appendBatch(["x".repeat(400)]);
    const second = codeOf(log.appendBatch(["y".repeat(400)]));
    expect((await first).baseOffset).toBe(0);
    expect(await second).toBe("NO_SPACE");
    expect(await log.append("z")).toBe(1);
  });
});

describe("no space, or no handle, for a roll", () => {
  for (const [name, pattern, errno] of [
    ["opening the new file", { kind: "open", path: /\.log\.tmp$/ }, "ENOSPC"],
    ["opening the new file", { kind: "open", path: /\.log\.tmp$/ }, "EMFILE"],
    ["writing the new file", { kind: "write", path: /\.log\.tmp$/ }, "ENOSPC"],
    ["naming it", { kind: "rename", path: DATA }, "ENOSPC"],
    ["syncing the directory", { kind: "syncDirectory" }, "EMFILE"],
    ["reading its header", { kind: "open", path: DATA }, "EMFILE"],
  ] as const) {
    for (const ending of ["close", "kill"] as const) {
      test(`${name}, ${errno}, then ${ending}: nothing is lost`, async () => {
        const directory = newPath();
        const system = new FaultyFileSystem();
        const options = { segmentBytes: 500 };
        const log = await openLog(directory, options, { fileSystem: system });
        await appendEach(log, 2);
        const injection = system.fail(pattern, { errno });
        const expected = errno === "EMFILE" ? "TOO_MANY_OPEN_FILES" : "NO_SPACE";
        expect(await codeOf(log.append("x".repeat(300)))).toBe(expected);
        expect(injection.hits).toBe(1);
        expect(await valuesOf(log)).toEqual(expectedValues(0, 2));
        // It would fit into the old segment; but the file of the next one may be there.
        await appendEach(log, 3);
        if (ending === "close") await log.close();
        else await system.die();
        const again = await openLog(directory, options);
        expect(await valuesOf(again)).toEqual(expectedValues(0, 5));
        expect(textOf((await again.read(4)).value)).toBe(valueAt(4));
      });
    }
  }

  test("that lasts: appends fail one by one, and a truncation or a close still work", async () => {
    const directory = newPath();
    const system = new FaultyFileSystem();
    const options = { segmentBytes: 500 };
    const log = await openLog(directory, options, { fileSystem: system });
    await appendEach(log, 2);
    const injection = system.fail({ kind: "syncDirectory" }, { errno: "EMFILE", times: FOREVER });
    for (let round = 0; round < 3; round++) {
      expect(await codeOf(log.append("x".repeat(300)))).toBe("TOO_MANY_OPEN_FILES");
    }
    injection.remove();
    await log.truncateTo(1);
    await log.append(valueAt(1));
    await log.close();
    const again = await openLog(directory, options);
    expect(again.recovery.kind).toBe("clean");
    expect(await valuesOf(again)).toEqual(expectedValues(0, 2));
  });
});

describe("no handle to sync the metadata's name with", () => {
  const NO_HANDLE = { errno: "EMFILE" };

  test("at the first write after a clean open: an error of that call, and the next works", async () => {
    const directory = newPath();
    await (await openLog(directory)).close();
    const system = new FaultyFileSystem();
    const log = await openLog(directory, {}, { fileSystem: system });
    system.fail({ kind: "syncDirectory" }, NO_HANDLE);
    expect(await codeOf(log.append("no"))).toBe("TOO_MANY_OPEN_FILES");
    await appendEach(log, 2);
    await system.die();
    const again = await openLog(directory);
    expect(again.recovery.kind).toBe("unclean");
    expect(await valuesOf(again)).toEqual(expectedValues(0, 2));
  });

  test("in deleteBefore: the start stays, and moves later, also after a crash", async () => {
    const directory = newPath();
    const system = new FaultyFileSystem();
    const log = await openLog(directory, {}, { fileSystem: system });
    await appendEach(log, 4);
    system.fail({ kind: "syncDirectory" }, NO_HANDLE);
    expect(await codeOf(log.deleteBefore(2))).toBe("TOO_MANY_OPEN_FILES");
    expect(log.startOffset).toBe(0);
    expect(await valuesOf(log)).toEqual(expectedValues(0, 4));
    await appendEach(log, 1);
    await log.deleteBefore(3);
    await system.die();
    const again = await openLog(directory);
    expect(again.startOffset).toBe(3);
    expect(await valuesOf(again)).toEqual(expectedValues(3, 5));
  });
});

describe("no space for what readers in other processes are told", () => {
  test("is told to onError; the append is acknowledged, and shown with the next one", async () => {
    const told: string[] = [];
    const onError = (error: SeglogError) => told.push(error.code);
    const system = new FaultyFileSystem();
    const log = await openLog(newPath(), { onError }, { fileSystem: system });
    const reader = await openLog(log.directory, { readOnly: true });
    await appendEach(log, 1);
    const published = /published/;
    // Thirty bytes, then nothing more, and no error.
    system.fail({ kind: "write", path: published }, { shortBytes: 30 });
    const rest = system.fail({ kind: "write", path: published }, { shortBytes: 0 });
    await appendEach(log, 1);
    expect(rest.hits).toBe(1);
    expect(told).toEqual(["NO_SPACE"]);
    await reader.refresh();
    expect(reader.endOffset).toBe(1);
    // A short write that goes on is no failure.
    system.fail({ kind: "write", path: published }, { shortBytes: 30, times: 2 });
    await appendEach(log, 1);
    await reader.refresh();
    expect(await valuesOf(reader)).toEqual(expectedValues(0, 3));
    expect(told).toEqual(["NO_SPACE"]);
  });
});

describe("no space for the metadata", () => {
  test("at the first write after a clean open: NO_SPACE, and later it works", async () => {
    const directory = newPath();
    await (await openLog(directory)).close();
    const system = new FaultyFileSystem();
    const log = await openLog(directory, {}, { fileSystem: system });
    system.fail({ kind: "write", path: /log\.meta\.tmp$/ }, { errno: "ENOSPC", times: 3 });
    expect(await codeOf(log.append("no"))).toBe("NO_SPACE");
    expect(await codeOf(log.truncateTo(0).then(() => log.append("no")))).toBe("NO_SPACE");
    expect(await codeOf(log.append("no"))).toBe("NO_SPACE");
    await appendEach(log, 1);
    expect(await codeOf(log.deleteBefore(2))).toBe("OFFSET_OUT_OF_RANGE");
    system.fail({ kind: "write", path: /log\.meta\.tmp$/ }, { errno: "ENOSPC", times: 3 });
    expect(await codeOf(log.deleteBefore(1))).toBe("NO_SPACE");
    expect(await codeOf(log.truncateTo(0))).toBe("NO_SPACE");
    expect(log.epoch).toBe(0);
    expect(await valuesOf(log)).toEqual(expectedValues(0, 1));
    await appendEach(log, 1);
    // The marker cannot be written: the next open has to look for itself.
    expect(await codeOf(log.close())).toBe("NO_SPACE");
    expect(system.openPaths).toEqual([]);
    const again = await openLog(directory);
    expect(again.recovery.kind).toBe("unclean");
    expect(await valuesOf(again)).toEqual(expectedValues(0, 2));
  });
});

describe("no handles left", () => {
  test("reads and appends say so and work later", async () => {
    const directory = newPath();
    const before = await openLog(directory, { segmentBytes: 300 });
    await appendEach(before, 12);
    await before.close();
    const system = new FaultyFileSystem();
    const log = await openLog(directory, { segmentBytes: 300 }, { fileSystem: system });
    const injection = system.fail({ kind: "open" }, { errno: "EMFILE", times: FOREVER });
    expect(await codeOf(log.read(0))).toBe("TOO_MANY_OPEN_FILES");
    expect(await codeOf(() => log.readSync(0))).toBe("TOO_MANY_OPEN_FILES");
    expect(await codeOf(valuesOf(log))).toBe("TOO_MANY_OPEN_FILES");
    expect(await codeOf(log.append("no"))).toBe("TOO_MANY_OPEN_FILES");
    expect(await codeOf(log.offsetForTimestamp(0))).toBe("TOO_MANY_OPEN_FILES");
    injection.remove();
    expect(await valuesOf(log)).toEqual(expectedValues(0, 12));
    await appendEach(log, 2);
    await log.close();
    expect(system.openPaths).toEqual([]);
  });
});
