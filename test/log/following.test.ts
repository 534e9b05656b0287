import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import {
  decodePublishedHeader,
  decodeSlot,
  SLOT_BYTES,
  slotPosition,
} from "../../src/format/published-end.js";
import type { LogRecord } from "../../src/format/record.js";
import type { CommitLog } from "../../src/log/commit-log.js";
import { kill } from "../support/crash.js";
import { snapshotOf } from "../support/damage.js";
import { codeOf, failureOf, thrownBy } from "../support/failure.js";
import { CHANGES, FaultyFileSystem } from "../support/faulty-file-system.js";
import {
  appendEach,
  expectedValues,
  openLog,
  textOf,
  valueAt,
  valuesOf,
} from "../support/log-builder.js";
import { newPath } from "../support/temporary-directory.js";
import { WriterProcess } from "./writer-process.js";

const SMALL_SEGMENTS = { segmentBytes: 450 };

/** Reads on in a log that may be written to meanwhile. */
class Follower {
  readonly #records: AsyncIterator<LogRecord>;

  constructor(log: CommitLog, from = log.startOffset, signal?: AbortSignal) {
    this.#records = log.records({ from, follow: true, signal })[Symbol.asyncIterator]();
  }

  async next(): Promise<string> {
    const { value } = await this.#records.next();
    return textOf((value as LogRecord).value);
  }

  async take(count: number): Promise<string[]> {
    const values: string[] = [];
    while (values.length < count) values.push(await this.next());
    return values;
  }

  async stop(): Promise<void> {
    await this.#records.return?.();
  }
}

const values = (from: number, to: number) => expectedValues(from, to);

/** Of data files. */
function bytesRead(system: FaultyFileSystem): number {
  return system.operations
    .filter(({ kind, path }) => kind === "read" && path.endsWith(".log"))
    .reduce((sum, { bytes }) => sum + bytes!, 0);
}

/**
 * Appends to a log until it has gone on to a second segment, which has nothing yet when its process
 * dies.
 *
 * @returns How many were acknowledged.
 */
async function dieAfterRoll(log: CommitLog, system: FaultyFileSystem): Promise<number> {
  system.fail({ kind: "write", path: /[1-9]\.log$/ }, { errno: "EIO" });
  let count = 0;
  const append = () =>
    log.append("x").then(
      () => true,
      () => false,
    );
  while (await append()) count++;
  await kill(log, system);
  return count;
}

describe("following in the writer's process", () => {
  test("gives what is there, then what comes, over rolls", async () => {
    const log = await openLog(newPath(), SMALL_SEGMENTS);
    await appendEach(log, 3);
    const follower = new Follower(log);
    expect(await follower.take(3)).toEqual(values(0, 3));
    const rest = follower.take(20);
    await appendEach(log, 20);
    expect(await rest).toEqual(values(3, 23));
  });

  test("ends with the signal's reason, waiting or not", async () => {
    const log = await openLog(newPath());
    await appendEach(log, 1);
    const controller = new AbortController();
    const follower = new Follower(log, 0, controller.signal);
    await follower.next();
    const waiting = thrownBy(follower.next());
    const reason = new Error("enough");
    controller.abort(reason);
    expect(await waiting).toBe(reason);
    expect(await thrownBy(new Follower(log, 0, controller.signal).next())).toBe(reason);
  });

  test("ends with CLOSED when the log closes", async () => {
    const log = await openLog(newPath());
    const waiting = codeOf(new Follower(log).next());
    await log.close();
    expect(await waiting).toBe("CLOSED");
  });

  test("that retention overtakes gets OFFSET_OUT_OF_RANGE", async () => {
    const log = await openLog(newPath(), SMALL_SEGMENTS);
    await appendEach(log, 20);
    const batches = log.batches({ from: 0 })[Symbol.asyncIterator]();
    await log.deleteBefore(10);
    expect(await failureOf(batches.next())).toMatchObject({
      code: "OFFSET_OUT_OF_RANGE",
      offset: 0,
      startOffset: 10,
    });
  });

  test("early ends leak no handles", async () => {
    const system = new FaultyFileSystem();
    const log = await openLog(newPath(), SMALL_SEGMENTS, { fileSystem: system });
    await appendEach(log, 20);
    for (let round = 0; round < 20; round++) {
      for await (const _ of log.records()) break;
      const follower = new Follower(log, round);
      await follower.next();
      await follower.stop();
    }
    expect(new Set(system.openPaths).size).toBe(system.openPaths.length);
    await log.close();
    expect(system.openPaths).toEqual([]);
  });
});

