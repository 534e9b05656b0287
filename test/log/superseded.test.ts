import { copyFileSync, existsSync, rmSync } from "node:fs";
import { basename, join } from "node:path";
import { describe, expect, test } from "vitest";
import type { CommitLog, OpenLogOptions } from "../../src/log/commit-log.js";
import { createEnvironment } from "../../src/log/environment.js";
import { verifyLog } from "../../src/log/inspect/verify.js";
import { hasPython, readIndependently } from "../golden/independent-reader.js";
import { kill } from "../support/crash.js";
import { cut, flipBit, snapshotOf } from "../support/damage.js";
import { codeOf, failureOf } from "../support/failure.js";
import { FaultyFileSystem } from "../support/faulty-file-system.js";
import {
  appendEach,
  expectedValues,
  openLog,
  segmentPath,
  valuesOf,
} from "../support/log-builder.js";
import { newPath, temporaryDirectory } from "../support/temporary-directory.js";

/*
 * A deletion makes its bound durable first and then removes files. A power cut may bring any of
 * these back: they are no part of the log, and that others between them are gone is no damage.
 */

const OPTIONS: OpenLogOptions = { segmentBytes: 300, blockBytes: 256, indexIntervalBytes: 64 };
const RECORDS = 20;

interface Cut {
  readonly directory: string;
  /** Data files that came back. */
  readonly returned: readonly string[];
  readonly startOffset: number;
  readonly endOffset: number;
}

/** Makes a log of several segments; `change` removes some, of which others come back. */
async function cutOff(
  change: (log: CommitLog, bases: readonly number[], system: FaultyFileSystem) => Promise<number>,
  comesBack: (bases: readonly number[]) => readonly number[],
): Promise<Cut> {
  const directory = newPath();
  const system = new FaultyFileSystem();
  const log = await openLog(directory, OPTIONS, { fileSystem: system });
  await appendEach(log, RECORDS);
  const bases = log.segments().map(({ baseOffset }) => baseOffset);
  expect(bases.length).toBeGreaterThan(4);
  const kept = temporaryDirectory();
  const paths = bases.map((base) => segmentPath(directory, base));
  for (const path of paths) copyFileSync(path, join(kept, basename(path)));
  const endOffset = await change(log, bases, system);
  const { startOffset } = log;
  await kill(log, system);
  const returned = comesBack(bases).map((base) => segmentPath(directory, base));
  for (const path of returned) {
    expect(existsSync(path)).toBe(false);
    copyFileSync(join(kept, basename(path)), path);
  }
  return { directory, returned, startOffset, endOffset };
}

const CASES: readonly (readonly [name: string, make: () => Promise<Cut>])[] = [
  [
    "a deletion of the oldest",
    () =>
      cutOff(
        async (log, bases) => {
          await log.deleteBefore(bases.at(-2)!);
          return RECORDS;
        },
        (bases) => [bases[0]!, bases[2]!],
      ),
  ],
  [
    "a truncation",
    () =>
      cutOff(
        async (log, bases, system) => {
          system.fail({ kind: "rename", path: /\.log$/ }, { errno: "EIO" });
          await failureOf(log.truncateTo(bases[1]!));
          return bases[1]!;
        },
        (bases) => [bases[2]!, bases.at(-1)!],
      ),
  ],
  [
    "a truncation to the start",
    () =>
      cutOff(
        async (log, bases, system) => {
          await log.deleteBefore(bases[2]!);
          system.fail({ kind: "rename", path: /\.log$/ }, { errno: "EIO" });
          await failureOf(log.truncateTo(bases[2]!));
          return bases[2]!;
        },
        (bases) => [bases[0]!, bases[1]!, bases[3]!],
      ),
  ],
];

