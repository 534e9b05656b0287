import { readdirSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { LogStore } from "../../src/store/log-store.js";
import { codeOf } from "../support/failure.js";
import { FaultyFileSystem } from "../support/faulty-file-system.js";
import { newPath } from "../support/temporary-directory.js";
import { fill, openStore, textsIn } from "./stores.js";

/** The lock, the published ends and the checkpoint are not counted in `maxOpenFiles`. */
const OWN_FILES = 3;

/** Descriptors of this process that lead below `directory`. */
async function openBelow(directory: string): Promise<number> {
  const { readlinkSync } = await import("node:fs");
  let count = 0;
  for (const name of readdirSync("/proc/self/fd")) {
    try {
      if (readlinkSync(`/proc/self/fd/${name}`).startsWith(directory)) count++;
    } catch {
      // It was closed meanwhile.
    }
  }
  return count;
}

describe.runIf(process.platform === "linux")("maxOpenFiles", () => {
  it.each(["os", "always"] as const)("bounds the handles of many keys under %s", async (policy) => {
    const directory = newPath();
    await using store = await LogStore.open(directory, { durability: policy, maxOpenFiles: 16 });
    const keys = Array.from({ length: policy === "os" ? 300 : 100 }, (_, index) => `key-${index}`);
    let most = 0;
    const look = async () => {
      most = Math.max(most, await openBelow(directory));
    };
    for (const key of keys) {
      await store.append(key, `first of ${key}`);
      await look();
    }
    for (let at = 0; at < keys.length; at += 50) {
      const some = keys.slice(at, at + 50);
      const appends = some.map((key) => store.append(key, `second of ${key}`));
      await look();
      await Promise.all(appends);
      await look();
    }
    for (const key of keys) {
      expect(await textsIn(store, key)).toEqual([`first of ${key}`, `second of ${key}`]);
    }
    expect(most).toBeLessThanOrEqual(16 + OWN_FILES);
  });
});

describe("handles", () => {
  it("with unsynced writes are synced before they are closed for another key", async () => {
    const fileSystem = new FaultyFileSystem();
    const store = await openStore(newPath(), { durability: "os", maxOpenFiles: 16 }, fileSystem);
    for (let index = 0; index < 20; index++) await store.append(`k${index}`, "v");
    const closed = fileSystem.matching({ kind: "close", path: /logs\/k\d+\/.*\.log$/ });
    expect(closed.length).toBeGreaterThan(0);
    for (const close of closed) {
      const before = fileSystem.operations.filter(
        ({ number, path }) => number < close.number && path === close.path,
      );
      const lastWrite = before.findLast(({ kind }) => kind === "write")?.number ?? -1;
      const lastSync = before.findLast(({ kind }) => kind === "datasync")?.number ?? -1;
      if (lastWrite >= 0) expect(lastSync, close.path).toBeGreaterThan(lastWrite);
    }
  });

  it("whose sync for another key fails poison their own log only", async () => {
    const errors: string[] = [];
    const fileSystem = new FaultyFileSystem();
    const options = {
      durability: "os",
      maxOpenFiles: 16,
      onError: (error: Error & { code: string }) => errors.push(error.code),
    } as const;
    const store = await openStore(newPath(), options, fileSystem);
    await store.append("victim", "v");
    fileSystem.fail({ kind: "datasync", path: /logs\/victim\// }, { errno: "EIO" });
    for (let index = 0; index < 20; index++) await store.append(`k${index}`, "v");
    expect(errors).toEqual(["LOG_POISONED"]);
    expect(await codeOf(store.append("victim", "w"))).toBe("LOG_POISONED");
    expect(await textsIn(store, "victim")).toEqual(["v"]);
    expect(await store.append("k0", "w")).toBe(1);
  });

  it("of logs that are poisoned all at once are no obstacle to others", async () => {
    const fileSystem = new FaultyFileSystem();
    const store = await openStore(newPath(), { durability: "os", maxOpenFiles: 16 }, fileSystem);
    const keys = Array.from({ length: 12 }, (_, index) => `bad${index}`);
    for (const key of [...keys, "good"]) await store.append(key, "v");
    const fault = fileSystem.fail(
      { kind: "write", path: /logs\/bad\d+\// },
      { errno: "EIO", times: 1000 },
    );
    for (const key of keys) expect(await codeOf(store.append(key, "w"))).toBe("LOG_POISONED");
    fault.remove();
    expect(await store.append("good", "w")).toBe(1);
    await fill(store, "fresh", 3);
    for (const key of keys) expect(await textsIn(store, key)).toEqual(["v"]);
    expect(await textsIn(store, "good")).toEqual(["v", "w"]);
  });

  it("that run out fail one call and leak nothing", async () => {
    const fileSystem = new FaultyFileSystem();
    const directory = newPath();
    const store = await openStore(directory, { maxOpenFiles: 16 }, fileSystem);
    await fill(store, "k", 3);
    for (let after = 0; after < 12; after++) {
      const fault = fileSystem.fail({ kind: "open" }, { errno: "EMFILE", after });
      const outcome = await store.append(`new${after}`, "v").catch((error) => error.code);
      expect(["TOO_MANY_OPEN_FILES", 0]).toContain(outcome);
      fault.remove();
      expect(await store.append(`new${after}`, "w")).toBe(outcome === 0 ? 1 : 0);
      expect(await textsIn(store, "k")).toHaveLength(3);
    }
    await store.close();
    expect(fileSystem.openPaths).toEqual([]);
  });
});
