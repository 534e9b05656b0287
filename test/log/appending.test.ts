import { existsSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { CommitLog, type OpenLogOptions } from "../../src/log/commit-log.js";
import { codeOf, failureOf, thrownBy } from "../support/failure.js";
import { FaultyFileSystem } from "../support/faulty-file-system.js";
import { expectedValues, openLog, textOf, valuesOf } from "../support/log-builder.js";
import { newPath } from "../support/temporary-directory.js";

const DATA = /\.log$/;
const range = (count: number) => Array.from({ length: count }, (_, index) => index);

describe("group commit", () => {
  test("appends in flight together share one write and one sync, in the order of the calls", async () => {
    const system = new FaultyFileSystem();
    const log = await openLog(newPath(), {}, { fileSystem: system });
    system.forget();
    const offsets = await Promise.all(range(1000).map((index) => log.append(`value-${index}`)));
    expect(offsets).toEqual(range(1000));
    expect(system.countOf("write", DATA)).toBe(1);
    expect(system.countOf("datasync", DATA)).toBe(1);
    expect(await valuesOf(log)).toEqual(expectedValues(0, 1000));
  });

  test("what comes while a group is on its way makes the next group", async () => {
    const system = new FaultyFileSystem();
    const log = await openLog(newPath(), {}, { fileSystem: system });
    system.forget();
    const hold = system.hold({ kind: "datasync", path: DATA });
    const first = log.append("value-0");
    await hold.reached;
    const rest = range(500).map((index) => log.append(`value-${index + 1}`));
    hold.release();
    expect(await first).toBe(0);
    expect(await Promise.all(rest)).toEqual(range(500).map((index) => index + 1));
    expect(system.countOf("write", DATA)).toBe(2);
    expect(system.countOf("datasync", DATA)).toBe(2);
  });

  test("callers that append one after the other stay in step", async () => {
    const system = new FaultyFileSystem();
    const log = await openLog(newPath(), {}, { fileSystem: system });
    system.forget();
    const rounds = 20;
    const caller = async () => {
      for (let round = 0; round < rounds; round++) await log.append("value");
    };
    await Promise.all(range(50).map(caller));
    expect(log.endOffset).toBe(50 * rounds);
    expect(system.countOf("datasync", DATA)).toBeLessThanOrEqual(rounds + 2);
  });

  test("batches of different callers stay apart, and have consecutive offsets", async () => {
    const log = await openLog(newPath());
    const batches = await Promise.all([
      log.appendBatch(["a", "b", "c"]),
      log.append("d"),
      log.appendBatch(new Set(["e", "f"])),
    ]);
    expect(batches).toMatchObject([
      { baseOffset: 0, lastOffset: 2 },
      3,
      { baseOffset: 4, lastOffset: 5 },
    ]);
    expect(await valuesOf(log)).toEqual(["a", "b", "c", "d", "e", "f"]);
    expect(log.segments()[0]!.contents).toMatchObject({ batches: 3, records: 6 });
  });
});

describe("what an append takes", () => {
  test("is copied before append returns", async () => {
    const log = await openLog(newPath());
    const value = Buffer.from("before");
    const key = Buffer.from("key");
    const one = log.append(value);
    const two = log.append({ value, key, headers: [["name", value]] });
    const three = log.appendBatch([value, { value, timestamp: 5 }]);
    value.fill("x");
    key.fill("x");
    await Promise.all([one, two, three]);
    expect(await valuesOf(log)).toEqual(["before", "before", "before", "before"]);
    const second = await log.read(1);
    expect(textOf(second.key!)).toBe("key");
    expect(textOf(second.headers![0]![1])).toBe("before");
  });

  test("comes back as it was: empty, with key, headers and timestamp, large, of every type", async () => {
    const log = await openLog(newPath(), { blockBytes: 256 });
    const large = Buffer.alloc(100_000, "large");
    await log.append("");
    await log.append({ value: "", key: "", headers: {} });
    await log.append({ value: "äöü€😀", headers: new Map([["__proto__", "x"]]), timestamp: 0 });
    await log.append(large);
    expect((await log.read(0)).value).toEqual(new Uint8Array(0));
    expect(await log.read(1)).toMatchObject({ key: new Uint8Array(0), headers: [] });
    const third = await log.read(2);
    expect(textOf(third.value)).toBe("äöü€😀");
    expect(third).toMatchObject({ timestamp: 0, headers: [["__proto__", Uint8Array.of(120)]] });
    expect(Buffer.compare((await log.read(3)).value, large)).toBe(0);
    expect(Buffer.compare(log.readSync(3).value, large)).toBe(0);
  });

  test("is refused when it is wrong, and the log goes on", async () => {
    const log = await openLog(newPath(), { maxRecordBytes: 100, maxBatchBytes: 1000 });
    const wrong = (value: unknown) => thrownBy(log.append(value as string));
    for (const value of [undefined, null, 5, true, {}, { value: 5 }, [], { value: "x", key: 5 }]) {
      expect(await wrong(value), String(value)).toBeInstanceOf(TypeError);
    }
    expect(await wrong("\ud800")).toBeInstanceOf(TypeError);
    expect(await wrong({ value: "x", headers: 5 })).toBeInstanceOf(TypeError);
    expect(await wrong({ value: "x", headers: [["a"]] })).toBeInstanceOf(TypeError);
    for (const timestamp of [-1, 1.5, Number.NaN, 2 ** 53]) {
      expect(await wrong({ value: "x", timestamp })).toBeInstanceOf(RangeError);
    }
    expect(await thrownBy(log.appendBatch([]))).toBeInstanceOf(RangeError);
    expect(await thrownBy(log.appendBatch("text" as never))).toBeInstanceOf(TypeError);
    expect(await thrownBy(log.appendBatch(new Uint8Array(3) as never))).toBeInstanceOf(TypeError);
    expect(await thrownBy(log.appendBatch(["good", 5 as never]))).toBeInstanceOf(TypeError);
    expect(await codeOf(log.append("x".repeat(101)))).toBe("RECORD_TOO_LARGE");
    expect(await codeOf(log.appendBatch(["x", "x".repeat(101)]))).toBe("RECORD_TOO_LARGE");
    expect(await codeOf(log.appendBatch(range(20).map(() => "x".repeat(90))))).toBe(
      "BATCH_TOO_LARGE",
    );
    expect(await log.append("x".repeat(100))).toBe(0);
  });
});

describe("options", () => {
  for (const [options, error] of [
    [{ unknown: 1 }, TypeError],
    [{ durability: "never" }, RangeError],
    [{ durability: 1 }, TypeError],
    [{ segmentBytes: 255 }, RangeError],
    [{ segmentBytes: "1" }, TypeError],
    [{ segmentBytes: 2 ** 31 }, RangeError],
    [{ blockBytes: 1.5 }, RangeError],
    [{ flushIntervalMs: 0 }, RangeError],
    [{ maxPendingBytes: 0 }, RangeError],
    [{ maxRecordBytes: 2 ** 30 }, RangeError],
    [{ compression: "zip" }, RangeError],
    [{ retention: 5 }, TypeError],
    [{ retention: { days: 5 } }, TypeError],
    [{ retention: { bytes: -1 } }, RangeError],
    [{ onError: "log" }, TypeError],
    [{ readOnly: "yes" }, TypeError],
  ] as const) {
    test(`${JSON.stringify(options)}: ${error.name}, before any file is touched`, async () => {
      const directory = newPath();
      const thrown = await thrownBy(CommitLog.open(directory, options as OpenLogOptions));
      expect(thrown).toBeInstanceOf(error);
      expect((thrown as Error).message).toContain(Object.keys(options)[0]);
      expect(existsSync(directory)).toBe(false);
    });
  }

  test("a directory that is no path is a TypeError", async () => {
    for (const directory of ["", "a\0b", 5, undefined]) {
      expect(await thrownBy(CommitLog.open(directory as string))).toBeInstanceOf(TypeError);
    }
  });
});

describe("maxPendingBytes", () => {
  test("lets appends wait, copying nothing, until there is room", async () => {
    const system = new FaultyFileSystem();
    const log = await openLog(newPath(), { maxPendingBytes: 1000 }, { fileSystem: system });
    const hold = system.hold({ kind: "datasync", path: DATA });
    const first = log.append("x".repeat(800));
    const value = Buffer.from("y".repeat(800));
    const second = log.append(value);
    const third = log.append("small");
    await hold.reached;
    // It is not copied yet, so this is what gets stored.
    value.fill("z");
    hold.release();
    expect(await Promise.all([first, second, third])).toEqual([0, 1, 2]);
    expect(textOf((await log.read(1)).value)).toBe("z".repeat(800));
  });

  test("a record longer than all of it waits until it is alone", async () => {
    const log = await openLog(newPath(), { maxPendingBytes: 100 });
    const lengths = [50, 5000, 60, 7000];
    expect(await Promise.all(lengths.map((length) => log.append("x".repeat(length))))).toEqual([
      0, 1, 2, 3,
    ]);
  });

  test("an append that waits gives up when its signal says so; others keep their turn", async () => {
    const system = new FaultyFileSystem();
    const log = await openLog(newPath(), { maxPendingBytes: 1000 }, { fileSystem: system });
    const hold = system.hold({ kind: "datasync", path: DATA });
    const first = log.append("x".repeat(900));
    await hold.reached;
    const controller = new AbortController();
    const { signal } = controller;
    const waiting = thrownBy(log.append("y".repeat(900), { signal }));
    const batch = thrownBy(log.appendBatch(["y".repeat(900)], { signal }));
    const last = log.append("last");
    const reason = new Error("enough");
    controller.abort(reason);
    expect(await waiting).toBe(reason);
    expect(await batch).toBe(reason);
    expect(await thrownBy(log.append("late", { signal }))).toBe(reason);
    hold.release();
    expect(await Promise.all([first, last])).toEqual([0, 1]);
    expect(log.endOffset).toBe(2);
  });

  test("a signal means nothing once the record is on its way", async () => {
    const system = new FaultyFileSystem();
    const log = await openLog(newPath(), {}, { fileSystem: system, smallWriteBytes: 0 });
    const hold = system.hold({ kind: "write", path: DATA });
    const controller = new AbortController();
    const append = log.append("value", { signal: controller.signal });
    await hold.reached;
    controller.abort();
    hold.release();
    expect(await append).toBe(0);
  });

  test("what waits when the log closes is refused, what was accepted is stored", async () => {
    const directory = newPath();
    const system = new FaultyFileSystem();
    const setting = { fileSystem: system, smallWriteBytes: 0 };
    const log = await openLog(directory, { maxPendingBytes: 1000 }, setting);
    const hold = system.hold({ kind: "write", path: DATA });
    const first = log.append("x".repeat(900));
    const waiting = codeOf(log.append("y".repeat(900)));
    await hold.reached;
    const closing = log.close();
    const late = codeOf(log.append("late"));
    hold.release();
    expect(await first).toBe(0);
    expect(await waiting).toBe("CLOSED");
    expect(await late).toBe("CLOSED");
    await closing;
    expect((await openLog(directory)).endOffset).toBe(1);
  });
});

describe("a closed log", () => {
  test("says so in every method; closing again is the same promise", async () => {
    const log = await openLog(newPath());
    await log.append("value");
    const closing = log.close();
    expect(log.close()).toBe(closing);
    await closing;
    const calls: Record<string, () => unknown> = {
      append: () => log.append("x"),
      appendBatch: () => log.appendBatch(["x"]),
      read: () => log.read(0),
      readSync: () => log.readSync(0),
      readFrom: () => log.readFrom(0),
      records: () => valuesOf(log),
      offsetForTimestamp: () => log.offsetForTimestamp(0),
      flush: () => log.flush(),
      truncateTo: () => log.truncateTo(0),
      deleteBefore: () => log.deleteBefore(0),
      segments: () => log.segments(),
      refresh: () => log.refresh(),
    };
    for (const [name, call] of Object.entries(calls)) {
      expect((await failureOf(call)).code, name).toBe("CLOSED");
    }
  });
});

describe("reading", () => {
  test("outside of the log is OFFSET_OUT_OF_RANGE with both bounds; at the end there is nothing", async () => {
    const log = await openLog(newPath());
    await log.appendBatch(expectedValues(0, 10));
    await log.deleteBefore(3);
    for (const offset of [0, 2, 11, 1000]) {
      for (const read of [
        () => log.read(offset),
        () => log.readSync(offset),
        () => log.readFrom(offset),
        () => valuesOf(log, offset),
      ]) {
        expect(await failureOf(read), `${offset}`).toMatchObject({
          code: "OFFSET_OUT_OF_RANGE",
          offset,
          startOffset: 3,
          endOffset: 10,
        });
      }
    }
    expect(await codeOf(log.read(10))).toBe("OFFSET_OUT_OF_RANGE");
    expect(await log.readFrom(10)).toEqual([]);
    expect(await valuesOf(log, 10)).toEqual([]);
    for (const offset of [1.5, Number.NaN, 2 ** 53]) {
      expect(await thrownBy(log.read(offset))).toBeInstanceOf(RangeError);
    }
    expect(await thrownBy(log.read("1" as never))).toBeInstanceOf(TypeError);
  });

  test("respects maxRecords and maxBytes, and always gives the first record", async () => {
    const log = await openLog(newPath());
    await log.appendBatch(range(10).map(() => "x".repeat(100)));
    expect((await log.readFrom(2, { maxRecords: 3 })).map(({ offset }) => offset)).toEqual([
      2, 3, 4,
    ]);
    expect((await log.readFrom(2, { maxBytes: 250 })).length).toBe(2);
    expect((await log.readFrom(2, { maxBytes: 1 })).length).toBe(1);
    expect((await log.readFrom(9)).length).toBe(1);
    expect(await thrownBy(log.readFrom(0, { maxBytes: 0 }))).toBeInstanceOf(RangeError);
  });
});
