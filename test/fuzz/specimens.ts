import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { CommitLog, LogStore } from "../../src/index.js";
import { EVIL } from "../cli/samples.js";
import { leaveUnclean } from "../support/crash.js";

/** A data directory in memory: what each file holds, by its path. */
export type Tree = ReadonlyMap<string, Buffer>;

/** A log or a store to be put out of order. */
export interface Specimen {
  readonly name: string;
  readonly kind: "log" | "store";
  readonly files: Tree;
}

/** Reads a directory with all below it. */
export function readTree(directory: string): Tree {
  const files = new Map<string, Buffer>();
  for (const name of readdirSync(directory, { recursive: true, encoding: "utf8" }).sort()) {
    const path = join(directory, name);
    if (statSync(path).isFile()) files.set(name, readFileSync(path));
  }
  return files;
}

/** Makes a directory hold exactly these files. */
export function writeTree(directory: string, files: Tree): void {
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory, { recursive: true });
  for (const [name, bytes] of files) {
    mkdirSync(dirname(join(directory, name)), { recursive: true });
    writeFileSync(join(directory, name), bytes);
  }
}

const GOLDEN = fileURLToPath(new URL("../../fixtures/golden/v0", import.meta.url));

/** The golden files, and what the sources write now. */
export async function collectSpecimens(): Promise<readonly Specimen[]> {
  const golden = ["clean-log", "killed-log", "crafted-log"].map(
    (name): Specimen => ({ name, kind: "log", files: readTree(join(GOLDEN, name, "log")) }),
  );
  golden.push({ name: "store", kind: "store", files: readTree(join(GOLDEN, "store", "store")) });
  const directory = mkdtempSync(join(tmpdir(), "seglog-fuzz-"));
  try {
    await makeLog(join(directory, "new-log"));
    await makeKilledLog(join(directory, "new-killed-log"));
    await makeStore(join(directory, "new-store"));
    await makeEvilStore(join(directory, "evil-store"));
    const made = [
      ["new-log", "log"],
      ["new-killed-log", "log"],
      ["new-store", "store"],
      ["evil-store", "store"],
    ] as const;
    const fresh = made.map(([name, kind]) => ({
      name,
      kind,
      files: readTree(join(directory, name)),
    }));
    return [...golden, ...fresh];
  } finally {
    rmSync(directory, { recursive: true });
  }
}

const SMALL = { segmentBytes: 1500, blockBytes: 512, indexIntervalBytes: 256 } as const;

async function makeLog(directory: string): Promise<void> {
  const log = await CommitLog.open(directory, { ...SMALL, compression: "lz4", durability: "os" });
  for (let batch = 0; batch < 12; batch++) {
    const records = Array.from({ length: 9 }, (_, index) => ({
      value: `record ${batch} ${index} ${"-".repeat(40)}`,
      ...(index % 3 === 0 ? { key: `key ${index}`, headers: { a: "b", c: "" } } : {}),
      timestamp: 1_600_000_000_000 + batch * 1000 + (index % 4),
    }));
    await log.appendBatch(records);
  }
  await log.truncateTo(100);
  await log.deleteBefore(13);
  await log.appendBatch(["after", "the", "truncation"]);
  await log.close();
}

async function makeKilledLog(directory: string): Promise<void> {
  await leaveUnclean(directory, SMALL, async (log) => {
    for (let batch = 0; batch < 30; batch++) {
      await log.appendBatch([`one of ${batch}`, `other of ${batch}`]);
    }
  });
}

async function makeStore(directory: string): Promise<void> {
  const store = await LogStore.open(directory, { ...SMALL, durability: "os" });
  for (const key of ["a", "B/c", "__proto__"]) {
    for (let batch = 0; batch < 4; batch++) {
      await store.appendBatch(key, [`${key} ${batch}`, { value: "x", key: "y" }]);
    }
  }
  await store.group("g").commit({ a: 3, "B/c": 8 });
  await store.group("g").seek({ a: 1 });
  await store.group("__proto__").commit(new Map([["__proto__", 2]]));
  await store.deleteKey("B/c");
  await store.close();
}

/** Everything in it that can hold text holds text that would harm a terminal. */
async function makeEvilStore(directory: string): Promise<void> {
  const store = await LogStore.open(directory, { ...SMALL, durability: "os" });
  for (const key of ["plain", EVIL, `a\n${EVIL}`]) {
    const evil = { value: EVIL, key: EVIL, headers: { [EVIL]: EVIL, "\r\n": "\r\n" } };
    await store.appendBatch(key, [evil, EVIL, Uint8Array.of(0x9b, 0x1b, 0xff, 0x0a)]);
    await store.group(EVIL).commit(new Map([[key, 1]]));
  }
  await store.close();
  writeFileSync(join(directory, `foreign ${EVIL}`), "");
  mkdirSync(join(directory, "logs", `foreign ${EVIL}`));
  writeFileSync(join(directory, "logs", "plain", `foreign ${EVIL}`), "");
  writeFileSync(join(directory, "logs", "plain", `${EVIL}.cut-1`), "");
}
