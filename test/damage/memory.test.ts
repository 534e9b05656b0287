import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { checksum } from "../../src/format/checksum.js";
import { DIST, runModule } from "../package/child.js";
import { temporaryDirectory } from "../support/temporary-directory.js";
import { type Image, withFile } from "./image.js";
import { keyOf, kindOf, layoutOf } from "./layout.js";
import { makeSample } from "./sample.js";

/** The log that is forged and read. */
const KEY = "a";

/** What a field is set to that holds a length, a count, a position or an offset. */
const VALUES = [0xffff_ffff, 0x7fff_ffff, 0x0800_0000];

/** Fields of the files that begin with a checksum: [position, bytes], and what it covers. */
const FIELDS: Readonly<Record<string, { covers: number; fields: readonly [number, number][] }>> = {
  "log.meta": {
    covers: 144,
    fields: [
      [10, 2],
      [40, 8],
      [48, 8],
      [104, 8],
      [112, 8],
      [120, 8],
      [128, 4],
      [132, 4],
    ],
  },
  "store.meta": { covers: 48, fields: [[10, 2]] },
  data: {
    covers: 80,
    fields: [
      [10, 2],
      [40, 8],
      [48, 8],
      [64, 8],
    ],
  },
  offsetIndex: {
    covers: 104,
    fields: [
      [10, 2],
      [16, 4],
      [32, 4],
      [36, 4],
      [40, 8],
      [48, 8],
      [56, 8],
      [64, 8],
      [72, 8],
    ],
  },
  timeIndex: {
    covers: 104,
    fields: [
      [10, 2],
      [16, 4],
      [32, 4],
      [36, 4],
      [48, 8],
    ],
  },
  published: { covers: 64, fields: [[10, 2]] },
  checkpoint: { covers: 56, fields: [[10, 2]] },
};
/** Lengths and counts of a block's header, which has a checksum of its own. */
const BLOCK_FIELDS: readonly [number, number][] = [
  [8, 1],
  [12, 4],
  [20, 4],
  [24, 8],
  [32, 8],
  [48, 8],
  [56, 8],
  [64, 4],
  [68, 4],
];

function set(bytes: Buffer, [position, width]: readonly [number, number], value: number): void {
  const low = width === 8 ? value : value % 2 ** (8 * width);
  bytes.writeUIntLE(low, position, Math.min(width, 6));
}

/** The store with one field of one file forged, and the checksum over it right. */
function* forged(image: Image): Generator<Image> {
  for (const [path, sound] of image) {
    if (keyOf(path) !== undefined && keyOf(path) !== KEY) continue;
    const { covers, fields } = FIELDS[kindOf(path)] ?? { covers: 0, fields: [] };
    for (const field of fields) {
      for (const value of VALUES) {
        const bytes = Buffer.from(sound);
        set(bytes, field, value);
        bytes.writeUInt32LE(checksum(bytes.subarray(4, covers)), 0);
        yield withFile(image, path, bytes);
      }
    }
    if (kindOf(path) === "data") yield* forgedBlocks(image, path);
    if (kindOf(path) === "checkpoint") yield* forgedFrames(image, path);
  }
}

function* forgedBlocks(image: Image, path: string): Generator<Image> {
  const { blocks, header } = layoutOf(image, path);
  for (const block of blocks.slice(0, 1)) {
    const bodyStart = block.position + block.headerLength;
    const inBody = [bodyStart, bodyStart + 1, block.endPosition - 4];
    for (const value of VALUES) {
      const change = (alter: (bytes: Buffer) => void) => {
        const bytes = Buffer.from(image.get(path)!);
        alter(bytes);
        const body = bytes.subarray(bodyStart, block.endPosition);
        bytes.writeUInt32LE(checksum(body), block.position + 72);
        const covered = bytes.subarray(block.position + 4, bodyStart);
        bytes.writeUInt32LE(checksum(covered, header.blockSeed), block.position);
        return withFile(image, path, bytes);
      };
      for (const [position, width] of BLOCK_FIELDS) {
        yield change((bytes) => set(bytes, [block.position + position, width], value));
      }
      // The length before an LZ4 body, the length of a key, the table of record ends.
      for (const position of inBody) yield change((bytes) => bytes.writeUInt32LE(value, position));
      yield change((bytes) => {
        set(bytes, [block.position + 68, 4], value);
        bytes.writeUInt32LE(value, bodyStart);
      });
    }
  }
}