describe("following a writer in another process", () => {
  test("sees the last record of a writer that went idle, and all that comes", async () => {
    const directory = newPath();
    const writer = new WriterProcess(directory, SMALL_SEGMENTS);
    await writer.run("open");
    const log = await openLog(directory, { readOnly: true });
    const follower = new Follower(log);
    for (let offset = 0; offset < 30; offset++) {
      await writer.run("append", [valueAt(offset)]);
      expect(await follower.next()).toBe(valueAt(offset));
    }
    await writer.run("append", values(30, 90));
    expect(await follower.take(60)).toEqual(values(30, 90));
    await writer.run("close");
    expect((await log.readFrom(88)).length).toBe(2);
  });

  test("goes on when the writer is killed and another one comes", async () => {
    const directory = newPath();
    const first = new WriterProcess(directory);
    await first.run("open");
    await first.run("append", values(0, 5));
    const log = await openLog(directory, { readOnly: true });
    const follower = new Follower(log);
    expect(await follower.take(5)).toEqual(values(0, 5));
    await first.kill();
    const waiting = follower.take(3);
    const second = new WriterProcess(directory);
    await second.run("open");
    await second.run("append", values(5, 8));
    expect(await waiting).toEqual(values(5, 8));
    await second.kill();
    expect(await valuesOf(log)).toEqual(values(0, 8));
  });

  test("is told of a truncation, once, and can read on", async () => {
    const directory = newPath();
    const writer = new WriterProcess(directory, SMALL_SEGMENTS);
    await writer.run("open");
    await writer.run("append", values(0, 20));
    const log = await openLog(directory, { readOnly: true });
    const follower = new Follower(log);
    await follower.take(20);
    const waiting = codeOf(follower.next());
    await writer.run("truncateTo", 10);
    await writer.run("append", ["other"]);
    expect(await waiting).toBe("LOG_TRUNCATED");
    await log.refresh();
    expect(await valuesOf(log)).toEqual([...values(0, 10), "other"]);
    expect(log.epoch).toBe(1);
  });

  test("a reader that a truncation overtakes is told so, whatever it had open", async () => {
    for (const read of [
      (log: CommitLog) => log.read(15),
      (log: CommitLog) => log.readFrom(15),
      (log: CommitLog) => valuesOf(log),
    ]) {
      const directory = newPath();
      const writer = new WriterProcess(directory, SMALL_SEGMENTS);
      await writer.run("open");
      for (const value of values(0, 20)) await writer.run("append", [value]);
      const log = await openLog(directory, { readOnly: true });
      expect(log.endOffset).toBe(20);
      await writer.run("truncateTo", 2);
      expect(await codeOf(read(log))).toBe("LOG_TRUNCATED");
      expect(await valuesOf(log)).toEqual(values(0, 2));
    }
  });

  test("a reader that retention overtakes gets OFFSET_OUT_OF_RANGE, not damage", async () => {
    for (const read of [
      (log: CommitLog) => log.read(1),
      (log: CommitLog) => log.readFrom(1),
      (log: CommitLog) => valuesOf(log),
    ]) {
      const directory = newPath();
      const writer = new WriterProcess(directory, SMALL_SEGMENTS);
      await writer.run("open");
      for (const value of values(0, 20)) await writer.run("append", [value]);
      const log = await openLog(directory, { readOnly: true });
      await writer.run("deleteBefore", 15);
      expect(await failureOf(read(log))).toMatchObject({
        code: "OFFSET_OUT_OF_RANGE",
        startOffset: 15,
      });
      await log.refresh();
      expect(await valuesOf(log)).toEqual(values(15, 20));
    }
  });

  test("ends with the signal's reason, and keeps nothing open", async () => {
    const directory = newPath();
    const writer = new WriterProcess(directory);
    await writer.run("open");
    const system = new FaultyFileSystem();
    const log = await openLog(directory, { readOnly: true }, { fileSystem: system });
    const controller = new AbortController();
    const waiting = thrownBy(new Follower(log, 0, controller.signal).next());
    const reason = new Error("enough");
    controller.abort(reason);
    expect(await waiting).toBe(reason);
    await log.close();
    expect(system.openPaths).toEqual([]);
  });
});

