import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { CommitLog, OpenLogOptions } from "../../src/log/commit-log.js";
import { createEnvironment } from "../../src/log/environment.js";
import { verifyLog } from "../../src/log/inspect/verify.js";
import { afterPowerCut, leaveUnclean } from "../support/crash.js";
import { cut, extend, fileLength, flipBit, patch, restore, snapshotOf } from "../support/damage.js";
import { codeOf, failureOf } from "../support/failure.js";
import { FaultyFileSystem } from "../support/faulty-file-system.js";
import {
  appendEach,
  blocksOf,
  expectedValues,
  forgeBlock,
  headerOf,
  openLog,
  segmentPath,
  valuesOf,
} from "../support/log-builder.js";
import { newPath } from "../support/temporary-directory.js";

const OPTIONS: OpenLogOptions = { blockBytes: 256 };
/** Records of the batch that is the last group of the logs here; they take several blocks. */
const BATCH = 16;

/** A log of four single records and a batch, whose writer was killed. */
async function uncleanLog(options: OpenLogOptions = {}): Promise<string> {
  const directory = newPath();
  await leaveUnclean(directory, { ...OPTIONS, ...options }, async (log) => {
    await appendEach(log, 4);
    await log.appendBatch(expectedValues(4, 4 + BATCH));
  });
  return directory;
}

const sameBoot = () => new FaultyFileSystem();

async function reopen(directory: string, machine: () => FaultyFileSystem): Promise<CommitLog> {
  return openLog(directory, OPTIONS, { fileSystem: machine() });
}

describe("an unclean stop without damage", () => {
  for (const [policy, machine, epoch] of [
    ["always", sameBoot, 0],
    ["always", afterPowerCut, 0],
    // Records may be gone without a trace: readers that saw them must learn it. The boot id does not
    // tell, since a file system can be cut off by itself.
    ["os", sameBoot, 1],
    ["os", afterPowerCut, 1],
    ["interval", afterPowerCut, 1],
  ] as const) {
    test(`under "${policy}", ${machine.name}: all is there, epoch ${epoch}`, async () => {
      const directory = await uncleanLog({ durability: policy });
      const bytes = fileLength(segmentPath(directory, 0));
      const log = await reopen(directory, machine);
      expect(log.recovery).toMatchObject({
        kind: "unclean",
        scannedBytes: bytes,
        scannedRecords: 4 + BATCH,
        cutBytes: 0,
        cutPosition: undefined,
        cutReason: undefined,
        quarantineFile: undefined,
        rebuiltIndexes: [0],
        epochRaised: epoch === 1,
        removedFiles: [],
      });
      expect(log.epoch).toBe(epoch);
      expect(await valuesOf(log)).toEqual(expectedValues(0, 4 + BATCH));
      expect(await log.append("next")).toBe(4 + BATCH);
    });
  }

  for (const last of ["the first", "one after a clean close", "one after a crash"] as const) {
    test(`of ${last} session under "os", by a power cut: the epoch rises`, async () => {
      const directory = newPath();
      const options: OpenLogOptions = { ...OPTIONS, durability: "os" };
      if (last === "one after a clean close") {
        const log = await openLog(directory, OPTIONS);
        await appendEach(log, 2);
        await log.close();
      } else if (last === "one after a crash") {
        await leaveUnclean(directory, OPTIONS, (log) => appendEach(log, 2));
      }
      await leaveUnclean(directory, options, (log) => appendEach(log, 2));
      const log = await reopen(directory, afterPowerCut);
      expect(log.recovery).toMatchObject({ kind: "unclean", cutBytes: 0, epochRaised: true });
      expect(log.epoch).toBe(1);
    });
  }

  test("rewrites the active segment before it resolves, and syncs it", async () => {
    const directory = await uncleanLog();
    const system = sameBoot();
    await openLog(directory, OPTIONS, { fileSystem: system });
    const steps = system
      .matching({ kind: ["write", "datasync", "rename", "syncDirectory"] })
      .map(({ kind, path }) => `${kind} ${path.slice(directory.length + 1)}`);
    const name = "00000000000000000000.log";
    expect(steps.filter((step) => !step.includes("published") && !step.endsWith("LOCK"))).toEqual([
      "syncDirectory ",
      `write ${name}.tmp`,
      `datasync ${name}.tmp`,
      `rename ${name}`,
      "syncDirectory ",
      "write log.meta.tmp",
      "datasync log.meta.tmp",
      "rename log.meta",
      "syncDirectory ",
    ]);
  });
});

