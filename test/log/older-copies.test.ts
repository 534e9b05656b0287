import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { createEnvironment } from "../../src/log/environment.js";
import { verifyLog } from "../../src/log/inspect/verify.js";
import { leaveUnclean } from "../support/crash.js";
import { codeOf, failureOf } from "../support/failure.js";
import {
  appendEach,
  expectedValues,
  openLog,
  segmentPath,
  textOf,
  valuesOf,
} from "../support/log-builder.js";
import { newPath } from "../support/temporary-directory.js";

/** What `verify` calls damaged. */
async function damagedFiles(directory: string): Promise<string[]> {
  const { findings } = await verifyLog(createEnvironment(), directory);
  return findings.filter(({ level }) => level === "damage").map(({ file }) => file);
}

/** A closed log that was truncated to nothing and filled anew, and its first file before that. */
async function replacedLog(isSealed: boolean): Promise<{ directory: string; before: Buffer }> {
  const directory = newPath();
  const log = await openLog(directory, { segmentBytes: 500 });
  await appendEach(log, 4);
  const before = readFileSync(segmentPath(directory, 0));
  await log.truncateTo(0);
  for (let offset = 0; offset < (isSealed ? 9 : 3); offset++) await log.append(`new-${offset}`);
  await log.close();
  return { directory, before };
}

describe("an earlier file of the same name, put back", () => {
  test("in place of a sealed segment: none of its records are given", async () => {
    const { directory, before } = await replacedLog(true);
    const path = segmentPath(directory, 0);
    writeFileSync(path, before);
    for (const readOnly of [true, false]) {
      const log = await openLog(directory, { readOnly });
      expect(await failureOf(log.read(1))).toMatchObject({ code: "CORRUPTION", file: path });
      expect(await codeOf(() => log.readSync(2))).toBe("CORRUPTION");
      expect(await codeOf(log.readFrom(0))).toBe("CORRUPTION");
      expect(await codeOf(valuesOf(log))).toBe("CORRUPTION");
      expect(await codeOf(log.offsetForTimestamp(0))).toBe("CORRUPTION");
      expect(textOf((await log.read(8)).value)).toBe("new-8");
      await log.close();
    }
    expect(await damagedFiles(directory)).toContain(path);
  });

  test("in place of the active segment: the log does not open", async () => {
    const { directory, before } = await replacedLog(false);
    const path = segmentPath(directory, 0);
    writeFileSync(path, before);
    for (const readOnly of [true, false]) {
      const error = await failureOf(openLog(directory, { readOnly }));
      expect(error).toMatchObject({ code: "CORRUPTION", file: path });
    }
    expect(readFileSync(path)).toEqual(before);
    expect(await damagedFiles(directory)).toEqual([path]);
  });

  test("that is longer than what a truncation left: nothing behind that is given", async () => {
    const directory = newPath();
    const log = await openLog(directory);
    await appendEach(log, 6);
    const path = segmentPath(directory, 0);
    const before = readFileSync(path);
    await log.truncateTo(3);
    await log.append("new-3");
    await log.close();
    writeFileSync(path, before);
    const reader = await openLog(directory, { readOnly: true });
    expect(textOf((await reader.read(3)).value)).toBe("new-3");
    expect(textOf((await reader.read(2)).value)).toBe("value-2");
    const values: string[] = [];
    const reading = (async () => {
      for await (const { value } of reader.records()) values.push(textOf(value));
    })();
    expect(await failureOf(reading)).toMatchObject({ code: "CORRUPTION", file: path });
    expect(values.length).toBeLessThanOrEqual(3);
    expect(await damagedFiles(directory)).toEqual([path]);
  });

  test("does not come back because log.meta says less than it did", async () => {
    const directory = newPath();
    await leaveUnclean(directory, {}, async (log) => {
      await appendEach(log, 3);
      await log.truncateTo(1);
      await log.append("new-1");
      // What log.meta says of the end must be true of the files as they are now.
      await log.deleteBefore(1);
    });
    const log = await openLog(directory);
    expect(await valuesOf(log)).toEqual(["new-1"]);
  });
});

describe("the newest segment of a writer that was killed", () => {
  test("is missed, where what was published is there", async () => {
    const directory = newPath();
    await leaveUnclean(directory, { segmentBytes: 300 }, (log) => appendEach(log, 7));
    const names = [0, 2, 4, 6].map((base) => segmentPath(directory, base));
    expect(await valuesOf(await openLog(directory, { readOnly: true }))).toEqual(
      expectedValues(0, 7),
    );
    rmSync(names.at(-1)!);
    for (const readOnly of [true, false]) {
      expect(await failureOf(openLog(directory, { readOnly }))).toMatchObject({
        code: "CORRUPTION",
        file: names.at(-1),
      });
    }
    expect((await damagedFiles(directory)).length).toBeGreaterThan(0);
  });
});
