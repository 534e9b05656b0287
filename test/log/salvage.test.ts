import { existsSync, rmSync } from "node:fs";
import { basename, join } from "node:path";
import { describe, expect, it } from "vitest";
import { createEnvironment } from "../../src/log/environment.js";
import { type SalvageReport, salvageLog } from "../../src/log/inspect/salvage.js";
import { verifyLog } from "../../src/log/inspect/verify.js";
import { surveyLog } from "../../src/log/recovery/log-survey.js";
import { cut, flipBit, restore, snapshotOf } from "../support/damage.js";
import { blocksOf, openLog, segmentPath, textOf } from "../support/log-builder.js";
import { newPath } from "../support/temporary-directory.js";

const RECORDS = 60;

async function makeLog(): Promise<string> {
  const directory = newPath();
  const log = await openLog(directory, {
    segmentBytes: 1000,
    blockBytes: 300,
    compression: "lz4",
    durability: "os",
  });
  for (let offset = 0; offset < RECORDS; offset += 10) {
    await log.appendBatch(Array.from({ length: 10 }, (_, index) => valueAt(offset + index)));
  }
  await log.close();
  return directory;
}

function valueAt(offset: number): string {
  return `value-${offset} ${"abcd".repeat(5 + (offset % 7))}`;
}

async function salvage(directory: string, target: string | undefined): Promise<SalvageReport> {
  const environment = createEnvironment();
  return salvageLog(environment, await surveyLog(environment, directory), { target });
}

/** Checks everything that a salvaged log promises; returns how many records it has. */
async function expectSound(target: string, report: SalvageReport): Promise<number> {
  const { findings } = await verifyLog(createEnvironment(), target);
  expect(findings.filter(({ level }) => level !== "note")).toEqual([]);
  const log = await openLog(target, { durability: "os" });
  expect(log.recovery.kind).toBe("clean");
  expect([log.startOffset, log.endOffset]).toEqual([report.startOffset, report.endOffset]);
  const present = new Set<number>();
  for await (const record of log.records()) {
    expect(textOf(record.value)).toBe(valueAt(record.offset));
    present.add(record.offset);
  }
  const missing = new Set<number>();
  for (const [from, to] of report.missing) {
    for (let offset = from; offset < to; offset++) missing.add(offset);
  }
  for (let offset = 0; offset < report.endOffset; offset++) {
    expect(present.has(offset)).toBe(!missing.has(offset));
  }
  expect(await log.append("next")).toBe(report.endOffset);
  await log.close();
  return present.size;
}

describe("salvage", () => {
  it("copies a sound log whole", async () => {
    const [directory, target] = [await makeLog(), newPath()];
    const report = await salvage(directory, target);
    expect(report).toEqual({ records: 60, startOffset: 0, endOffset: 60, missing: [] });
    expect(await expectSound(target, report)).toBe(60);
  });

  it("leaves the old log as it is, and writes nothing without a target", async () => {
    const directory = await makeLog();
    flipBit(segmentPath(directory, 0), 200);
    const before = snapshotOf(directory);
    const report = await salvage(directory, undefined);
    expect(report.records).toBeLessThan(RECORDS);
    const target = newPath();
    expect(await salvage(directory, target)).toEqual(report);
    expect(snapshotOf(directory)).toEqual(before);
  });

  it("saves everything but what a flipped bit hit, wherever it flips", async () => {
    const directory = await makeLog();
    const sound = snapshotOf(directory);
    let lost = 0;
    for (const [name, bytes] of sound) {
      if (!name.endsWith(".log") && name !== "log.meta") continue;
      for (let position = 3; position < bytes.length; position += 97) {
        flipBit(join(directory, name), position, 3);
        const target = newPath();
        const report = await salvage(directory, target);
        const saved = await expectSound(target, report);
        // No block holds more than this, and nothing else may be lost.
        expect(saved).toBeGreaterThanOrEqual(RECORDS - 10);
        if (name === "log.meta") expect(saved).toBe(RECORDS);
        lost += RECORDS - saved;
        restore(directory, sound);
      }
    }
    expect(lost).toBeGreaterThan(0);
  });

  it("gets around a missing segment, whichever it is", async () => {
    const directory = await makeLog();
    const sound = snapshotOf(directory);
    const names = [...sound.keys()].filter((name) => name.endsWith(".log"));
    for (const name of names) {
      rmSync(join(directory, name));
      const target = newPath();
      const report = await salvage(directory, target);
      expect(report.endOffset).toBe(RECORDS);
      expect(await expectSound(target, report)).toBeLessThan(RECORDS);
      restore(directory, sound);
    }
    for (const name of names) rmSync(join(directory, name));
    const target = newPath();
    const report = await salvage(directory, target);
    expect(report).toMatchObject({ records: 0, startOffset: RECORDS, endOffset: RECORDS });
    expect(await expectSound(target, { ...report, missing: [[0, RECORDS]] })).toBe(0);
  });

  it("keeps what is left of a batch, and never gives a lost offset out again", async () => {
    const directory = await makeLog();
    const last = (await verifyLog(createEnvironment(), directory)).checks.at(-1)!;
    cut(last.surveyed.segment.path, -10);
    const target = newPath();
    const report = await salvage(directory, target);
    expect(report.endOffset).toBe(RECORDS);
    expect(report.missing).toHaveLength(1);
    await expectSound(target, report);
  });

  it("leaves a torn batch out, as recovery would", async () => {
    const directory = await makeLog();
    const log = await openLog(directory, { segmentBytes: 100_000, blockBytes: 300 });
    const batch = Array.from({ length: 30 }, (_, index) => valueAt(RECORDS + index));
    await log.appendBatch(batch);
    const torn = newPath();
    restore(torn, snapshotOf(directory));
    const last = (await verifyLog(createEnvironment(), directory)).checks.at(-1)!;
    cut(join(torn, basename(last.surveyed.segment.path)), -10);
    const target = newPath();
    const report = await salvage(torn, target);
    expect(report).toEqual({ records: 60, startOffset: 0, endOffset: RECORDS, missing: [] });
    expect(await expectSound(target, report)).toBe(RECORDS);
  });

  it("keeps the start offset", async () => {
    const directory = await makeLog();
    const log = await openLog(directory, { segmentBytes: 1000 });
    await log.deleteBefore(13);
    await log.close();
    const target = newPath();
    const report = await salvage(directory, target);
    expect(report).toMatchObject({ startOffset: 13, endOffset: 60, missing: [] });
    const salvaged = await openLog(target);
    expect(textOf((await salvaged.read(13)).value)).toBe(valueAt(13));
    await expect(salvaged.read(12)).rejects.toMatchObject({ code: "OFFSET_OUT_OF_RANGE" });
  });

  it("can be salvaged again", async () => {
    const [directory, first, second] = [await makeLog(), newPath(), newPath()];
    const block = blocksOf(directory, 0)[1]!;
    flipBit(segmentPath(directory, 0), block.position + 90);
    const report = await salvage(directory, first);
    expect(await salvage(first, second)).toEqual(report);
    await expectSound(second, report);
  });

  it("leaves no log behind when it fails", async () => {
    const directory = await makeLog();
    const target = newPath();
    const environment = createEnvironment();
    const survey = await surveyLog(environment, directory);
    const failing = {
      ...environment,
      fileSystem: {
        ...environment.fileSystem,
        rename: () => Promise.reject(new Error("no space")),
      },
    };
    await expect(salvageLog(failing, survey, { target })).rejects.toThrow("no space");
    expect(existsSync(join(target, "log.meta"))).toBe(false);
  });
});
