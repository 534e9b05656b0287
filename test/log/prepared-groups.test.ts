import { describe, expect, test } from "vitest";
import { FaultyFileSystem } from "../support/faulty-file-system.js";
import { blocksOf, openLog, textOf, valuesOf } from "../support/log-builder.js";
import { newPath } from "../support/temporary-directory.js";

const DATA = /\.log$/;
const MIB = 1024 * 1024;
/** Each fills a group, so that the next one is made ready while the one before is written. */
const GROUPS = ["a", "b", "c", "d"].map((letter) => letter.repeat(MIB));

describe("a group that was made ready while the one before it was written", () => {
  for (const failing of [0, 1, 2]) {
    test(`gets another place when write ${failing} fails`, async () => {
      const directory = newPath();
      const system = new FaultyFileSystem();
      const log = await openLog(directory, { durability: "os" }, { fileSystem: system });
      system.fail({ kind: "write", path: DATA }, { errno: "ENOSPC", after: failing });
      const results = await Promise.all(
        GROUPS.map((value) => log.append(value).catch((error: { code: string }) => error.code)),
      );
      const expected: (number | string)[] = [0, 1, 2];
      expected.splice(failing, 0, "NO_SPACE");
      expect(results).toEqual(expected);
      const kept = GROUPS.filter((_, index) => index !== failing);
      expect(await valuesOf(log)).toEqual(kept);
      await system.die();
      expect(await valuesOf(await openLog(directory))).toEqual(kept);
    });
  }

  test("is not taken for the first one, which had to wait for the session to begin", async () => {
    const directory = newPath();
    const before = await openLog(directory, { durability: "os" });
    await before.append("first");
    await before.close();
    const log = await openLog(directory, { durability: "os" });
    // So that all is known that places depend on.
    await log.read(0);
    await Promise.all(GROUPS.map((value) => log.append(value)));
    expect(await valuesOf(log)).toEqual(["first", ...GROUPS]);
  });

  test("goes to the next segment when there is no room behind that one", async () => {
    const directory = newPath();
    const options = { durability: "os", segmentBytes: 2.5 * MIB } as const;
    const log = await openLog(directory, options);
    await Promise.all(GROUPS.map((value) => log.append(value)));
    expect(log.segments().map(({ baseOffset }) => baseOffset)).toEqual([0, 2]);
    expect(await valuesOf(log)).toEqual(GROUPS);
  });

  test('vouches for the one before it under "always"', async () => {
    const directory = newPath();
    const log = await openLog(directory);
    // As much as one round takes, so that the next one waits for the sync of this one.
    const values = ["a", "b", "c", "d"].map((letter) => letter.repeat(9 * MIB));
    await Promise.all(values.map((value) => log.append(value)));
    expect(blocksOf(directory, 0).map(({ durableEndOffset }) => durableEndOffset)).toEqual([
      0, 1, 2, 3,
    ]);
    expect(textOf((await log.read(2)).value)).toBe(values[2]);
  });
});
