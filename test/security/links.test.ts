import { lstatSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { SeglogError } from "../../src/errors.js";
import { CommitLog, LogStore } from "../../src/index.js";
import { seglog } from "../cli/program.js";
import { leaveUnclean as leaveStoreUnclean } from "../store/stores.js";
import { leaveUnclean } from "../support/crash.js";
import { appendEach } from "../support/log-builder.js";
import { temporaryDirectory } from "../support/temporary-directory.js";
import { OBSTACLES, obstruct } from "./obstacles.js";

/** The code that `run` fails with, or "ok". */
async function outcomeOf(run: () => Promise<unknown>): Promise<string> {
  try {
    await run();
    return "ok";
  } catch (error) {
    if (!(error instanceof SeglogError)) throw error;
    return error.code;
  }
}

async function readAll(log: CommitLog): Promise<void> {
  for await (const _ of log.records());
  if (log.endOffset > log.startOffset) log.readSync(log.startOffset);
  await log.offsetForTimestamp(1);
}

const SMALL = { segmentBytes: 400, indexIntervalBytes: 64, durability: "os" } as const;

/** A log of several segments that was killed, so that opening it reads and replaces files. */
async function killedLog(): Promise<string> {
  const directory = join(temporaryDirectory(), "data");
  await leaveUnclean(directory, SMALL, (log) => appendEach(log, 12));
  return directory;
}

async function killedStore(): Promise<string> {
  const directory = join(temporaryDirectory(), "data");
  await leaveStoreUnclean(directory, SMALL, async (store) => {
    for (const key of ["k", "other"]) await store.append(key, "v");
    await store.group("g").commit({ k: 1 });
  });
  return directory;
}

const LOG_WAYS: Record<string, (directory: string) => Promise<unknown>> = {
  "for writing": async (directory) => {
    await using log = await CommitLog.open(directory, SMALL);
    await readAll(log);
    await appendEach(log, 6);
    await log.truncateTo(log.endOffset - 1);
  },
  "for reading": async (directory) => {
    await using log = await CommitLog.open(directory, { readOnly: true });
    await readAll(log);
  },
};

const STORE_WAYS: Record<string, (directory: string) => Promise<unknown>> = {
  "for writing": async (directory) => {
    await using store = await LogStore.open(directory, SMALL);
    await store.append("k", "v");
    await store.read("k", 0);
    await store.group("g").commit({ k: 2 });
    await store.append("new", "v");
    await store.deleteKey("k");
  },
  "for reading": async (directory) => {
    await using store = await LogStore.open(directory, { readOnly: true });
    await store.read("k", 0);
    await store.group("g").committed();
  },
};

/** Runs every command that reads, and repair, which may write. */
async function runCommands(directory: string, key: readonly string[], name: string) {
  const cwd = join(directory, "..");
  const commands = [
    ["verify", "data"],
    ["inspect", "data"],
    ["inspect", "data", ...key],
    ["cat", "data", ...key],
    ["dump", join("data", name)],
    ["repair", "data", "--dry-run"],
    ["repair", "data", "--salvage", "saved"],
    ...(key.length > 0 ? [["offsets", "data"]] : []),
    ["repair", "data"],
  ];
  const codes: Record<string, number | null> = {};
  for (const args of commands) {
    const { code, err } = await seglog(cwd, args);
    expect([0, 1, 2], `${args.join(" ")}: ${err}`).toContain(code);
    expect(err).not.toMatch(/INTERNAL|USAGE/);
    codes[args.slice(0, 3).join(" ")] = code;
  }
  return codes;
}

const NEVER_READ = ["ok"];
const REFUSED = ["UNSAFE_PATH"];

/** What stands in the place of each file of a log, and which ways of opening then end how. */
const LOG_PLACES: readonly (readonly [name: string, writing: string[], reading: string[]])[] = [
  ["log.meta", REFUSED, REFUSED],
  ["00000000000000000000.log", REFUSED, REFUSED],
  ["00000000000000000000.index", REFUSED, REFUSED],
  ["00000000000000000000.timeindex", REFUSED, REFUSED],
  ["active", REFUSED, REFUSED],
  ["published", REFUSED, REFUSED],
  ["LOCK", REFUSED, NEVER_READ],
  // A link or a pipe is removed as what it is. A directory is not: nothing makes one.
  ["log.meta.tmp", [...NEVER_READ, ...REFUSED], NEVER_READ],
  ["published.tmp", REFUSED, NEVER_READ],
  ["active.tmp", [...NEVER_READ, ...REFUSED], NEVER_READ],
];

const STORE_PLACES: typeof LOG_PLACES = [
  ["store.meta", REFUSED, REFUSED],
  ["committed-offsets", REFUSED, REFUSED],
  ["published", REFUSED, REFUSED],
  ["LOCK", REFUSED, NEVER_READ],
  ["logs", REFUSED, REFUSED],
  [join("logs", "k"), REFUSED, REFUSED],
  [join("logs", "k", "log.meta"), REFUSED, REFUSED],
  ["store.meta.tmp", [...NEVER_READ, ...REFUSED], NEVER_READ],
  ["committed-offsets.tmp", [...NEVER_READ, ...REFUSED], NEVER_READ],
  ["published.tmp", REFUSED, NEVER_READ],
  [join("logs", ".new-k"), NEVER_READ, NEVER_READ],
  [join("logs", ".deleted-k"), [...NEVER_READ, ...REFUSED], [...NEVER_READ, ...REFUSED]],
];

/** The file at a place of the tables above, relative to the directory. */
function fileAt(directory: string, place: string): string {
  const isSegment = (name: string) => /^[0-9]{20}\.log$/.test(name);
  const active = readdirSync(directory).filter(isSegment).sort().at(-1);
  return place.replace("active", active ?? "");
}

function suite(
  what: string,
  make: () => Promise<string>,
  ways: typeof LOG_WAYS,
  places: typeof LOG_PLACES,
  key: readonly string[],
): void {
  describe.each(OBSTACLES)(`${what} with a %s`, (obstacle) => {
    it.each(places)("in the place of %s", async (place, writing, reading) => {
      const isDirectory = place === "logs" || place === join("logs", "k");
      if (obstacle === "directory" && isDirectory) return;
      for (const [way, open] of Object.entries(ways)) {
        const directory = await make();
        const path = join(directory, fileAt(directory, place));
        const assertUntouched = obstruct(path, obstacle);
        const outcome = await outcomeOf(() => open(directory));
        expect(way === "for writing" ? writing : reading, way).toContain(outcome);
        assertUntouched();
      }
      const directory = await make();
      const name = fileAt(directory, place);
      const assertUntouched = obstruct(join(directory, name), obstacle);
      const codes = await runCommands(directory, key, name);
      assertUntouched();
      expect(codes[`dump ${join("data", name)}`]).toBe(2);
      // What readers refuse, no command reads past.
      if (!reading.includes("ok")) expect(codes["verify data"], JSON.stringify(codes)).toBe(2);
      if (!writing.includes("ok")) expect(lstatSync(join(directory, name)).isFile()).toBe(false);
    });
  });
}

suite("a log", killedLog, LOG_WAYS, LOG_PLACES, []);
suite("a store", killedStore, STORE_WAYS, STORE_PLACES, ["--key", "k"]);