describe("the last group torn at every byte", () => {
  for (const [machine, step] of [
    [sameBoot, 1],
    [afterPowerCut, 5],
  ] as const) {
    test(machine.name, { timeout: 120_000 }, async () => {
      const directory = await uncleanLog();
      const path = segmentPath(directory, 0);
      const whole = snapshotOf(directory);
      const data = readFileSync(path);
      const start = blocksOf(directory, 0)[4]!.position;
      expect(data.length - start).toBeGreaterThan(250);
      for (let length = start; length <= data.length; length += step) {
        restore(directory, whole);
        cut(path, length);
        const log = await reopen(directory, machine);
        const isWhole = length === data.length;
        const isCut = length > start && !isWhole;
        expect(log.endOffset, `cut to ${length} bytes`).toBe(isWhole ? 4 + BATCH : 4);
        expect(log.recovery).toMatchObject({
          cutBytes: isCut ? length - start : 0,
          cutPosition: isCut ? start : undefined,
          epochRaised: isCut,
        });
        expect(log.epoch).toBe(isCut ? 1 : 0);
        // A checksum, which stands first, may begin with zeros.
        const torn = data.subarray(start, length);
        if (isCut && torn.some((byte) => byte !== 0)) {
          expect(readFileSync(log.recovery.quarantineFile!)).toEqual(torn);
        } else {
          expect(log.recovery.quarantineFile).toBeUndefined();
        }
        expect(await log.append("next")).toBe(log.endOffset - 1);
        await log.close();
      }
    });
  }
});

describe("a tail that is cut", () => {
  test("makes way for a segment of the next epoch, which lasts", async () => {
    const directory = await uncleanLog();
    cut(segmentPath(directory, 0), -1);
    const log = await reopen(directory, sameBoot);
    await log.append("next");
    await log.close();
    expect(headerOf(directory, 4)).toMatchObject({
      epoch: 1,
      predecessor: {
        baseOffset: 0,
        checksum: blocksOf(directory, 0)[3]!.checksum,
        headerChecksum: headerOf(directory, 0).checksum,
      },
    });
    const again = await reopen(directory, sameBoot);
    expect(again.recovery.kind).toBe("clean");
    expect(again.epoch).toBe(1);
    expect(await valuesOf(again)).toEqual([...expectedValues(0, 4), "next"]);
  });

  test("from the first record on leaves an empty log of the next epoch", async () => {
    const directory = newPath();
    await leaveUnclean(directory, {}, (log) => log.append("lost"));
    cut(segmentPath(directory, 0), -1);
    const log = await reopen(directory, sameBoot);
    expect([log.startOffset, log.endOffset, log.epoch]).toEqual([0, 0, 1]);
    expect(headerOf(directory, 0).epoch).toBe(1);
    expect(existsSync(log.recovery.quarantineFile!)).toBe(true);
    expect(await log.append("found")).toBe(0);
    await log.close();
    expect(await valuesOf(await reopen(directory, sameBoot))).toEqual(["found"]);
  });

  test("is cut again at the next crash, and each time kept aside", async () => {
    const directory = await uncleanLog();
    cut(segmentPath(directory, 0), -1);
    const files = new Set<string>();
    for (const base of [4, 5, 6]) {
      await leaveUnclean(directory, OPTIONS, async (log) => {
        files.add(log.recovery.quarantineFile!);
        await log.append(`value-${log.endOffset}`);
        await log.append("torn");
      });
      cut(segmentPath(directory, base), -1);
    }
    const log = await reopen(directory, sameBoot);
    files.add(log.recovery.quarantineFile!);
    expect(files.size).toBe(4);
    for (const file of files) expect(existsSync(file)).toBe(true);
    expect(log.epoch).toBe(4);
    expect(await valuesOf(log)).toEqual(expectedValues(0, 7));
  });

  test("is read up to there by a reader that changes nothing", async () => {
    const directory = await uncleanLog();
    cut(segmentPath(directory, 0), -1);
    const before = snapshotOf(directory);
    const log = await openLog(directory, { readOnly: true });
    expect(await valuesOf(log)).toEqual(expectedValues(0, 4));
    expect(log.recovery).toMatchObject({ kind: "read-only", epochRaised: false });
    expect(log.recovery.cutBytes).toBeGreaterThan(0);
    expect(snapshotOf(directory)).toEqual(before);
  });
});