describe("a reader beside a writer", () => {
  test("writes nothing and takes no lock that keeps a writer out", async () => {
    const directory = newPath();
    const writer = await openLog(directory, SMALL_SEGMENTS);
    await appendEach(writer, 10);
    const system = new FaultyFileSystem();
    const log = await openLog(directory, { readOnly: true }, { fileSystem: system });
    const before = snapshotOf(directory);
    expect(await valuesOf(log)).toEqual(values(0, 10));
    await log.offsetForTimestamp(0);
    log.segments();
    for (const call of [
      () => log.append("x"),
      () => log.appendBatch(["x"]),
      () => log.flush(),
      () => log.truncateTo(0),
      () => log.deleteBefore(5),
    ]) {
      expect(await codeOf(call)).toBe("READ_ONLY");
    }
    expect(snapshotOf(directory)).toEqual(before);
    await writer.close();
    const again = await openLog(directory);
    await log.refresh();
    await again.close();
    await log.close();
    expect(system.matching({ kind: CHANGES })).toEqual([]);
    expect(system.matching({ kind: "open" }).every(({ mode }) => mode === "read")).toBe(true);
    expect(system.openPaths).toEqual([]);
  });

  test("is told of a truncation by a refresh, once", async () => {
    const directory = newPath();
    const writer = await openLog(directory);
    await appendEach(writer, 4);
    const log = await openLog(directory, { readOnly: true });
    await writer.truncateTo(2);
    expect(await codeOf(log.refresh())).toBe("LOG_TRUNCATED");
    await log.refresh();
    expect(log.endOffset).toBe(2);
  });

  test("finds one published end whole while the writer stores the next one", async () => {
    const directory = newPath();
    const writer = await openLog(directory);
    const ends = () => {
      const bytes = readFileSync(join(directory, "published"));
      const header = decodePublishedHeader(bytes);
      if ("kind" in header) throw new Error(header.reason);
      return [0, SLOT_BYTES].map((at) => {
        const slot = bytes.subarray(slotPosition(0) + at, slotPosition(0) + at + SLOT_BYTES);
        return decodeSlot(slot, header.slotSeed)?.endOffset;
      });
    };
    await appendEach(writer, 2);
    expect(ends().toSorted()).toEqual([1, 2]);
    await appendEach(writer, 1);
    expect(ends().toSorted()).toEqual([2, 3]);
  });

  test("that was opened after a crash sees what later writers add", async () => {
    const directory = newPath();
    const system = new FaultyFileSystem();
    const dead = await openLog(directory, {}, { fileSystem: system });
    await appendEach(dead, 2);
    await kill(dead, system);
    const log = await openLog(directory, { readOnly: true });
    expect(await valuesOf(log)).toEqual(values(0, 2));
    // Recovery puts another file in the place of the one that the reader has open.
    for (let end = 3; end < 6; end++) {
      const writer = await openLog(directory);
      await appendEach(writer, 1);
      await writer.close();
      await log.refresh();
      expect(await valuesOf(log)).toEqual(values(0, end));
    }
    // Nor does a writer that is killed in between go unnoticed.
    const other = new FaultyFileSystem();
    const killed = await openLog(directory, {}, { fileSystem: other });
    await appendEach(killed, 1);
    await kill(killed, other);
    await log.refresh();
    expect(await valuesOf(log)).toEqual(values(0, 6));
  });

  test("sees what came in a segment that is as long as the last one that it saw", async () => {
    const directory = newPath();
    const fill = async (segments: number) => {
      await using log = await openLog(directory, SMALL_SEGMENTS);
      while (log.segments().length < segments) await log.append("of one length");
      return log.endOffset;
    };
    const before = await fill(2);
    await using reader = await openLog(directory, { readOnly: true });
    expect(reader.endOffset).toBe(before);
    const after = await fill(3);
    await reader.refresh();
    expect(reader.endOffset).toBe(after);
    expect((await valuesOf(reader)).length).toBe(after);
  });

  test("sees a new segment that is as long as the last one that it saw, and as empty", async () => {
    const directory = newPath();
    const begin = async () => {
      const system = new FaultyFileSystem();
      return { system, log: await openLog(directory, SMALL_SEGMENTS, { fileSystem: system }) };
    };
    const before = await begin();
    await kill(before.log, before.system);
    await using reader = await openLog(directory, { readOnly: true });
    expect(reader.endOffset).toBe(0);
    // Nothing was appended, so this writer begins at the same end.
    const { system, log } = await begin();
    const appended = await dieAfterRoll(log, system);
    await reader.refresh();
    expect(reader.endOffset).toBe(appended);
    expect((await valuesOf(reader)).length).toBe(appended);
  });

  test("sees another segment of a log that it saw between being made and being published", async () => {
    const directory = newPath();
    const system = new FaultyFileSystem();
    const isNamed = () =>
      system.operations.some(({ kind, path }) => kind === "rename" && path.endsWith("log.meta"));
    const hold = system.hold({ kind: "syncDirectory", where: isNamed });
    const opening = openLog(directory, SMALL_SEGMENTS, { fileSystem: system });
    await hold.reached;
    await using reader = await openLog(directory, { readOnly: true });
    expect(reader.endOffset).toBe(0);
    hold.release();
    const appended = await dieAfterRoll(await opening, system);
    await reader.refresh();
    expect(reader.endOffset).toBe(appended);
    expect((await valuesOf(reader)).length).toBe(appended);
  });

  test("reads no more again of the active segment because the start moved", async () => {
    const directory = newPath();
    await using log = await openLog(directory, { segmentBytes: 1_000_000 });
    await log.appendBatch(Array.from({ length: 1000 }, (_, index) => `${index}`.padEnd(500)));
    const system = new FaultyFileSystem();
    await using reader = await openLog(directory, { readOnly: true }, { fileSystem: system });
    await reader.read(999);
    const before = bytesRead(system);
    for (const start of [10, 20, 30]) {
      await log.deleteBefore(start);
      await reader.refresh();
      await reader.read(999 - start);
    }
    expect(bytesRead(system) - before).toBeLessThan(100_000);
  });

  test("begins at the start as it is now, wherever that was when it last looked", async () => {
    const directory = newPath();
    await using log = await openLog(directory, SMALL_SEGMENTS);
    await appendEach(log, 12);
    await using reader = await openLog(directory, { readOnly: true });
    expect(reader.startOffset).toBe(0);
    await log.deleteBefore(9);
    const offsets: number[] = [];
    for await (const { offset } of reader.records()) offsets.push(offset);
    expect(offsets).toEqual([9, 10, 11]);
  });

  test("opens the files of a new session although its first look at them fails", async () => {
    const directory = newPath();
    const system = new FaultyFileSystem();
    const log = await openLog(directory, {}, { fileSystem: system });
    await appendEach(log, 3);
    const failing = new FaultyFileSystem();
    await using reader = await openLog(directory, { readOnly: true }, { fileSystem: failing });
    expect(await valuesOf(reader)).toEqual(expectedValues(0, 3));
    await kill(log, system);
    // Recovery puts a new file in the place of the old one.
    await using again = await openLog(directory);
    await again.append(valueAt(3));
    failing.fail({ kind: "readDirectory" }, { errno: "EMFILE" });
    expect(await codeOf(reader.refresh())).toBe("TOO_MANY_OPEN_FILES");
    await reader.refresh();
    expect(await valuesOf(reader)).toEqual(expectedValues(0, 4));
  });

  test("of a truncation that was interrupted reads up to the bound", async () => {
    const directory = newPath();
    const system = new FaultyFileSystem();
    const log = await openLog(directory, SMALL_SEGMENTS, { fileSystem: system });
    await log.appendBatch(values(0, 3));
    await log.appendBatch(values(3, 10));
    const hold = system.hold({ kind: "unlink" });
    const rename = system.hold({ kind: "rename", path: /\.log$/ });
    const truncating = thrownBy(log.truncateTo(5));
    await Promise.race([hold.reached, rename.reached]);
    await kill(log, system);
    await truncating;
    const reader = await openLog(directory, { readOnly: true });
    expect(reader.endOffset).toBe(5);
    expect((await reader.readFrom(0)).map(({ offset }) => offset)).toEqual([0, 1, 2, 3, 4]);
    expect((await reader.readFrom(4)).length).toBe(1);
    expect(await valuesOf(reader)).toEqual(values(0, 5));
    const again = await openLog(directory, SMALL_SEGMENTS);
    expect(await valuesOf(again)).toEqual(values(0, 5));
  });

  test("waits for a writer that is in the middle of a truncation", async () => {
    const directory = newPath();
    const system = new FaultyFileSystem();
    const log = await openLog(directory, SMALL_SEGMENTS, { fileSystem: system });
    await appendEach(log, 10);
    const hold = system.hold({ kind: "open", path: /\.log\.tmp$/, mode: "create" });
    const truncating = log.truncateTo(0);
    await hold.reached;
    const opening = openLog(directory, { readOnly: true });
    hold.release();
    await truncating;
    expect((await opening).endOffset).toBe(0);
  });
});

