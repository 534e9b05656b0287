import { execFileSync } from "node:child_process";
import { existsSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { CommitLog } from "../../src/index.js";
import { temporaryDirectory } from "../support/temporary-directory.js";
import { FORGED_BLOCKS, forgedLog, forgeIndexes, lz4Bomb } from "./forged-lengths.js";

const DIST = new URL("../../dist/index.js", import.meta.url).href;

/**
 * Opens a sound log to load and warm up what there is, then those given, in every way; tells what
 * came of each, and by how much the process grew: its address space, where memory that was asked
 * for counts, whether it was ever touched or not, and what was in memory at most.
 */
const READER = `
  import { readFileSync } from "node:fs";
  const { CommitLog } = await import(${JSON.stringify(DIST)});
  const peak = (what) =>
    Number(new RegExp(what + ":\\\\s+(\\\\d+) kB").exec(readFileSync("/proc/self/status"))[1]) * 1024;
  const attempt = async (run) => {
    try {
      await run();
      return "ok";
    } catch (error) {
      return error.code ?? error.stack;
    }
  };
  const open = async (directory) => {
    const outcomes = [];
    for (const readOnly of [true, false]) {
      outcomes.push(await attempt(async () => {
        const log = await CommitLog.open(directory, { readOnly, onError: () => undefined });
        try {
          const outcome = [
            await attempt(() => log.read(log.startOffset)),
            await attempt(() => log.readSync(log.startOffset)),
            await attempt(() => log.offsetForTimestamp(1001)),
            await attempt(() => log.segments()),
            await attempt(async () => {
              for await (const batch of log.batches()) for (const record of batch) record.value;
            }),
          ];
          const failed = outcome.filter((each) => each !== "ok");
          if (failed.length > 0) throw Object.assign(new Error(), { code: failed[0] });
        } finally {
          await log.close();
        }
      }));
    }
    return outcomes;
  };
  const [sound, ...hostile] = process.argv.slice(1);
  for (let round = 0; round < 20; round++) await open(sound);
  const [asked, held] = [peak("VmPeak"), peak("VmHWM")];
  const outcomes = {};
  for (const directory of hostile) outcomes[directory] = await open(directory);
  console.log(JSON.stringify({ outcomes, asked: peak("VmPeak") - asked, held: peak("VmHWM") - held }));
`;

interface Told {
  readonly outcomes: Readonly<Record<string, readonly string[]>>;
  /** Bytes of address space. */
  readonly asked: number;
  /** Bytes of memory. */
  readonly held: number;
}

async function read(directories: readonly string[]): Promise<Told> {
  const sound = join(temporaryDirectory(), "sound");
  const log = await CommitLog.open(sound, { compression: "lz4", durability: "os" });
  await log.appendBatch(Array.from({ length: 100 }, () => "x".repeat(100)));
  await log.close();
  const args = ["--max-old-space-size=64", "--input-type=module", "-e", READER, sound];
  return JSON.parse(execFileSync(process.execPath, [...args, ...directories]).toString());
}

const MIB = 1024 * 1024;

// The address space of a process is told by Linux alone.
describe.skipIf(!existsSync("/proc/self/status"))("forged lengths", () => {
  it("cost a typed error and no memory", { timeout: 60_000 }, async () => {
    const root = temporaryDirectory();
    const directories: string[] = [];
    for (const [what, parts] of Object.entries(FORGED_BLOCKS)) {
      for (const indexes of ["none", "of 2^32 - 1 entries"]) {
        const directory = join(root, `${what}, indexes ${indexes}`);
        forgedLog(directory, parts);
        if (indexes !== "none") forgeIndexes(directory, 2 ** 32 - 1);
        directories.push(directory);
      }
    }
    const { outcomes, asked } = await read(directories);
    for (const [directory, codes] of Object.entries(outcomes)) {
      expect(codes, directory).toEqual(["CORRUPTION", "CORRUPTION"]);
    }
    expect(Object.keys(outcomes)).toHaveLength(directories.length);
    expect(asked).toBeLessThan(48 * MIB);
  });

  it("of files that claim a tebibyte cost no more than a bound", { timeout: 60_000 }, async () => {
    const root = temporaryDirectory();
    const names = ["log.meta", "published", "LOCK", "00000000000000000000.index"];
    const directories = names.map((name) => {
      const directory = join(root, name);
      forgedLog(directory, { body: Buffer.from("v\u0001\0\0\0") });
      forgeIndexes(directory, 2 ** 32 - 1);
      writeFileSync(join(directory, name), "");
      truncateSync(join(directory, name), 2 ** 40);
      return directory;
    });
    const { outcomes, asked } = await read(directories);
    for (const codes of Object.values(outcomes)) {
      for (const code of codes) expect(["ok", "CORRUPTION"]).toContain(code);
    }
    // `published` is read whole up to 128 MiB.
    expect(asked).toBeLessThan(512 * MIB);
  });

  it("within the limit are honoured once, not for every block", { timeout: 60_000 }, async () => {
    const directory = join(temporaryDirectory(), "bomb");
    forgedLog(directory, lz4Bomb());
    const { outcomes, held } = await read([directory]);
    expect(outcomes[directory]).toEqual(["ok", "ok"]);
    expect(held).toBeGreaterThan(99 * MIB);
    // One that is read, one that is decoded, one that waits to be collected, and room to spare.
    expect(held).toBeLessThan(600 * MIB);
  });
});