describe("bytes behind the end", () => {
  for (const machine of [sameBoot, afterPowerCut]) {
    test(`zeros are no part of it, ${machine.name}`, async () => {
      const directory = await uncleanLog();
      extend(segmentPath(directory, 0), new Uint8Array(5000));
      const log = await reopen(directory, machine);
      expect(await valuesOf(log)).toEqual(expectedValues(0, 4 + BATCH));
      expect(log.recovery).toMatchObject({ cutBytes: 0, epochRaised: false });
    });
  }

  for (const [name, bytes] of [
    ["garbage", Buffer.from("garbage".repeat(300))],
    ["the beginning of a block", Buffer.from("....SLB0")],
    ["one byte", Uint8Array.of(1)],
    ["zeros, and then one byte", Uint8Array.of(0, 0, 0, 1)],
  ] as const) {
    for (const machine of [sameBoot, afterPowerCut]) {
      test(`${name}, ${machine.name}`, async () => {
        const directory = await uncleanLog();
        const path = segmentPath(directory, 0);
        extend(path, bytes);
        const log = await reopen(directory, machine);
        expect(await valuesOf(log)).toEqual(expectedValues(0, 4 + BATCH));
        expect(log.recovery.cutBytes).toBe(bytes.length);
        expect(log.recovery.epochRaised).toBe(true);
        const kept = new Uint8Array(readFileSync(log.recovery.quarantineFile!));
        expect(kept).toEqual(new Uint8Array(bytes));
      });
    }
  }

  test("after a clean close are cut and kept too", async () => {
    const directory = newPath();
    const log = await openLog(directory);
    await appendEach(log, 3);
    await log.close();
    extend(segmentPath(directory, 0), Buffer.from("garbage"));
    const again = await openLog(directory);
    expect(again.recovery).toMatchObject({ kind: "unclean", cutBytes: 7, epochRaised: true });
    expect(await valuesOf(again)).toEqual(expectedValues(0, 3));
  });
});

/** What becomes of a log when a bit of the n-th block is turned: records left, or an error. */
const FLIPS: readonly {
  readonly policy: "always" | "os";
  readonly block: number;
  readonly machine: () => FaultyFileSystem;
  readonly outcome: number | "CORRUPTION";
}[] = [
  // The last block of all: nothing behind it proves anything.
  { policy: "always", block: -1, machine: sameBoot, outcome: 4 },
  { policy: "always", block: -1, machine: afterPowerCut, outcome: 4 },
  { policy: "os", block: -1, machine: afterPowerCut, outcome: 4 },
  // The first block of the last batch: its other blocks were written with it.
  { policy: "always", block: 4, machine: sameBoot, outcome: "CORRUPTION" },
  { policy: "always", block: 4, machine: afterPowerCut, outcome: 4 },
  // An earlier group: what was written later says that this was durable.
  { policy: "always", block: 0, machine: sameBoot, outcome: "CORRUPTION" },
  { policy: "always", block: 0, machine: afterPowerCut, outcome: "CORRUPTION" },
  { policy: "always", block: 3, machine: afterPowerCut, outcome: "CORRUPTION" },
  // Nothing was durable yet; after a power cut that may be what is left.
  { policy: "os", block: 1, machine: sameBoot, outcome: "CORRUPTION" },
  { policy: "os", block: 1, machine: afterPowerCut, outcome: 1 },
];

