import { existsSync, rmSync, truncateSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { nodeFileSystem } from "../../src/files/node-file-system.js";
import type { CommitLog, OpenLogOptions } from "../../src/log/commit-log.js";
import { createEnvironment } from "../../src/log/environment.js";
import { readMetadata } from "../../src/log/log-files.js";
import { surveyLog } from "../../src/log/log-survey.js";
import { salvageLog } from "../../src/log/salvage.js";
import { verifyLog } from "../../src/log/verify.js";
import { afterPowerCut, kill, leaveUnclean } from "../support/crash.js";
import { flipBit } from "../support/damage.js";
import { codeOf, failureOf } from "../support/failure.js";
import { FaultyFileSystem, type Pattern } from "../support/faulty-file-system.js";
import {
  appendEach,
  blocksOf,
  expectedValues,
  openLog,
  segmentPath,
  valueAt,
  valuesOf,
} from "../support/log-builder.js";
import { newPath } from "../support/temporary-directory.js";

/** Three or four records of `valueAt` to a segment. */
const SMALL_SEGMENTS = { segmentBytes: 450 };

/** What a log must be after a truncation of one that held `before` records. */
async function expectCut(log: CommitLog, before: number, offset: number): Promise<void> {
  expect(log.endOffset).toBe(offset);
  expect(await valuesOf(log)).toEqual(expectedValues(0, offset));
  expect(await codeOf(log.read(offset))).toBe("OFFSET_OUT_OF_RANGE");
  expect(before).toBeGreaterThanOrEqual(offset);
}

describe("truncateTo", () => {
  for (const options of [
    {},
    SMALL_SEGMENTS,
    { durability: "os" },
    { compression: "lz4" },
  ] as const) {
    for (const offset of [0, 1, 5, 9, 10]) {
      test(`to ${offset} of 10 records with ${JSON.stringify(options)}`, async () => {
        const directory = newPath();
        const log = await openLog(directory, options);
        await appendEach(log, 10);
        await log.truncateTo(offset);
        await expectCut(log, 10, offset);
        expect(log.epoch).toBe(offset === 10 ? 0 : 1);
        await log.append("after");
        await log.close();

        const again = await openLog(directory, options);
        expect(again.recovery.kind).toBe("clean");
        expect(await valuesOf(again)).toEqual([...expectedValues(0, offset), "after"]);
      });
    }
  }

  test("keeps what was appended in this session and in earlier ones", async () => {
    const directory = newPath();
    for (const reopened of [false, true]) {
      const log = await openLog(directory);
      await appendEach(log, 4);
      expect(log.endOffset).toBe(reopened ? 8 : 4);
      if (!reopened) {
        await log.close();
        continue;
      }
      await log.truncateTo(7);
      await expectCut(log, 8, 7);
    }
  });

  test("into a hole between two segments is no damage to readers when it is interrupted", async () => {
    const directory = newPath();
    const log = await openLog(directory, SMALL_SEGMENTS);
    await appendEach(log, 20);
    const { baseOffset, endOffset } = log.segments()[2]!;
    await log.close();
    for (const { position } of blocksOf(directory, baseOffset)) {
      flipBit(segmentPath(directory, baseOffset), position);
    }
    const environment = createEnvironment();
    const target = newPath();
    await salvageLog(environment, await surveyLog(environment, directory), { target });
    const system = new FaultyFileSystem();
    const salvaged = await openLog(target, SMALL_SEGMENTS, { fileSystem: system });
    expect(salvaged.segments().map((segment) => segment.baseOffset)).not.toContain(baseOffset);
    system.dieAtNext({ kind: "rename", path: /\d+\.log/ });
    await codeOf(salvaged.truncateTo(endOffset - 1));
    await kill(salvaged, system);
    const { findings } = await verifyLog(environment, target);
    expect(findings.filter(({ level }) => level === "damage")).toEqual([]);
    const reader = await openLog(target, { readOnly: true });
    expect(await valuesOf(reader)).toEqual(expectedValues(0, baseOffset));
    const again = await openLog(target);
    expect(again.endOffset).toBe(endOffset - 1);
    expect(await valuesOf(again)).toEqual(expectedValues(0, baseOffset));
  });

  test("keeps it after a clean close and after a crash", async () => {
    const directory = newPath();
    const system = new FaultyFileSystem();
    const log = await openLog(directory, {}, { fileSystem: system });
    await appendEach(log, 8);
    await log.truncateTo(6);
    await kill(log, system);
    const again = await openLog(directory);
    expect(await valuesOf(again)).toEqual(expectedValues(0, 6));
    expect(again.recovery).toMatchObject({ kind: "unclean", cutBytes: 0, epochRaised: false });
  });

  test("cuts inside of a batch and inside of a block", async () => {
    for (const compression of ["none", "lz4"] as const) {
      for (let offset = 0; offset < 20; offset += 3) {
        const directory = newPath();
        const options: OpenLogOptions = { compression, blockBytes: 256 };
        const log = await openLog(directory, options);
        const records = expectedValues(0, 20).map((value, index) => ({
          value: value.repeat(4),
          timestamp: 1000 + index,
          ...(index % 3 === 0 ? { key: `key-${index}`, headers: { name: `h${index}` } } : {}),
        }));
        await log.appendBatch(records);
        const before = await log.readFrom(0);
        expect(blocksOf(directory, 0).length).toBeGreaterThan(3);
        await log.truncateTo(offset);
        const after = offset === 0 ? [] : await log.readFrom(0);
        expect(after).toEqual(before.slice(0, offset));
        await log.close();
        const again = await openLog(directory, options);
        expect(again.recovery.kind).toBe("clean");
        expect(offset === 0 ? [] : await again.readFrom(0)).toEqual(before.slice(0, offset));
      }
    }
  });

  test("refuses offsets outside of the log, and leaves it usable", async () => {
    const log = await openLog(newPath());
    await appendEach(log, 5);
    await log.deleteBefore(2);
    expect(await codeOf(log.truncateTo(1))).toBe("OFFSET_OUT_OF_RANGE");
    expect(await codeOf(log.truncateTo(6))).toBe("OFFSET_OUT_OF_RANGE");
    expect(await log.append("next")).toBe(5);
    expect(log.epoch).toBe(0);
  });

  test("to the start of a log that begins later leaves an empty log there", async () => {
    const directory = newPath();
    const log = await openLog(directory, SMALL_SEGMENTS);
    await appendEach(log, 10);
    await log.deleteBefore(4);
    await log.truncateTo(4);
    expect([log.startOffset, log.endOffset]).toEqual([4, 4]);
    await log.close();
    const again = await openLog(directory);
    expect([again.startOffset, again.endOffset]).toEqual([4, 4]);
    expect(await again.append("next")).toBe(4);
  });

  test("never applies an old bound to what was appended under later epochs", async () => {
    const directory = newPath();
    const system = new FaultyFileSystem();
    const log = await openLog(directory, SMALL_SEGMENTS, { fileSystem: system });
    await appendEach(log, 10);
    await log.truncateTo(3);
    // log.meta still has the bound, and all of this lies behind it.
    for (let offset = 3; offset < 20; offset++) await log.append(`new-${offset}`);
    await kill(log, system);
    const again = await openLog(directory, SMALL_SEGMENTS, { fileSystem: afterPowerCut() });
    const rest = Array.from({ length: 17 }, (_, index) => `new-${index + 3}`);
    expect(await valuesOf(again)).toEqual([...expectedValues(0, 3), ...rest]);
  });

  test("keeps what was appended behind the bound when that is met again after a crash", async () => {
    const directory = newPath();
    await leaveUnclean(directory, SMALL_SEGMENTS, async (log) => {
      await appendEach(log, 10);
      await log.truncateTo(5);
      await appendEach(log, 2);
    });
    expect((await readMetadata(nodeFileSystem, directory)).truncation?.offset).toBe(5);
    const log = await openLog(directory, SMALL_SEGMENTS);
    expect(await valuesOf(log)).toEqual(expectedValues(0, 7));
    expect(log.epoch).toBe(1);
  });

  test("leaves no bound in log.meta once that is written again", async () => {
    const directory = newPath();
    const log = await openLog(directory);
    await appendEach(log, 4);
    await log.truncateTo(2);
    expect((await readMetadata(nodeFileSystem, directory)).truncation?.offset).toBe(2);
    await log.close();
    const metadata = await readMetadata(nodeFileSystem, directory);
    expect(metadata).toMatchObject({ clean: true, epoch: 1, truncation: undefined });
  });

  test("does not hide damage below the cut", async () => {
    const directory = newPath();
    const log = await openLog(directory, SMALL_SEGMENTS);
    await appendEach(log, 10);
    await log.close();
    const [, second] = blocksOf(directory, 0);
    flipBit(segmentPath(directory, 0), second!.position + 90);
    const again = await openLog(directory, SMALL_SEGMENTS);
    const base = again.segments()[1]!.baseOffset;
    expect(await codeOf(again.truncateTo(base))).toBe("CORRUPTION");
    // Nothing was changed, and nothing is skipped.
    expect(again.epoch).toBe(0);
    expect(await codeOf(valuesOf(again))).toBe("CORRUPTION");
    expect((await again.read(9)).value.length).toBe(valueAt(9).length);
    expect(await again.append("still takes appends")).toBe(10);
  });

  test("refuses to go on from a sealed segment that lost its last block", async () => {
    const directory = newPath();
    const log = await openLog(directory, SMALL_SEGMENTS);
    await appendEach(log, 10);
    await log.close();
    const last = blocksOf(directory, 0).at(-1)!;
    truncateSync(segmentPath(directory, 0), last.position);
    const again = await openLog(directory, SMALL_SEGMENTS);
    const base = again.segments()[1]!.baseOffset;
    expect(await codeOf(again.truncateTo(base))).toBe("CORRUPTION");
    expect(again.epoch).toBe(0);
  });

  test("cuts damage away", async () => {
    const directory = newPath();
    const log = await openLog(directory);
    await appendEach(log, 10);
    const blocks = blocksOf(directory, 0);
    flipBit(segmentPath(directory, 0), blocks[7]!.position + 90);
    await log.truncateTo(5);
    expect(await valuesOf(log)).toEqual(expectedValues(0, 5));
  });

  test("tells iterations of the old epoch, and never gives them a record of the new one", async () => {
    const log = await openLog(newPath());
    await appendEach(log, 5);
    const iterator = log.records({ follow: true })[Symbol.asyncIterator]();
    for (let offset = 0; offset < 5; offset++) await iterator.next();
    const waiting = codeOf(iterator.next());
    await log.truncateTo(2);
    await log.append("other");
    expect(await waiting).toBe("LOG_TRUNCATED");
  });

  test("tells a read that it overtakes, rather than report damage", async () => {
    const system = new FaultyFileSystem();
    const log = await openLog(newPath(), {}, { fileSystem: system });
    await appendEach(log, 8);
    const hold = system.hold({ kind: "read", path: /\.log$/ });
    const reading = valuesOf(log);
    const failure = codeOf(reading);
    await hold.reached;
    await log.truncateTo(2);
    hold.release();
    expect(await failure).toBe("LOG_TRUNCATED");
  });

  for (const [name, pattern, fault] of [
    ["the metadata's directory sync", { kind: "syncDirectory" }, "EMFILE"],
    ["opening the cut file", { kind: "open", path: /\.log\.tmp$/, mode: "create" }, "EMFILE"],
    ["writing the cut file", { kind: "write", path: /\.log\.tmp$/ }, "ENOSPC"],
    ["removing a segment", { kind: "unlink", path: /\.log$/ }, "EPERM"],
    ["the new segment", { kind: "rename", path: /\.log$/ }, "ENOSPC"],
  ] as const) {
    test(`interrupted by a failure of ${name}, never costs an acknowledged record`, async () => {
      await expectNothingLost(SMALL_SEGMENTS, pattern, fault);
    });
    // The records to come go into the very segment that the bound cuts.
    test.skipIf(pattern.kind === "unlink")(`likewise in one segment, ${name}`, async () => {
      await expectNothingLost({}, pattern, fault);
    });
  }

  test("whose process dies once the bound is durable is carried out by the next open", async () => {
    const directory = newPath();
    const system = new FaultyFileSystem();
    const log = await openLog(directory, SMALL_SEGMENTS, { fileSystem: system });
    await appendEach(log, 10);
    const removal = system.hold({ kind: "unlink" });
    const failure = codeOf(log.truncateTo(5));
    await removal.reached;
    await kill(log, system);
    expect(await failure).toBe("LOG_POISONED");
    await expectCut(await openLog(directory, SMALL_SEGMENTS), 10, 5);
  });

  for (const after of [0, 1, 2, 3, 4]) {
    test(`cut short, and whose recovery fails at sync ${after}, is carried out in the end`, async () => {
      const directory = newPath();
      const system = new FaultyFileSystem();
      const log = await openLog(directory, SMALL_SEGMENTS, { fileSystem: system });
      await appendEach(log, 10);
      // The new epoch is published by now, and the segments behind the bound are about to go.
      const removal = system.hold({ kind: "unlink" });
      const truncated = codeOf(log.truncateTo(2));
      await removal.reached;
      await kill(log, system);
      expect(await truncated).toBe("LOG_POISONED");
      const failing = new FaultyFileSystem();
      failing.fail({ kind: "syncDirectory", path: /log$/ }, { errno: "EIO", after });
      const opening = openLog(directory, SMALL_SEGMENTS, { fileSystem: failing });
      expect(await codeOf(opening)).toBe("IO_ERROR");
      const again = await openLog(directory, SMALL_SEGMENTS);
      await expectCut(again, 10, 2);
      await appendEach(again, 1);
      expect(await valuesOf(again)).toEqual(expectedValues(0, 3));
    });
  }

  test("to the start is carried out, whichever segment a power cut brings back", async () => {
    const directory = newPath();
    const system = new FaultyFileSystem();
    const log = await openLog(directory, SMALL_SEGMENTS, { fileSystem: system });
    await appendEach(log, 10);
    const [newest, ...others] = log.segments().toReversed();
    expect(others.length).toBeGreaterThan(1);
    const removal = system.hold({ kind: "unlink" });
    const truncated = codeOf(log.truncateTo(0));
    await removal.reached;
    await kill(log, system);
    expect(await truncated).toBe("LOG_POISONED");
    for (const { baseOffset } of others) rmSync(segmentPath(directory, baseOffset));
    expect(existsSync(segmentPath(directory, newest!.baseOffset))).toBe(true);
    const reader = await openLog(directory, { readOnly: true });
    expect(await valuesOf(reader)).toEqual([]);
    await reader.close();
    await expectCut(await openLog(directory, SMALL_SEGMENTS), 10, 0);
  });

  test("to the start is carried out in the end, wherever its recovery dies", async () => {
    const options: OpenLogOptions = { durability: "os" };
    for (let operation = 0; ; operation++) {
      const directory = newPath();
      const system = new FaultyFileSystem();
      const log = await openLog(directory, options, { fileSystem: system });
      await appendEach(log, 3);
      const removal = system.hold({ kind: "unlink" });
      const truncated = codeOf(log.truncateTo(0));
      await removal.reached;
      await kill(log, system);
      expect(await truncated).toBe("LOG_POISONED");
      const dying = new FaultyFileSystem();
      dying.dieAt(operation);
      const opened = await openLog(directory, options, { fileSystem: dying }).catch(
        () => undefined,
      );
      await dying.die();
      await opened?.close().catch(() => undefined);
      await expectCut(await openLog(directory, options), 3, 0);
      if (dying.count <= operation) break;
    }
  });

  test("shows readers in other processes files of one epoch only", async () => {
    const directory = newPath();
    const system = new FaultyFileSystem();
    await using log = await openLog(directory, {}, { fileSystem: system });
    await log.appendBatch(expectedValues(0, 10));
    await log.append(valueAt(10));
    await using reader = await openLog(directory, { readOnly: true });
    expect(await valuesOf(reader)).toEqual(expectedValues(0, 11));
    const replacement = system.hold({ kind: "rename", path: /\.log$/ });
    const truncated = log.truncateTo(5);
    await replacement.reached;
    const seen = await reader
      .refresh()
      .then(async () => [reader.epoch, await valuesOf(reader)])
      .catch((error: unknown) => error);
    const looked = verifyLog(createEnvironment(), directory);
    replacement.release();
    await truncated;
    expect(seen).toEqual([0, expectedValues(0, 11)]);
    await log.append("another");
    expect(await codeOf(reader.refresh())).toBe("LOG_TRUNCATED");
    expect(await valuesOf(reader)).toEqual([...expectedValues(0, 5), "another"]);
    expect((await looked).findings.filter(({ level }) => level === "damage")).toEqual([]);
  });

  test("to the start, cut short when all is removed, leaves an empty log to readers", async () => {
    const directory = newPath();
    const system = new FaultyFileSystem();
    const log = await openLog(directory, SMALL_SEGMENTS, { fileSystem: system });
    await appendEach(log, 10);
    system.fail({ kind: "rename", path: /\.log$/ }, { errno: "EIO" });
    await failureOf(log.truncateTo(0));
    await kill(log, system);
    const reader = await openLog(directory, { readOnly: true });
    expect([reader.startOffset, reader.endOffset, reader.epoch]).toEqual([0, 0, 1]);
    expect(await valuesOf(reader)).toEqual([]);
    expect(await reader.readFrom(0)).toEqual([]);
    expect(await reader.offsetForTimestamp(0)).toBe(0);
    expect(reader.segments()).toEqual([]);
    const writer = await openLog(directory, SMALL_SEGMENTS);
    await appendEach(writer, 5);
    await reader.refresh();
    expect(await valuesOf(reader)).toEqual(expectedValues(0, 5));
    await writer.close();
    await reader.refresh();
    expect(await valuesOf(reader)).toEqual(expectedValues(0, 5));
  });

  test("makes no difference to a log that crashed before", async () => {
    const directory = newPath();
    await leaveUnclean(directory, SMALL_SEGMENTS, (log) => appendEach(log, 10));
    const log = await openLog(directory, SMALL_SEGMENTS);
    await log.truncateTo(8);
    await expectCut(log, 10, 8);
  });
});

/** Appends what it can after a truncation that failed; what is acknowledged must outlive a crash. */
async function expectNothingLost(
  options: OpenLogOptions,
  pattern: Pattern,
  errno: string,
): Promise<void> {
  const directory = newPath();
  const system = new FaultyFileSystem();
  const log = await openLog(directory, options, { fileSystem: system });
  await appendEach(log, 10);
  system.fail(pattern, { errno });
  await failureOf(log.truncateTo(5));
  const acknowledged: string[] = [];
  for (const value of ["one", "two", "three"]) {
    await log.append(value).then(
      () => acknowledged.push(value),
      () => undefined,
    );
  }
  await kill(log, system);
  const again = await openLog(directory, options);
  const values = await valuesOf(again);
  expect(values.slice(0, 5)).toEqual(expectedValues(0, 5));
  if (acknowledged.length > 0) expect(values.slice(-acknowledged.length)).toEqual(acknowledged);
  else expect([5, 10]).toContain(values.length);
}