describe("the lock", () => {
  test("keeps a second writer out, in this process and in another one, and names the holder", async () => {
    const directory = newPath();
    const log = await openLog(directory);
    const here = await failureOf(openLog(directory));
    expect(here.code).toBe("LOCKED");
    expect(here.message).toContain(String(process.pid));
    const other = new WriterProcess(directory);
    const there = await other.ask("open");
    expect(there.code).toBe("LOCKED");
    expect(there.message).toContain(String(process.pid));
    await log.append("unharmed");
    await log.close();
    await other.run("open");
    expect((await failureOf(openLog(directory))).message).toContain(String(other.pid));
  });

  test("is gone with its process, also under SIGKILL", async () => {
    const directory = newPath();
    const writer = new WriterProcess(directory);
    await writer.run("open");
    await writer.run("append", values(0, 3));
    expect(await codeOf(openLog(directory))).toBe("LOCKED");
    await writer.kill();
    const log = await openLog(directory);
    expect(log.recovery.kind).toBe("unclean");
    expect(await valuesOf(log)).toEqual(values(0, 3));
  });
});

describe("a reader of which a file cannot be closed", () => {
  test("closes all others", async () => {
    const system = new FaultyFileSystem();
    const log = await openLog(newPath(), SMALL_SEGMENTS);
    await appendEach(log, 10);
    const options = { readOnly: true };
    const reader = await openLog(log.directory, options, { fileSystem: system });
    expect(await valuesOf(reader)).toEqual(expectedValues(0, 10));
    expect(system.openPaths.length).toBeGreaterThan(2);
    system.fail({ kind: "close" }, { errno: "EIO" });
    await reader.close();
    expect(system.openPaths).toEqual([]);
  });
});
