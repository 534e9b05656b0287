import { rmSync } from "node:fs";
import { describe, expect, test } from "vitest";
import type { OpenLogOptions } from "../../src/log/commit-log.js";
import { cut, flipBit, restore, snapshotOf } from "../support/damage.js";
import { codeOf, failureOf } from "../support/failure.js";
import { blocksOf, openLog, segmentPath, textOf, valueAt } from "../support/log-builder.js";
import { newPath, temporaryDirectory } from "../support/temporary-directory.js";

const OPTIONS: OpenLogOptions = { segmentBytes: 700, blockBytes: 256, indexIntervalBytes: 1024 };
const START = 1_700_000_000_000;
const READ_ONLY: OpenLogOptions = { readOnly: true };

/** A closed log of some segments, each of several blocks that share one index entry. */
async function makeLog(): Promise<string> {
  const directory = newPath();
  const log = await openLog(directory, OPTIONS);
  for (let offset = 0; offset < 20; offset++) {
    await log.append({ value: valueAt(offset), timestamp: START + offset });
  }
  await log.close();
  return directory;
}

describe("records behind damage in the same segment", () => {
  test("can be read, and be begun from, whatever the index knows", async () => {
    const directory = await makeLog();
    const [, second, third, ...rest] = blocksOf(directory, 0);
    expect(rest.length).toBeGreaterThan(0);
    for (const at of [second!.position, second!.position + second!.headerLength]) {
      flipBit(segmentPath(directory, 0), at);
      const log = await openLog(directory, READ_ONLY);
      const lost = second!.baseOffset;
      expect(textOf((await log.read(lost - 1)).value)).toBe(valueAt(lost - 1));
      expect(await failureOf(log.read(lost))).toMatchObject({
        code: "CORRUPTION",
        position: second!.position,
      });
      for (let offset = lost + 1; offset < 20; offset++) {
        expect(textOf(log.readSync(offset).value)).toBe(valueAt(offset));
      }
      const records = await log.readFrom(third!.baseOffset);
      expect(records.map(({ offset }) => offset)[0]).toBe(third!.baseOffset);
      expect(records.at(-1)!.offset).toBe(19);
      flipBit(segmentPath(directory, 0), at);
      await log.close();
    }
  });
});

describe("a segment of which only the header is left", () => {
  test("is not passed over by who begins to read in it", async () => {
    const directory = await makeLog();
    cut(segmentPath(directory, 0), 80);
    const log = await openLog(directory, READ_ONLY);
    for (const from of [0, 1]) {
      expect(await codeOf(log.readFrom(from))).toBe("CORRUPTION");
      expect(await codeOf(log.read(from))).toBe("CORRUPTION");
    }
  });
});

describe("the search for a timestamp", () => {
  test("passes over no damage, missing segment or missing end", async () => {
    const directory = await makeLog();
    const sound = snapshotOf(directory);
    const first = segmentPath(directory, 0);
    const last = blocksOf(directory, 0).at(-1)!;
    const second = segmentPath(directory, last.lastOffset + 1);
    const sought = START + last.lastOffset;
    for (const [damage, timestamp] of [
      [() => flipBit(first, last.position), sought],
      [() => flipBit(first, last.position + last.headerLength), sought],
      [() => cut(first, last.position), sought],
      [() => rmSync(second), sought + 1],
    ] as const) {
      damage();
      for (const options of [READ_ONLY, OPTIONS]) {
        const copy = temporaryDirectory();
        restore(copy, snapshotOf(directory));
        const log = await openLog(copy, options);
        expect(await codeOf(log.offsetForTimestamp(timestamp))).toBe("CORRUPTION");
        // Nor when the index was built anew, which leaves the damage out, and was saved.
        await log.read(last.lastOffset).catch(() => undefined);
        expect(await codeOf(log.offsetForTimestamp(timestamp))).toBe("CORRUPTION");
        await log.close();
        const again = await openLog(copy, options);
        expect(await codeOf(again.offsetForTimestamp(timestamp))).toBe("CORRUPTION");
        expect(await again.offsetForTimestamp(START + 1)).toBe(1);
        await again.close();
      }
      restore(directory, sound);
    }
  });
});

describe("damage at the end", () => {
  test("does not look like the end to a reader that does not look for more", async () => {
    const directory = await makeLog();
    const base = Number(
      [...snapshotOf(directory).keys()]
        .filter((name) => name.endsWith(".log"))
        .at(-1)!
        .slice(0, 20),
    );
    flipBit(segmentPath(directory, base), blocksOf(directory, base).at(-1)!.position);
    const log = await openLog(directory, READ_ONLY);
    expect(log.endOffset).toBe(19);
    expect(await codeOf(() => log.readSync(19))).toBe("CORRUPTION");
    expect(await codeOf(log.read(19))).toBe("CORRUPTION");
  });
});