describe.for(CASES)("segments that come back after %s", ([, make]) => {
  test("are not seen by readers", async () => {
    const { directory, startOffset, endOffset } = await make();
    await using reader = await openLog(directory, { readOnly: true });
    expect([reader.startOffset, reader.endOffset]).toEqual([startOffset, endOffset]);
    expect(await valuesOf(reader)).toEqual(expectedValues(startOffset, endOffset));
    expect(await reader.offsetForTimestamp(0)).toBe(startOffset);
    const bases = reader.segments().map(({ baseOffset }) => baseOffset);
    expect(bases).toEqual(bases.filter((base) => base === startOffset || base < endOffset));
  });

  test.skipIf(!hasPython)("are not seen by the independent reader", async () => {
    const { directory, startOffset, endOffset } = await make();
    const { records, ...bounds } = readIndependently("log", directory);
    expect(bounds).toMatchObject({ startOffset, endOffset });
    expect(records.length).toBe(endOffset - startOffset);
  });

  test.for([30, 150])("do no harm if they are damaged, at %i", async (position) => {
    const { directory, returned, startOffset, endOffset } = await make();
    // Which epoch the newest of all segments has decides whether a truncation was carried out.
    const [first] = returned;
    flipBit(first!, position);
    const { findings } = await verifyLog(createEnvironment(), directory);
    expect(findings.filter(({ level }) => level === "damage")).toEqual([]);
    await using reader = await openLog(directory, { readOnly: true });
    expect(await valuesOf(reader)).toEqual(expectedValues(startOffset, endOffset));
    await using log = await openLog(directory, OPTIONS);
    expect(await valuesOf(log)).toEqual(expectedValues(startOffset, endOffset));
  });

  test("are no damage to the verifier, which names them", async () => {
    const { directory, returned, startOffset, endOffset } = await make();
    const result = await verifyLog(createEnvironment(), directory);
    const told = result.findings.filter(({ message }) => message.includes("no longer part"));
    expect(told.map(({ file }) => file)).toEqual(returned);
    expect(result.findings.filter(({ level }) => level === "damage")).toEqual([]);
    expect(result).toMatchObject({ startOffset, endOffset });
  });

  test("are removed by the next writer", async () => {
    const { directory, returned, startOffset, endOffset } = await make();
    await using log = await openLog(directory, OPTIONS);
    expect(await valuesOf(log)).toEqual(expectedValues(startOffset, endOffset));
    const truncated = endOffset < RECORDS ? [endOffset] : [];
    const gone = returned.filter((path) => !truncated.some((base) => path.includes(`${base}.log`)));
    expect(gone.filter((path) => existsSync(path))).toEqual([]);
  });
});

describe("an interrupted truncation", () => {
  const [, make] = CASES[1]!;

  test("with damage behind its bound is sound", async () => {
    const { directory, returned } = await make();
    flipBit(returned[0]!, 150);
    const { findings } = await verifyLog(createEnvironment(), directory);
    expect(findings.filter(({ level }) => level === "damage")).toEqual([]);
  });

  test.for([
    ["damage before its bound", (path: string) => flipBit(path, 150)],
    ["the segment missing that it leaves", (path: string) => rmSync(path)],
    ["the segment cut that it leaves", (path: string) => cut(path, 120)],
  ] as const)("with %s is CORRUPTION to all, and nothing is removed", async ([, harm]) => {
    const { directory } = await make();
    harm(segmentPath(directory, 0));
    const before = snapshotOf(directory);
    const { findings } = await verifyLog(createEnvironment(), directory);
    expect(findings.filter(({ level }) => level === "damage").length).toBeGreaterThan(0);
    const read = async () => valuesOf(await openLog(directory, { readOnly: true }));
    expect(await codeOf(read())).toBe("CORRUPTION");
    expect(await codeOf(openLog(directory, OPTIONS))).toBe("CORRUPTION");
    const names = [...snapshotOf(directory).keys()];
    expect([...before.keys()].filter((name) => !names.includes(name))).toEqual([]);
  });
});

describe("a complete truncation", () => {
  test.for([
    ["the newest segment", (bases: readonly number[], _bound: number) => bases.slice(-1)],
    [
      "all segments since",
      (bases: readonly number[], bound: number) => bases.filter((base) => base >= bound),
    ],
  ] as const)("then %s missing, is CORRUPTION to all", async ([, choose]) => {
    const directory = newPath();
    const system = new FaultyFileSystem();
    const log = await openLog(directory, OPTIONS, { fileSystem: system });
    await appendEach(log, 10);
    await log.truncateTo(4);
    await appendEach(log, 10);
    const bases = log.segments().map(({ baseOffset }) => baseOffset);
    await kill(log, system);
    for (const base of choose(bases, 4)) rmSync(segmentPath(directory, base));
    const { findings } = await verifyLog(createEnvironment(), directory);
    expect(findings.filter(({ level }) => level === "damage").length).toBeGreaterThan(0);
    expect(await codeOf(openLog(directory, { readOnly: true }))).toBe("CORRUPTION");
    expect(await codeOf(openLog(directory, OPTIONS))).toBe("CORRUPTION");
  });
});
