import { lstatSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import type { FileSystem, OpenFile } from "../../src/files/file-system.js";
import { nodeFileSystem } from "../../src/files/node-file-system.js";
import { CommitLog } from "../../src/log/commit-log.js";
import { createEnvironment } from "../../src/log/environment.js";
import { LogStore } from "../../src/store/log-store.js";
import { seglog } from "../cli/program.js";
import { extend } from "../support/damage.js";
import { temporaryDirectory } from "../support/temporary-directory.js";

/** Throws if anybody but its owner may use anything at or below `directory`. */
function assertPrivate(directory: string, seen: Set<string>): void {
  for (const name of readdirSync(directory, { recursive: true, encoding: "utf8" })) {
    const stats = lstatSync(join(directory, name), { throwIfNoEntry: false });
    if (stats === undefined) continue;
    seen.add(name);
    const wanted = stats.isDirectory() ? 0o700 : 0o600;
    expect((stats.mode & 0o777).toString(8), name).toBe(wanted.toString(8));
  }
}

/**
 * The real file system, which calls `look` as soon as anything has been made: also what has
 * another name, or is gone, by the time that the caller learns of it.
 */
function watched(look: () => void): FileSystem {
  const looking = <Args extends unknown[], Value>(run: (...args: Args) => Promise<Value>) => {
    return async (...args: Args): Promise<Value> => {
      const value = await run(...args);
      look();
      return value;
    };
  };
  const { open, openSync, makeDirectory, rename } = nodeFileSystem;
  return {
    ...nodeFileSystem,
    open: looking<Parameters<FileSystem["open"]>, OpenFile>(open),
    openSync: (...args) => {
      const file = openSync(...args);
      look();
      return file;
    },
    makeDirectory: looking(makeDirectory),
    rename: looking(rename),
  };
}

it("of all that is ever made, also for a moment, are those of its owner alone", async () => {
  const before = process.umask(0);
  onTestFinished(() => void process.umask(before));
  const root = temporaryDirectory();
  const seen = new Set<string>();
  const fileSystem = watched(() => assertPrivate(root, seen));
  const open = () => createEnvironment(fileSystem);
  const options = { segmentBytes: 400, durability: "os" } as const;

  const path = join(root, "parent", "log");
  const log = await CommitLog.openOn(open(), path, options);
  for (let each = 0; each < 12; each++) await log.append(`value ${each}`);
  await log.truncateTo(10);
  await log.deleteBefore(5);
  await log.close();
  const [active] = readdirSync(path)
    .filter((name) => name.endsWith(".log"))
    .sort()
    .reverse();
  extend(join(path, active!), Buffer.from("a torn tail"));
  const again = await CommitLog.openOn(open(), path, options);
  expect(again.recovery.quarantineFile).toBeDefined();
  await again.close();

  const store = await LogStore.openOn(open(), join(root, "store"), options);
  await store.append("kept", "v");
  await store.append("deleted", "v");
  for (let each = 0; each < 9; each++) await store.group("g").seek({ kept: each % 2 });
  await store.deleteKey("deleted");
  await store.close();
  extend(join(root, "store", "committed-offsets"), Buffer.from("damage"));
  const reopened = await LogStore.openOn(open(), join(root, "store"), options);
  await reopened.group("g").seek({ kept: 1 });
  await reopened.close();

  // The commands use the file system of the machine, so only what they leave can be seen.
  await seglog(root, ["append", "made/by/append"], "a\nb\n");
  await seglog(root, ["repair", "store", "--salvage", "saved"]);
  assertPrivate(root, seen);

  const names = [...seen].join("\n");
  for (const kind of [
    /\.log$/,
    /\.index$/,
    /\.timeindex$/,
    /\.log\.tmp$/,
    /log\.meta$/,
    /log\.meta\.tmp$/,
    /published$/,
    /published\.tmp$/,
    /LOCK$/,
    /\.log\.cut-/,
    /store\.meta\.tmp$/,
    /committed-offsets\.tmp$/,
    /committed-offsets\.cut-/,
    /logs\/\.new-/,
    /logs\/\.deleted-/,
    /saved\/logs\/kept\/log\.meta$/,
    /made\/by\/append\/LOCK$/,
  ]) {
    expect(names).toMatch(new RegExp(kind.source, "m"));
  }
});