function* forgedFrames(image: Image, path: string): Generator<Image> {
  const sound = image.get(path)!;
  for (const position of [56 + 4, 56 + 8, 56 + 12, 56 + 13, 56 + 14, 56 + 15]) {
    for (const value of VALUES) {
      const bytes = Buffer.from(sound);
      bytes.writeUInt32LE(value, position);
      const end = 56 + 12 + Math.min(bytes.readUInt32LE(60), bytes.length - 68);
      bytes.writeUInt32LE(checksum(bytes.subarray(60, end), bytes.readUInt32LE(0)), 56);
      yield withFile(image, path, bytes);
    }
  }
}

/** Does everything with each store; prints what failed without a code, and the most memory. */
const CHILD = `
  const { LogStore } = await import(${JSON.stringify(DIST)} + "index.js");
  const { createEnvironment } = await import(${JSON.stringify(DIST)} + "log/environment.js");
  const { verifyStore } = await import(${JSON.stringify(DIST)} + "cli/verify-store.js");
  const { rm } = await import("node:fs/promises");
  const [root, count, key] = process.argv.slice(1);
  const untyped = [];
  const failures = {};
  const attempt = async (what, run) => {
    try {
      return await run();
    } catch (error) {
      if (error?.name !== "SeglogError" && error?.name !== "CorruptionError" && error?.code !== "OFFSET_OUT_OF_RANGE") {
        untyped.push(what + ": " + (error?.stack ?? error));
      }
      failures[error?.code] = (failures[error?.code] ?? 0) + 1;
    }
  };
  for (let number = 0; number < Number(count); number++) {
    const directory = root + "/" + number;
    await attempt(number + " verify", () => verifyStore(createEnvironment(), directory, () => {}));
    for (const readOnly of [true, false]) {
      const store = await attempt(number + " open", () => LogStore.open(directory, { readOnly }));
      if (store === undefined) continue;
      {
        const log = await attempt(number + " log", () => store.log(key));
        if (log === undefined) { await store.close(); continue; }
        await attempt(number + " records", async () => {
          for await (const record of log.records()) if (record.value.length > 1000) throw new Error("too long");
        });
        for (let offset = log.startOffset; offset < Math.min(log.endOffset, 20); offset++) {
          await attempt(number + " read", () => log.read(offset));
        }
        await attempt(number + " search", () => log.offsetForTimestamp(1_700_000_000_100));
      }
      await attempt(number + " committed", () => store.group("g").committed());
      await attempt(number + " close", () => store.close());
    }
    await rm(directory, { recursive: true });
  }
  console.log(JSON.stringify({
    untyped: untyped.slice(0, 5), failures, maxMiB: Math.round(process.resourceUsage().maxRSS / 1024),
  }));
`;

/** What the system lets the process have of memory that it can write to. */
const LIMIT_KIB = 640 * 1024;

test("forged lengths and counts: typed errors, under a limit on memory", {
  timeout: 600_000,
}, async () => {
  const { killed } = await makeSample("one");
  const root = temporaryDirectory();
  let count = 0;
  for (const image of forged(killed.image)) {
    for (const [path, bytes] of image) {
      if (keyOf(path) !== undefined && keyOf(path) !== KEY) continue;
      const target = join(root, `${count}`, path);
      mkdirSync(dirname(target), { recursive: true });
      writeFileSync(target, bytes);
    }
    count++;
  }
  expect(count).toBeGreaterThan(200);
  const result = runModule(CHILD, [root, `${count}`, KEY], `-d ${LIMIT_KIB}`) as {
    readonly untyped: readonly string[];
    readonly failures: Readonly<Record<string, number>>;
    readonly maxMiB: number;
  };
  console.info(`${count} forged stores: ${JSON.stringify(result)}`);
  expect(result.untyped).toEqual([]);
  expect(result.failures.CORRUPTION).toBeGreaterThan(count / 2);
  expect(result.maxMiB).toBeLessThan(256);
  // The limit is one that what is forged would exceed.
  const greedy = "Buffer.alloc(0x7fffffff).fill(1); console.log(1)";
  expect(() => runModule(greedy, [], `-d ${LIMIT_KIB}`)).toThrow(/exit/);
});
