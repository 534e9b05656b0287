import { describe, expect, test } from "vitest";
import type { OpenLogOptions } from "../../src/log/commit-log.js";
import { kill, leaveUnclean } from "../support/crash.js";
import { cut, extend } from "../support/damage.js";
import { durableSteps } from "../support/durable-steps.js";
import { FaultyFileSystem } from "../support/faulty-file-system.js";
import { appendEach, openLog, segmentPath } from "../support/log-builder.js";
import { newPath } from "../support/temporary-directory.js";

/** Data file of the segment with a base offset. */
const data = (baseOffset: number) => `${String(baseOffset).padStart(20, "0")}.log`;
/** What it takes to make the file of a segment, or to put another one in its place. */
const made = (name: string) => [`datasync ${name}.tmp`, `rename ${name}`, "syncDirectory ."];
const removed = (baseOffset: number) =>
  ["timeindex", "index", "log"].map((kind) => `unlink ${data(baseOffset).slice(0, -3)}${kind}`);

const METADATA = made("log.meta");
/** Every open does it: whoever made the directory may have died before. */
const OPENED = "syncDirectory ..";
/** Four records of `valueAt` to a segment, and no sync that is not needed. */
const OPTIONS: OpenLogOptions = { segmentBytes: 450, durability: "os" };

/** The steps of the open that follows a crash. */
async function stepsOfRecovery(records: number, tear: (path: string) => void): Promise<string[]> {
  const directory = newPath();
  await leaveUnclean(directory, {}, (log) => appendEach(log, records));
  tear(segmentPath(directory, 0));
  const system = new FaultyFileSystem();
  await openLog(directory, {}, { fileSystem: system });
  return durableSteps(system, directory);
}

describe("what is durable before what, when recovery", () => {
  test("finds all in order: a synced copy takes the place of what the page cache shows", async () => {
    const steps = await stepsOfRecovery(1, () => undefined);
    expect(steps).toEqual([OPENED, ...made(data(0)), ...METADATA]);
  });

  test("cuts a torn tail: the copy and the cut bytes, then the epoch, then the cut", async () => {
    const steps = await stepsOfRecovery(3, (path) => extend(path, new Uint8Array(9).fill(1)));
    expect(steps).toEqual([
      OPENED,
      `datasync ${data(0)}.tmp`,
      `datasync ${data(0)}.cut-353-1.tmp`,
      `rename ${data(0)}.cut-353-1`,
      ...METADATA,
      `rename ${data(0)}`,
      "syncDirectory .",
      ...made(data(3)),
      ...METADATA,
    ]);
  });

  test("cuts all that there was: likewise, and the log begins anew in the same segment", async () => {
    const steps = await stepsOfRecovery(1, (path) => cut(path, -1));
    expect(steps).toEqual([
      OPENED,
      `datasync ${data(0)}.tmp`,
      `datasync ${data(0)}.cut-80-1.tmp`,
      `rename ${data(0)}.cut-80-1`,
      ...METADATA,
      `rename ${data(0)}`,
      "syncDirectory .",
      ...METADATA,
    ]);
  });
});

test("what is durable before what, when recovery goes on with a deletion", async () => {
  const directory = newPath();
  const system = new FaultyFileSystem();
  const log = await openLog(directory, OPTIONS, { fileSystem: system });
  await appendEach(log, 10);
  const removal = system.hold({ kind: "unlink" });
  const deleted = log.deleteBefore(8);
  await removal.reached;
  await kill(log, system);
  // The new start is on stable storage; only files were left to remove.
  await deleted;
  const next = new FaultyFileSystem();
  await openLog(directory, OPTIONS, { fileSystem: next });
  const steps = durableSteps(next, directory);
  // The metadata that move the start may be in the page cache and nowhere else.
  expect(steps.slice(0, 8)).toEqual([OPENED, "syncDirectory .", ...removed(0), ...removed(4)]);
});

describe("what is durable before what, when a log", () => {
  test("is truncated: the data, the bound, the cut, then the segment behind it", async () => {
    const directory = newPath();
    const system = new FaultyFileSystem();
    const log = await openLog(directory, OPTIONS, { fileSystem: system });
    await appendEach(log, 10);
    system.forget();
    await log.truncateTo(2);
    expect(durableSteps(system, directory)).toEqual([
      `datasync ${data(8)}`,
      ...METADATA,
      ...removed(8),
      ...removed(4),
      ...made(data(0)),
      ...made(data(2)),
    ]);
  });

  test("loses its beginning: the data, the new start, then the oldest segments first", async () => {
    const directory = newPath();
    const system = new FaultyFileSystem();
    const log = await openLog(directory, OPTIONS, { fileSystem: system });
    await appendEach(log, 10);
    system.forget();
    await log.deleteBefore(8);
    const steps = [`datasync ${data(8)}`, ...METADATA, ...removed(0), ...removed(4)];
    expect(durableSteps(system, directory)).toEqual(steps);
  });

  for (const change of ["truncateTo", "deleteBefore"] as const) {
    test(`is changed by ${change} after a clean open: first of all the marker is void`, async () => {
      const directory = newPath();
      const before = await openLog(directory, OPTIONS);
      await appendEach(before, 2);
      await before.close();
      const system = new FaultyFileSystem();
      const log = await openLog(directory, OPTIONS, { fileSystem: system });
      system.forget();
      await log[change](1);
      const steps = durableSteps(system, directory);
      expect(steps.slice(0, 6)).toEqual([...METADATA, ...METADATA]);
    });
  }

  test("grows old: the marker is void and the data synced before the next segment begins", async () => {
    const directory = newPath();
    let now = Date.UTC(2026, 0, 1);
    const first = await openLog(directory, {}, { now: () => now });
    await appendEach(first, 2);
    await first.close();
    const system = new FaultyFileSystem();
    const options = { segmentMs: 50, durability: "os" } as const;
    const log = await openLog(directory, options, { fileSystem: system, now: () => now });
    system.forget();
    const rolled = system.hold({ kind: "rename", path: /00002\.log$/ });
    now += 60;
    await rolled.reached;
    expect(durableSteps(system, directory)).toEqual([
      ...METADATA,
      `datasync ${data(2)}.tmp`,
      `rename ${data(2)}`,
    ]);
    rolled.release();
    await log.append("value-2");
    system.forget();
    const again = system.hold({ kind: "rename", path: /00003\.log$/ });
    now += 60;
    await again.reached;
    expect(durableSteps(system, directory)).toEqual([
      `datasync ${data(2)}`,
      `datasync ${data(3)}.tmp`,
      `rename ${data(3)}`,
    ]);
    again.release();
    await log.close();
  });
});