describe("a flipped bit", () => {
  for (const { policy, block, machine, outcome } of FLIPS) {
    test(`in block ${block} under "${policy}", ${machine.name}: ${outcome}`, async () => {
      const directory = await uncleanLog({ durability: policy });
      const { position, headerLength, storedBytes, baseOffset } = blocksOf(directory, 0).at(block)!;
      const whole = snapshotOf(directory);
      for (const at of [0, 5, 8, 9, 30, 64, 70, headerLength, headerLength + storedBytes - 1]) {
        restore(directory, whole);
        flipBit(segmentPath(directory, 0), position + at, at % 8);
        if (outcome === "CORRUPTION") {
          const error = await failureOf(reopen(directory, machine));
          expect(error).toMatchObject({
            code: "CORRUPTION",
            position,
            file: segmentPath(directory, 0),
          });
          expect((error as unknown as { offset: number }).offset).toBe(Math.min(baseOffset, 4));
          // The records before it can be read, and nothing was cut.
          const reader = await openLog(directory, { readOnly: true });
          expect(reader.endOffset).toBe(Math.min(block, 4));
          if (block > 0) expect((await reader.readFrom(0)).length).toBe(Math.min(block, 4));
          expect(await codeOf(reader.readFrom(reader.endOffset))).toBe("CORRUPTION");
          expect(await codeOf(valuesOf(reader))).toBe("CORRUPTION");
          await reader.close();
          expect(fileLength(segmentPath(directory, 0))).toBe(
            whole.get("00000000000000000000.log")!.length,
          );
        } else {
          const log = await reopen(directory, machine);
          expect(await valuesOf(log), `byte ${at}`).toEqual(expectedValues(0, outcome));
          await log.close();
        }
      }
    });
  }
});

describe("what proves that bytes were once whole", () => {
  test("is any later block, not the next one alone", async () => {
    const directory = newPath();
    const options: OpenLogOptions = { ...OPTIONS, durability: "os" };
    await leaveUnclean(directory, options, async (log) => {
      await appendEach(log, 3);
      await log.flush();
      await appendEach(log, 1);
    });
    const blocks = blocksOf(directory, 0);
    expect(blocks.map(({ durableEndOffset }) => durableEndOffset)).toEqual([0, 0, 0, 3]);
    flipBit(segmentPath(directory, 0), blocks[1]!.position + 90);
    expect(await codeOf(reopen(directory, afterPowerCut))).toBe("CORRUPTION");
  });

  test("is not a block behind a hole, which a file system leaves that was cut off", async () => {
    const directory = await uncleanLog({ durability: "os" });
    const path = segmentPath(directory, 0);
    const first = blocksOf(directory, 0)[1]!.position;
    const bytes = readFileSync(path);
    expect(first).toBeLessThan(512);
    expect(bytes.length).toBeGreaterThan(600);
    writeFileSync(path, bytes.fill(0, first, 512));
    // The verifier says what the open will do.
    const { findings } = await verifyLog(createEnvironment(sameBoot()), directory);
    expect(findings).toMatchObject([{ level: "warning", position: first, remedy: "recovery" }]);
    const log = await reopen(directory, sameBoot);
    expect(await valuesOf(log)).toEqual(expectedValues(0, 1));
    expect(log.recovery.cutBytes).toBe(bytes.length - first);
  });

  test("is not the boot of a machine that does not tell it", async () => {
    const untold = () => {
      const fileSystem = new FaultyFileSystem();
      fileSystem.machine = new Uint8Array(16);
      return fileSystem;
    };
    const directory = newPath();
    const fill = async (log: CommitLog) => {
      await appendEach(log, 4);
      await log.appendBatch(expectedValues(4, 4 + BATCH));
    };
    await leaveUnclean(directory, OPTIONS, fill, untold());
    flipBit(segmentPath(directory, 0), blocksOf(directory, 0)[4]!.position + 90);
    expect(await valuesOf(await reopen(directory, untold))).toEqual(expectedValues(0, 4));
  });

  test("is not the boot id without the end that was published later", async () => {
    const directory = await uncleanLog();
    flipBit(segmentPath(directory, 0), blocksOf(directory, 0)[4]!.position + 90);
    // As if the file system had been cut off, and mounted again under the same kernel.
    rmSync(join(directory, "published"));
    expect(await valuesOf(await reopen(directory, sameBoot))).toEqual(expectedValues(0, 4));
  });
});

