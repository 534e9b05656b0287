import { cpSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { CommitLog } from "../../src/log/commit-log.js";
import { leaveUnclean } from "../support/crash.js";
import {
  cut,
  extend,
  flipBit,
  forge,
  patch,
  restore,
  type Snapshot,
  snapshotOf,
} from "../support/damage.js";
import { codeOf, failureOf } from "../support/failure.js";
import { FaultyFileSystem } from "../support/faulty-file-system.js";
import {
  appendEach,
  blocksOf,
  expectedValues,
  forgeBlock,
  openLog,
  segmentPath,
  textOf,
  valueAt,
  valuesOf,
} from "../support/log-builder.js";
import { newPath, temporaryDirectory } from "../support/temporary-directory.js";

/** Four records to a segment, each a block: segments 0, 4, 8, 12 and 16, the last with two. */
const OPTIONS = { segmentBytes: 480, indexIntervalBytes: 64 };
const RECORDS = 18;
const SEGMENTS = [0, 4, 8, 12, 16];

let soundLog: Snapshot;
let otherLog: Snapshot;

async function build(): Promise<Snapshot> {
  const directory = mkdtempSync(join(tmpdir(), "seglog-built-"));
  const log = await CommitLog.open(directory, OPTIONS);
  await appendEach(log, RECORDS);
  expect(log.segments().map(({ baseOffset }) => baseOffset)).toEqual(SEGMENTS);
  await log.close();
  const snapshot = snapshotOf(directory);
  rmSync(directory, { recursive: true });
  return snapshot;
}

beforeAll(async () => {
  soundLog = await build();
  otherLog = await build();
});

/** A cleanly closed log in which `damage` was done. */
function damaged(damage: (directory: string) => void): string {
  const directory = newPath();
  restore(directory, soundLog);
  damage(directory);
  return directory;
}

/** What each offset gives, read on its own: the value, or the code of the error. */
async function eachOffset(log: CommitLog): Promise<string[]> {
  const results: string[] = [];
  for (let offset = log.startOffset; offset < log.endOffset; offset++) {
    const alone = await log.read(offset).then(
      ({ value }) => textOf(value),
      (error) => error.code as string,
    );
    const sync = (() => {
      try {
        return textOf(log.readSync(offset).value);
      } catch (error) {
        return (error as { code: string }).code;
      }
    })();
    expect(sync).toBe(alone);
    results.push(alone);
  }
  return results;
}

/** What is read when the offsets in [from, to) are lost and all others are there. */
function allBut(from: number, to: number): string[] {
  return expectedValues(0, RECORDS).map((value, offset) =>
    offset >= from && offset < to ? "CORRUPTION" : value,
  );
}

describe("damage to a sealed segment: the log opens, the rest can be read", () => {
  for (const [name, damage, lost] of [
    [
      "a bit of a body",
      (d) => flipBit(segmentPath(d, 4), blocksOf(d, 4)[1]!.position + 85),
      [5, 6],
    ],
    [
      "a bit of a header",
      (d) => flipBit(segmentPath(d, 4), blocksOf(d, 4)[1]!.position + 25),
      [5, 6],
    ],
    ["its first block", (d) => flipBit(segmentPath(d, 4), blocksOf(d, 4)[0]!.position), [4, 5]],
    ["its last block", (d) => flipBit(segmentPath(d, 4), -1), [7, 8]],
    ["two blocks", (d) => patch(segmentPath(d, 8), (bytes) => bytes.fill(0, 100, 250)), [8, 10]],
    ["its header", (d) => flipBit(segmentPath(d, 4), 30), [4, 8]],
    ["its file, missing", (d) => rmSync(segmentPath(d, 8)), [8, 12]],
    ["its file, empty", (d) => writeFileSync(segmentPath(d, 8), ""), [8, 12]],
    ["its end, a part of a block", (d) => cut(segmentPath(d, 4), -3), [7, 8]],
    ["its end, a whole block", (d) => cut(segmentPath(d, 4), blocksOf(d, 4)[3]!.position), [7, 8]],
    ["all its blocks", (d) => cut(segmentPath(d, 4), 80), [4, 8]],
    [
      "that of another log in its place",
      (d) => writeFileSync(segmentPath(d, 4), otherLog.get("00000000000000000004.log")!),
      [4, 8],
    ],
    [
      "another segment in its place",
      (d) => writeFileSync(segmentPath(d, 4), soundLog.get("00000000000000000008.log")!),
      [4, 8],
    ],
  ] as const satisfies readonly (readonly [
    string,
    (d: string) => void,
    readonly [number, number],
  ])[]) {
    for (const withIndex of [true, false]) {
      test(`${name}, ${withIndex ? "with" : "without"} indexes`, async () => {
        const directory = damaged((d) => {
          damage(d);
          if (withIndex) return;
          for (const base of SEGMENTS) rmSync(segmentPath(d, base, "offsetIndex"), { force: true });
        });
        for (const readOnly of [true, false]) {
          const log = await openLog(directory, { ...OPTIONS, readOnly });
          expect(await eachOffset(log)).toEqual(allBut(lost[0], lost[1]));
          const error = await failureOf(valuesOf(log));
          expect(error.code).toBe("CORRUPTION");
          // What lies behind it can be read from there on.
          expect(await valuesOf(log, lost[1])).toEqual(expectedValues(lost[1], RECORDS));
          if (!readOnly) expect(await log.append(valueAt(RECORDS))).toBe(RECORDS);
          await log.close();
        }
      });
    }
  }
});

test.for(["00000000000000000004.index", "00000000000000000004.log.cut-0"])(
  "no log is made over what is left of one, %s",
  async (name) => {
    const directory = temporaryDirectory();
    writeFileSync(join(directory, name), "remains");
    expect(await codeOf(openLog(directory, OPTIONS))).toBe("CORRUPTION");
    expect(await codeOf(openLog(directory, { readOnly: true }))).toBe("CORRUPTION");
    expect([...snapshotOf(directory).keys()]).toEqual([name]);
  },
);

describe("damage that a clean close proves", () => {
  for (const [name, damage] of [
    ["the first segment is missing", (d) => rmSync(segmentPath(d, 0))],
    ["the newest segment is missing", (d) => rmSync(segmentPath(d, 16))],
    ["all segments are missing", (d) => SEGMENTS.map((base) => rmSync(segmentPath(d, base)))],
    ["the newest segment is cut in a block", (d) => cut(segmentPath(d, 16), -1)],
    [
      "the newest segment is cut behind a block",
      (d) => cut(segmentPath(d, 16), blocksOf(d, 16)[1]!.position),
    ],
    ["the newest segment has lost its header", (d) => flipBit(segmentPath(d, 16), 50)],
    ["the newest segment is empty", (d) => writeFileSync(segmentPath(d, 16), "")],
    [
      "the newest segment is another log's",
      (d) => writeFileSync(segmentPath(d, 16), otherLog.get("00000000000000000016.log")!),
    ],
    ["log.meta is missing", (d) => rmSync(join(d, "log.meta"))],
    ["log.meta is empty", (d) => writeFileSync(join(d, "log.meta"), "")],
    ["log.meta is cut", (d) => cut(join(d, "log.meta"), -1)],
    [
      "log.meta is another log's",
      (d) => writeFileSync(join(d, "log.meta"), otherLog.get("log.meta")!),
    ],
  ] as const satisfies readonly (readonly [string, (d: string) => void])[]) {
    test(`${name}: CORRUPTION, and nothing is changed`, async () => {
      const directory = damaged(damage);
      const before = snapshotOf(directory);
      expect(await codeOf(openLog(directory, OPTIONS))).toBe("CORRUPTION");
      const after = snapshotOf(directory);
      for (const [name, bytes] of before) expect(after.get(name), name).toEqual(bytes);
    });
  }

  test("every bit of log.meta: CORRUPTION", async () => {
    const directory = damaged(() => undefined);
    const path = join(directory, "log.meta");
    const { length } = readFileSync(path);
    for (let position = 0; position < length; position++) {
      flipBit(path, position, position % 8);
      const code = await codeOf(openLog(directory, OPTIONS));
      expect(code, `byte ${position}`).toBe("CORRUPTION");
      flipBit(path, position, position % 8);
    }
    expect((await openLog(directory, OPTIONS)).recovery.kind).toBe("clean");
  });
});

describe("a log of a newer seglog", () => {
  for (const [name, damage] of [
    [
      "metadata of a newer version",
      (d) => forge(join(d, "log.meta"), (b) => b.writeUInt16LE(1, 8)),
    ],
    [
      "metadata with an unknown feature",
      (d) => forge(join(d, "log.meta"), (b) => b.writeUInt32LE(2, 12)),
    ],
    [
      "a segment of a newer version",
      (d) => forge(segmentPath(d, 16), (b) => b.writeUInt16LE(1, 8), 80),
    ],
    [
      "a segment with an unknown feature",
      (d) => forge(segmentPath(d, 16), (b) => b.writeUInt32LE(1, 12), 80),
    ],
  ] as const satisfies readonly (readonly [string, (d: string) => void])[]) {
    test(`${name}: UNSUPPORTED_FORMAT`, async () => {
      const directory = damaged(damage);
      for (const readOnly of [true, false]) {
        expect(await codeOf(openLog(directory, { readOnly }))).toBe("UNSUPPORTED_FORMAT");
      }
    });
  }

  for (const [name, change] of [
    ["an unknown codec", (header: Buffer) => header.writeUInt8(9, 9)],
    ["an unknown attribute", (header: Buffer) => header.writeUInt16LE(0x41, 10)],
  ] as const) {
    test(`a block with ${name}: UNSUPPORTED_FORMAT, not damage`, async () => {
      const directory = damaged((d) => forgeBlock(d, 4, blocksOf(d, 4)[0]!, change));
      const log = await openLog(directory, OPTIONS);
      expect(await codeOf(log.read(4))).toBe("UNSUPPORTED_FORMAT");
      expect(textOf((await log.read(3)).value)).toBe(valueAt(3));
      await log.close();
      // In the tail of an unclean log it is not to be cut off either.
      const unclean = newPath();
      await leaveUnclean(unclean, {}, (each) => appendEach(each, 2));
      forgeBlock(unclean, 0, blocksOf(unclean, 0)[1]!, change);
      expect(await codeOf(openLog(unclean))).toBe("UNSUPPORTED_FORMAT");
    });
  }

  test("attribute bits that may be ignored are", async () => {
    const directory = damaged((d) => {
      const blocks = blocksOf(d, 16);
      forgeBlock(d, 16, blocks[1]!, (header) => header.writeUInt16LE(0x8001, 10));
      // It is the block that log.meta says the log ended with.
      const { checksum } = blocksOf(d, 16)[1]!;
      forge(join(d, "log.meta"), (bytes) => bytes.writeUInt32LE(checksum, 136));
      rmSync(join(d, "00000000000000000016.index"));
    });
    const log = await openLog(directory, { readOnly: true });
    expect(textOf((await log.read(17)).value)).toBe(valueAt(17));
  });
});

describe("lengths that a broken or hostile writer made up, checksums right", () => {
  for (const [name, change] of [
    ["a huge stored length", (h) => h.writeUInt32LE(0xffffffff, 64)],
    ["a huge body", (h) => h.writeUInt32LE(0xfffffff0, 68)],
    [
      "a huge body of LZ4",
      (h) => {
        h.writeUInt8(1, 9);
        h.writeUInt32LE(0x7fffffff, 68);
      },
    ],
    [
      "an LZ4 prefix of 2 GiB",
      (h, b) => {
        h.writeUInt8(1, 9);
        b.writeUInt32LE(0x7fffffff, 0);
        h.writeUInt32LE(0x7fffffff, 68);
      },
    ],
    [
      "an LZ4 body that does not decode",
      (h, b) => {
        h.writeUInt8(1, 9);
        b.fill(0xff);
        b.writeUInt32LE(b.length, 0);
      },
    ],
    ["a huge count", (h) => h.writeUInt32LE(0xffffffff, 20)],
    ["no records", (h) => h.writeUInt32LE(0, 20)],
    ["a last offset beyond 2^53", (h) => h.writeUInt32LE(0xffffffff, 36)],
    ["a last offset before the first", (h) => h.writeUInt32LE(0, 32)],
    ["a record that ends behind the body", (_, b) => b.writeUInt32LE(1000, b.length - 4)],
    [
      "a structured record with a huge key",
      (h, b) => {
        h.writeUInt16LE(3, 10);
        b.fill(0xff, 0, 5);
        b[0] = 1;
      },
    ],
    [
      "a structured record with 2^32 headers",
      (h, b) => {
        h.writeUInt16LE(3, 10);
        b.fill(0xff, 0, 6);
        b[0] = 2;
        b[5] = 0x0f;
      },
    ],
  ] as const satisfies readonly (readonly [string, (header: Buffer, body: Buffer) => void])[]) {
    test(`${name}: CORRUPTION, and no large allocation`, async () => {
      const directory = damaged((d) => {
        forgeBlock(d, 4, blocksOf(d, 4)[1]!, change);
        rmSync(segmentPath(d, 4, "offsetIndex"));
      });
      const log = await openLog(directory, OPTIONS);
      const before = process.memoryUsage();
      expect(await codeOf(log.read(5))).toBe("CORRUPTION");
      expect(await codeOf(valuesOf(log))).toBe("CORRUPTION");
      const after = process.memoryUsage();
      expect(
        after.arrayBuffers + after.external - before.arrayBuffers - before.external,
      ).toBeLessThan(2 ** 26);
      expect(await valuesOf(log, 8)).toEqual(expectedValues(8, RECORDS));
    });
  }
});

describe("an index", () => {
  const index = (d: string) => segmentPath(d, 4, "offsetIndex");
  const times = (d: string) => segmentPath(d, 4, "timeIndex");
  for (const [name, damage] of [
    ["missing", (d) => rmSync(index(d))],
    ["of times missing", (d) => rmSync(times(d))],
    ["empty", (d) => writeFileSync(index(d), "")],
    ["cut", (d) => cut(index(d), -1)],
    ["too long", (d) => extend(index(d), new Uint8Array(8))],
    ["with a flipped bit in its header", (d) => flipBit(index(d), 60)],
    ["with a flipped bit in its entries", (d) => flipBit(index(d), -3)],
    [
      "of another segment",
      (d) => writeFileSync(index(d), soundLog.get("00000000000000000008.index")!),
    ],
    ["of another log", (d) => writeFileSync(index(d), otherLog.get("00000000000000000004.index")!)],
    [
      "of offsets where that of times should be",
      (d) => writeFileSync(times(d), soundLog.get("00000000000000000004.index")!),
    ],
    ["that is a directory's worth of zeros", (d) => writeFileSync(index(d), new Uint8Array(5000))],
    ["with a forged count", (d) => forge(index(d), (b) => b.writeUInt32LE(0xffffffff, 16), 104)],
  ] as const satisfies readonly (readonly [string, (d: string) => void])[]) {
    test(`${name} is built anew, and saved`, async () => {
      const directory = damaged(damage);
      const system = new FaultyFileSystem();
      const log = await openLog(directory, OPTIONS, { fileSystem: system });
      expect(await eachOffset(log)).toEqual(expectedValues(0, RECORDS));
      expect(await valuesOf(log)).toEqual(expectedValues(0, RECORDS));
      await log.close();
      expect(readFileSync(index(directory))).toEqual(soundLog.get("00000000000000000004.index"));
      expect(readFileSync(times(directory))).toEqual(
        soundLog.get("00000000000000000004.timeindex"),
      );
    });
  }

  test("that announces more entries than its segment has room for takes no memory", async () => {
    const count = 2 ** 26;
    const directory = damaged((d) => forge(index(d), (b) => b.writeUInt32LE(count, 16), 104));
    const system = new FaultyFileSystem();
    const log = await openLog(directory, OPTIONS, { fileSystem: system });
    expect(textOf((await log.read(5)).value)).toBe(expectedValues(5, 6)[0]);
    // Memory is taken to read into, so how much is asked for tells; a heap may be swept meanwhile.
    const asked = system.operations.map(({ kind, bytes = 0 }) => (kind === "read" ? bytes : 0));
    expect(Math.max(...asked)).toBeLessThan(count);
  });

  test("that is being saved when the log closes is saved before the lock is gone", async () => {
    const directory = damaged((d) => rmSync(index(d)));
    const system = new FaultyFileSystem();
    const log = await openLog(directory, OPTIONS, { fileSystem: system });
    const hold = system.hold({ kind: "write", path: /0004\.timeindex$/ });
    await log.read(5);
    await hold.reached;
    const closing = log.close();
    expect(await codeOf(openLog(directory))).toBe("LOCKED");
    hold.release();
    await closing;
    expect(system.operations.at(-1)).toMatchObject({
      kind: "close",
      path: join(directory, "LOCK"),
    });
    expect(system.openPaths).toEqual([]);
  });

  for (const [name, entries] of [
    [
      "positions inside of blocks",
      [
        [0, 85],
        [1, 171],
        [2, 300],
        [3, 400],
      ],
    ],
    [
      "positions behind the end",
      [
        [0, 0xffffffff],
        [1, 0xfffffff0],
        [2, 0xfffffff1],
        [3, 4096],
      ],
    ],
    [
      "positions before the first block",
      [
        [0, 0],
        [1, 1],
        [2, 2],
        [3, 3],
      ],
    ],
    [
      "positions of other blocks",
      [
        [0, 271],
        [1, 80],
        [2, 366],
        [3, 175],
      ],
    ],
    [
      "offsets of other blocks",
      [
        [3, 80],
        [2, 175],
        [1, 271],
        [0, 366],
      ],
    ],
    [
      "offsets beyond the segment",
      [
        [100, 80],
        [200, 175],
        [300, 271],
        [400, 366],
      ],
    ],
  ] as const) {
    test(`with right checksums and ${name} does no harm`, async () => {
      const { checksum } = await import("../../src/format/checksum.js");
      const directory = damaged((d) => {
        patch(index(d), (bytes) => {
          entries.forEach(([offset, position], at) => {
            if (104 + at * 8 >= bytes.length) return;
            bytes.writeUInt32LE(offset, 104 + at * 8);
            bytes.writeUInt32LE(position, 108 + at * 8);
          });
          bytes.writeUInt32LE(checksum(bytes.subarray(104)), 20);
        });
        forge(index(d), () => undefined, 104);
      });
      for (const readOnly of [true, false]) {
        const log = await openLog(directory, { ...OPTIONS, readOnly });
        expect(await eachOffset(log)).toEqual(expectedValues(0, RECORDS));
        for (let from = 0; from < RECORDS; from++) {
          expect(await valuesOf(log, from)).toEqual(expectedValues(from, RECORDS));
        }
        await log.close();
      }
    });
  }
});

describe("what lies about in the directory", () => {
  const LEFTOVERS = [
    "00000000000000000020.log.tmp",
    "00000000000000000016.log.tmp",
    "00000000000000000004.index.tmp",
    "log.meta.tmp",
    "published.tmp",
    "00000000000000000016.log.cut-80-1.tmp",
    // Indexes of segments that are gone.
    "00000000000000000099.index",
    "00000000000000000099.timeindex",
  ];

  test("left-over temporary files and stray indexes are removed, everything else stays", async () => {
    const kept = ["notes.txt", "00000000000000000016.log.cut-80-1", "other.tmp", "5.log"];
    const directory = damaged((d) => {
      for (const name of [...LEFTOVERS, ...kept]) writeFileSync(join(d, name), "left over");
    });
    const log = await openLog(directory, OPTIONS);
    expect(log.recovery.kind).toBe("clean");
    expect(await valuesOf(log)).toEqual(expectedValues(0, RECORDS));
    const names = [...snapshotOf(directory).keys()];
    for (const name of LEFTOVERS) expect(names).not.toContain(name);
    for (const name of kept) expect(names).toContain(name);
    expect(log.recovery.removedFiles.length).toBeGreaterThanOrEqual(LEFTOVERS.length - 1);
  });

  test("an older copy of log.meta, of an earlier epoch, is told", async () => {
    const directory = damaged(() => undefined);
    const old = readFileSync(join(directory, "log.meta"));
    const log = await openLog(directory, OPTIONS);
    await log.truncateTo(10);
    // As many as there were, so that nothing but the epoch tells.
    await appendEach(log, RECORDS);
    await log.close();
    writeFileSync(join(directory, "log.meta"), old);
    const failure = await failureOf(openLog(directory, OPTIONS));
    expect(failure).toMatchObject({ code: "CORRUPTION", file: join(directory, "log.meta") });
  });

  test("an older copy of log.meta, of the same epoch, costs a look at the tail", async () => {
    const directory = damaged(() => undefined);
    const old = readFileSync(join(directory, "log.meta"));
    const log = await openLog(directory, OPTIONS);
    await appendEach(log, 5);
    await log.close();
    writeFileSync(join(directory, "log.meta"), old);
    const again = await openLog(directory, OPTIONS);
    expect(again.recovery.kind).toBe("unclean");
    expect(await valuesOf(again)).toEqual(expectedValues(0, RECORDS + 5));
  });

  test("log.meta of a copy of the log that went on differently is told", async () => {
    const directory = damaged(() => undefined);
    const copy = newPath();
    cpSync(directory, copy, { recursive: true });
    for (const [path, value] of [
      [directory, "one"],
      [copy, "two"],
    ] as const) {
      const log = await openLog(path, OPTIONS);
      await log.append({ value, timestamp: 1 });
      await log.close();
    }
    cpSync(join(copy, "log.meta"), join(directory, "log.meta"));
    // Nobody knows which of the two was meant; what the marker says of the end is not so.
    for (const readOnly of [true, false]) {
      expect(await codeOf(openLog(directory, { readOnly }))).toBe("CORRUPTION");
    }
  });

  test("the marker of a clean close is void before the first write", async () => {
    const directory = damaged(() => undefined);
    const system = new FaultyFileSystem();
    const log = await openLog(directory, OPTIONS, { fileSystem: system });
    system.forget();
    await appendEach(log, 1);
    const steps = system.matching({ kind: ["write", "syncDirectory"] });
    const voided = steps.findIndex(({ kind }) => kind === "syncDirectory");
    const written = steps.findIndex(({ kind, path }) => kind === "write" && path.endsWith(".log"));
    expect(voided).toBeGreaterThanOrEqual(0);
    expect(written).toBeGreaterThan(voided);
    // And an open that writes nothing leaves it as it is.
    await log.close();
    const quiet = new FaultyFileSystem();
    const reader = await openLog(directory, OPTIONS, { fileSystem: quiet });
    await valuesOf(reader);
    await reader.close();
    expect(quiet.matching({ path: /log\.meta\.tmp$/ })).toEqual([]);
  });

  test("a renamed segment is not taken for another one", async () => {
    const directory = damaged((d) => renameSync(segmentPath(d, 16), segmentPath(d, 17)));
    expect(await codeOf(openLog(directory, OPTIONS))).toBe("CORRUPTION");
  });
});
