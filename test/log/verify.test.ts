import { readdirSync, renameSync, rmSync, unlinkSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { checksum as crc } from "../../src/format/checksum.js";
import { createEnvironment } from "../../src/log/environment.js";
import type { Finding } from "../../src/log/finding.js";
import { verifyLog } from "../../src/log/inspect/verify.js";
import {
  cut,
  extend,
  fileLength,
  flipBit,
  forge,
  restore,
  type Snapshot,
  snapshotOf,
} from "../support/damage.js";
import { codeOf } from "../support/failure.js";
import { FaultyFileSystem } from "../support/faulty-file-system.js";
import { blocksOf, forgeBlock, openLog, segmentPath, valueAt } from "../support/log-builder.js";
import { newPath, temporaryDirectory } from "../support/temporary-directory.js";

/** Three segments of some blocks each, closed cleanly; returns the directory. */
async function makeLog(): Promise<string> {
  const directory = newPath();
  const log = await openLog(directory, {
    segmentBytes: 900,
    blockBytes: 256,
    indexIntervalBytes: 64,
  });
  for (let batch = 0; batch < 6; batch++) {
    const records = Array.from({ length: 8 }, (_, index) => ({
      value: `${valueAt(batch * 8 + index)} ${"x".repeat(20)}`,
      timestamp: 1_700_000_000_000 + batch * 1000 + index,
      ...(batch === 2 ? { key: `k${index}` } : {}),
    }));
    await log.appendBatch(records);
  }
  await log.close();
  return directory;
}

async function findingsOf(directory: string): Promise<readonly Finding[]> {
  return (await verifyLog(createEnvironment(), directory)).findings;
}

async function levelsOf(directory: string): Promise<string[]> {
  return (await findingsOf(directory)).map(({ level }) => level);
}

function dataFiles(snapshot: Snapshot): string[] {
  return [...snapshot.keys()].filter((name) => name.endsWith(".log")).sort();
}

it("keeps no file open when a read fails", async () => {
  const directory = await makeLog();
  flipBit(segmentPath(directory, 0), 30);
  for (let after = 0; after < 12; after++) {
    const fileSystem = new FaultyFileSystem();
    fileSystem.fail({ kind: "read", path: /\.log$/ }, { errno: "EIO", after });
    expect(await codeOf(verifyLog(createEnvironment(fileSystem), directory))).toBe("IO_ERROR");
    expect(fileSystem.openPaths).toEqual([]);
  }
});

describe("a sound log", () => {
  it("has no findings", async () => {
    const directory = await makeLog();
    const verification = await verifyLog(createEnvironment(), directory);
    expect(verification.findings).toEqual([]);
    expect(verification.checks.length).toBeGreaterThan(2);
    expect(verification).toMatchObject({ startOffset: 0, endOffset: 48, records: 48 });
  });

  it("may be trimmed, truncated, or being written to", async () => {
    const directory = await makeLog();
    const log = await openLog(directory, { segmentBytes: 900 });
    await log.deleteBefore(20);
    await log.truncateTo(40);
    await log.append("after");
    expect(await findingsOf(directory)).toEqual([]);
    await log.close();
    expect(await findingsOf(directory)).toEqual([]);
  });

  it("may have been left by a writer that died", async () => {
    const directory = await makeLog();
    const log = await openLog(directory, { segmentBytes: 900 });
    await log.append("after");
    const died = temporaryDirectory();
    restore(died, snapshotOf(directory));
    unlinkSync(join(died, "published"));
    expect(await findingsOf(died)).toEqual([]);
  });
});

describe("damage", () => {
  it("is found wherever a bit flips in data or metadata", async () => {
    const directory = await makeLog();
    const sound = snapshotOf(directory);
    const missed: string[] = [];
    for (const name of [...dataFiles(sound), "log.meta"]) {
      for (let position = 0; position < sound.get(name)!.length; position += 13) {
        flipBit(join(directory, name), position, position % 8);
        const levels = await levelsOf(directory).catch((error) => [String(error.code)]);
        if (!levels.includes("damage")) missed.push(`${name} ${position}: ${levels}`);
        flipBit(join(directory, name), position, position % 8);
      }
    }
    expect(missed).toEqual([]);
  });

  it("is found at whatever length a file is cut", async () => {
    const directory = await makeLog();
    const sound = snapshotOf(directory);
    const missed: string[] = [];
    for (const name of [...dataFiles(sound), "log.meta"]) {
      for (let length = 0; length < sound.get(name)!.length; length += 37) {
        cut(join(directory, name), length);
        const levels = await levelsOf(directory);
        if (!levels.includes("damage")) missed.push(`${name} ${length}: ${levels}`);
        restore(directory, sound);
      }
    }
    expect(missed).toEqual([]);
  });

  it("is found when any segment is missing", async () => {
    const directory = await makeLog();
    const sound = snapshotOf(directory);
    for (const name of dataFiles(sound)) {
      rmSync(join(directory, name));
      const damage = (await findingsOf(directory)).filter(({ level }) => level === "damage");
      expect(damage.map(({ message }) => message).join()).toMatch(/missing/);
      restore(directory, sound);
    }
  });

  it("names the lost offsets", async () => {
    const directory = await makeLog();
    const [, second] = blocksOf(directory, 0);
    flipBit(segmentPath(directory, 0), second!.position + 100);
    expect(await findingsOf(directory)).toEqual([
      expect.objectContaining({
        level: "damage",
        position: second!.position,
        lost: [second!.baseOffset, second!.lastOffset + 1],
        remedy: "salvage",
      }),
    ]);
  });

  it("is found in records whose block has valid checksums", async () => {
    const directory = await makeLog();
    const [first] = blocksOf(directory, 0);
    forgeBlock(directory, 0, first!, (header, body) => {
      // The first of the record ends, which stand before the timestamps.
      const count = header.readUInt32LE(20);
      body.writeUInt32LE(9999, body.length - 2 * 4 * count);
    });
    const messages = (await findingsOf(directory)).map(({ message }) => message);
    expect(messages.join()).toMatch(/table of record ends does not rise/);
  });

  it("is found when segments of two logs are mixed", async () => {
    const [one, other] = [await makeLog(), await makeLog()];
    const name = dataFiles(snapshotOf(one))[1]!;
    renameSync(join(other, name), join(one, name));
    const [found] = await findingsOf(one);
    expect(found!.message).toMatch(/belongs to another log/);
  });
});

describe("what a crash leaves", () => {
  it("is a torn tail, and no damage", async () => {
    const directory = await makeLog();
    const last = dataFiles(snapshotOf(directory)).at(-1)!;
    const length = fileLength(join(directory, last));
    extend(join(directory, last), Buffer.from("half a block"));
    expect(await findingsOf(directory)).toEqual([
      expect.objectContaining({ level: "warning", position: length, remedy: "recovery" }),
    ]);
  });

  it("is left-over files", async () => {
    const directory = await makeLog();
    extend(join(directory, "log.meta.tmp"), Buffer.from("x"));
    extend(segmentPath(directory, 7, "offsetIndex"), Buffer.from("x"));
    expect(await levelsOf(directory)).toEqual(["note", "warning"]);
  });
});

describe("an index", () => {
  it("that is damaged anywhere is a warning", async () => {
    const directory = await makeLog();
    const sound = snapshotOf(directory);
    const names = [...sound.keys()].filter((name) => name.endsWith("index"));
    expect(names.length).toBeGreaterThan(5);
    const missed: string[] = [];
    for (const name of names) {
      for (let position = 0; position < sound.get(name)!.length; position += 7) {
        flipBit(join(directory, name), position);
        const levels = await levelsOf(directory);
        if (levels.join() !== "warning") missed.push(`${name} ${position}: ${levels}`);
        flipBit(join(directory, name), position);
      }
    }
    expect(missed).toEqual([]);
  });

  it.each([
    ["offsetIndex", 104 + 8, /names offset \d+, but the block there begins with/],
    ["offsetIndex", 104 + 12, /where no block begins|names no block/],
    ["timeIndex", 104, /at the latest, which is/],
    ["timeIndex", 104 + 8, /with which no block begins|names no block/],
    ["timeIndex", 56, /records/],
  ] as const)("of kind %s that lies at %i is damage", async (kind, position, message) => {
    const directory = await makeLog();
    const path = segmentPath(directory, 0, kind);
    const entries = (bytes: Buffer) => bytes.subarray(104);
    forge(
      path,
      (bytes) => {
        bytes[position]! ^= 1;
        bytes.writeUInt32LE(crc(entries(bytes)), 20);
      },
      104,
    );
    const findings = await findingsOf(directory);
    expect(findings.map(({ level, remedy }) => [level, remedy])).toEqual([["damage", "index"]]);
    expect(findings[0]!.message).toMatch(message);
  });

  it("of a sealed segment may be missing", async () => {
    const directory = await makeLog();
    for (const name of readdirSync(directory)) {
      if (name.endsWith("index")) rmSync(join(directory, name));
    }
    expect(new Set(await levelsOf(directory))).toEqual(new Set(["warning"]));
  });
});
