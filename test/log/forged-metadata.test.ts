import { readdirSync, renameSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { leaveUnclean } from "../support/crash.js";
import { extend, flipBit, forge } from "../support/damage.js";
import { codeOf } from "../support/failure.js";
import { appendEach, headerOf, openLog, segmentPath, valuesOf } from "../support/log-builder.js";
import { newPath } from "../support/temporary-directory.js";

const OPTIONS = { segmentBytes: 300, durability: "os" } as const;

function forgeMetadata(directory: string, change: (bytes: Buffer) => void): void {
  forge(join(directory, "log.meta"), change);
}

/** A log of several segments that was closed properly. */
async function closedLog(): Promise<string> {
  const directory = newPath();
  const log = await openLog(directory, OPTIONS);
  await appendEach(log, 10);
  await log.close();
  return directory;
}

describe("a marker of a clean close that contradicts the data", () => {
  test.each<[string, (bytes: Buffer) => void]>([
    ["an end offset beyond the records", (bytes) => bytes.writeBigUInt64LE(15n, 112)],
    ["a start offset beyond the end", (bytes) => bytes.writeBigUInt64LE(11n, 48)],
  ])("with %s is damage, not an end", async (_what, change) => {
    const directory = await closedLog();
    forgeMetadata(directory, change);
    expect(await codeOf(openLog(directory, OPTIONS))).toBe("CORRUPTION");
    const reader = await openLog(directory, { readOnly: true });
    expect(await codeOf(valuesOf(reader))).toBe("CORRUPTION");
  });

  test("with an end offset before the records is not believed", async () => {
    const directory = await closedLog();
    forgeMetadata(directory, (bytes) => bytes.writeBigUInt64LE(9n, 112));
    const log = await openLog(directory, OPTIONS);
    expect(log.recovery.kind).toBe("unclean");
    expect(log.endOffset).toBe(10);
  });

  test("with an end offset beyond an empty segment is damage", async () => {
    const directory = newPath();
    await (await openLog(directory, OPTIONS)).close();
    forgeMetadata(directory, (bytes) => bytes.writeBigUInt64LE(5n, 112));
    expect(await codeOf(openLog(directory, OPTIONS))).toBe("CORRUPTION");
  });
});

describe("an opening that fails", () => {
  test("leaves the segments before the start offset where they are", async () => {
    const directory = await closedLog();
    forgeMetadata(directory, (bytes) => bytes.writeBigUInt64LE(9n, 48));
    const segments = readdirSync(directory).filter((name) => name.endsWith(".log"));
    const last = Math.max(...segments.map((name) => Number.parseInt(name, 10)));
    flipBit(segmentPath(directory, last), 30);
    const before = readdirSync(directory).sort();
    expect(await codeOf(openLog(directory, OPTIONS))).toBe("CORRUPTION");
    const own = ["LOCK", "published"];
    expect(readdirSync(directory).filter((name) => !own.includes(name))).toEqual(
      before.filter((name) => !own.includes(name)),
    );
  });
});

test("an epoch that cannot rise is damage, and no log is left behind that opens no more", async () => {
  const directory = newPath();
  await leaveUnclean(directory, OPTIONS, (log) => appendEach(log, 2));
  extend(segmentPath(directory, 0), Buffer.from("torn"));
  forgeMetadata(directory, (bytes) => bytes.writeBigUInt64LE(2n ** 53n - 1n, 40));
  expect(await codeOf(openLog(directory, OPTIONS))).toBe("CORRUPTION");
  const reader = await openLog(directory, { readOnly: true });
  expect(await valuesOf(reader)).toEqual(["value-0", "value-1"]);
});

test("a log whose offsets come to an end acknowledges nothing that cannot be read", async () => {
  const directory = newPath();
  await (await openLog(directory, OPTIONS)).close();
  const last = 2 ** 53 - 1;
  const path = segmentPath(directory, 0);
  forge(path, (bytes) => {
    bytes.writeBigUInt64LE(BigInt(last - 1), 48);
    bytes.writeBigUInt64LE(BigInt(last - 1), 64);
  });
  renameSync(path, segmentPath(directory, last - 1));
  const { checksum } = headerOf(directory, last - 1);
  forgeMetadata(directory, (bytes) => {
    bytes.writeBigUInt64LE(BigInt(last - 1), 104);
    bytes.writeBigUInt64LE(BigInt(last - 1), 112);
    bytes.writeBigUInt64LE(BigInt(last - 1), 48);
    bytes.writeUInt32LE(checksum, 136);
  });
  const log = await openLog(directory, OPTIONS);
  expect(await log.append("the last one")).toBe(last - 1);
  expect(await codeOf(log.append("one too many"))).toBe("OFFSET_OUT_OF_RANGE");
  expect(await valuesOf(log)).toEqual(["the last one"]);
  await log.close();
  const again = await openLog(directory, OPTIONS);
  expect(await valuesOf(again)).toEqual(["the last one"]);
});