describe("a valid block behind the last batch that does not continue it", () => {
  test("is what is left of a group that was given up, and is cut", async () => {
    const directory = newPath();
    await leaveUnclean(directory, OPTIONS, (log) => appendEach(log, 1));
    const before = snapshotOf(directory);
    await leaveUnclean(directory, { ...OPTIONS, durability: "os" }, (log) => appendEach(log, 2));
    const given = readFileSync(segmentPath(directory, 0));
    restore(directory, before);
    await leaveUnclean(directory, OPTIONS, (log) => log.append("another"));
    const { length } = readFileSync(segmentPath(directory, 0));
    expect(given.length).toBeGreaterThan(length);
    extend(segmentPath(directory, 0), given.subarray(length));
    expect(blocksOf(directory, 0).length).toBe(3);

    const log = await reopen(directory, sameBoot);
    expect(log.recovery.cutReason).toBe("the block does not follow the one before it");
    expect(await valuesOf(log)).toEqual([...expectedValues(0, 1), "another"]);
  });

  test("is cut, too, if its offsets go back", async () => {
    const directory = newPath();
    await leaveUnclean(directory, OPTIONS, (log) => appendEach(log, 3));
    forgeBlock(directory, 0, blocksOf(directory, 0)[2]!, (header) => {
      for (const position of [24, 32]) header.writeBigUInt64LE(1n, position);
      header.writeBigUInt64LE(0n, 56);
    });
    const log = await reopen(directory, sameBoot);
    expect(log.recovery.cutReason).toBe("the block's offsets go back");
    expect(await valuesOf(log)).toEqual(expectedValues(0, 2));
  });
});

describe("a value that holds seglog's own bytes", () => {
  test("is never taken for blocks of the log, also where it is torn", async () => {
    const directory = newPath();
    await leaveUnclean(directory, OPTIONS, async (log) => {
      await appendEach(log, 4);
      const itself = readFileSync(segmentPath(directory, 0));
      await log.append(itself);
      await log.append(Buffer.concat([itself, itself]));
    });
    const path = segmentPath(directory, 0);
    const last = blocksOf(directory, 0)[5]!;
    for (const machine of [sameBoot, afterPowerCut]) {
      const whole = snapshotOf(directory);
      patch(path, (bytes) => {
        bytes[last.position]! ^= 1;
      });
      cut(path, -3);
      const log = await reopen(directory, machine);
      expect(log.endOffset).toBe(5);
      await log.close();
      restore(directory, whole);
    }
    expect(await codeOf((await reopen(directory, sameBoot)).read(6))).toBe("OFFSET_OUT_OF_RANGE");
  });
});

describe("a full disk when a log is opened after a crash", () => {
  for (const [name, pattern] of [
    ["the rewritten segment", { kind: "write", path: /\.log\.tmp$/ }],
    ["its sync", { kind: "datasync", path: /\.log\.tmp$/ }],
    ["the cut bytes", { kind: "write", path: /cut.*\.tmp$/ }],
    ["the metadata", { kind: "write", path: /log\.meta\.tmp$/ }],
  ] as const) {
    test(`at ${name}: NO_SPACE, nothing changed, and reading works`, async () => {
      const directory = await uncleanLog();
      cut(segmentPath(directory, 0), -1);
      const before = snapshotOf(directory);
      const system = sameBoot();
      system.fail(pattern, { errno: "ENOSPC", times: Number.POSITIVE_INFINITY });
      expect(await codeOf(openLog(directory, OPTIONS, { fileSystem: system }))).toBe("NO_SPACE");
      expect(system.openPaths).toEqual([]);
      const after = snapshotOf(directory);
      for (const name of [...before.keys()].filter(
        (each) => each !== "LOCK" && each !== "published",
      )) {
        expect(after.get(name), name).toEqual(before.get(name));
      }
      expect([...after.keys()].filter((each) => each.endsWith(".tmp"))).toEqual([]);

      const reader = await openLog(directory, { readOnly: true });
      expect(await valuesOf(reader)).toEqual(expectedValues(0, 4));
      const log = await reopen(directory, sameBoot);
      expect(await valuesOf(log)).toEqual(expectedValues(0, 4));
      expect(log.epoch).toBe(1);
    });
  }
});
