import { readFileSync, writeFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { codeOf, failureOf, thrownBy } from "../support/failure.js";
import { FaultyFileSystem } from "../support/faulty-file-system.js";
import { newPath } from "../support/temporary-directory.js";
import { fill, leaveUnclean, openStore } from "./stores.js";

describe("commit", () => {
  it("takes an object, a Map and pairs, and is there after reopening", async () => {
    const directory = newPath();
    const store = await openStore(directory);
    for (const key of ["a", "b", "c"]) await fill(store, key, 10);
    const group = store.group("g");
    await group.commit({ a: 1, b: 2 });
    await group.commit(new Map([["b", 3]]));
    await group.commit([["c", 10]]);
    const expected = new Map([
      ["a", 1],
      ["b", 3],
      ["c", 10],
    ]);
    expect(await group.committed()).toEqual(expected);
    expect(await group.committed(["c", "none", "a"])).toEqual(
      new Map([
        ["c", 10],
        ["a", 1],
      ]),
    );
    expect(await store.group("other").committed()).toEqual(new Map());
    await store.close();
    const again = await openStore(directory);
    expect(await again.group("g").committed()).toEqual(expected);
    expect(await again.groups()).toEqual(["g"]);
  });

  it("never moves back; seek does", async () => {
    const store = await openStore(newPath());
    await fill(store, "k", 10);
    const group = store.group("g");
    const next = async () => (await group.committed()).get("k");
    await group.commit({ k: 5 });
    await group.commit({ k: 3 });
    expect(await next()).toBe(5);
    await group.seek({ k: 2 });
    expect(await next()).toBe(2);
    await group.commit({ k: 4 });
    expect(await next()).toBe(4);
    await Promise.all([8, 6, 9, 7].map((each) => group.commit({ k: each })));
    expect(await next()).toBe(9);
    await Promise.all([group.seek({ k: 1 }), group.commit({ k: 3 }), group.commit({ k: 2 })]);
    expect(await next()).toBe(3);
    await group.seek({ k: 0 });
    expect(await next()).toBe(0);
  });

  it("past the end of one key changes none", async () => {
    const store = await openStore(newPath());
    await fill(store, "a", 5);
    await fill(store, "b", 5);
    const group = store.group("g");
    for (const change of ["commit", "seek"] as const) {
      const failure = await failureOf(group[change]({ a: 1, b: 6 }));
      expect(failure).toMatchObject({ code: "OFFSET_OUT_OF_RANGE", offset: 6, endOffset: 5 });
      expect(await codeOf(group[change]({ a: 1, none: 0 }))).toBe("KEY_NOT_FOUND");
    }
    expect(await group.committed()).toEqual(new Map());
    await group.commit({ a: 5, b: 5 });
    expect(store.keys().sort()).toEqual(["a", "b"]);
  });

  it.each<[unknown, unknown]>([
    [undefined, TypeError],
    [null, TypeError],
    ["k", TypeError],
    [{ k: "1" }, TypeError],
    [{ k: 1n }, TypeError],
    [{ k: -1 }, RangeError],
    [{ k: 0.5 }, RangeError],
    [{ k: Number.NaN }, RangeError],
    [{ k: 2 ** 53 }, RangeError],
  ])("of %o is refused", async (offsets, error) => {
    const store = await openStore(newPath());
    await fill(store, "k", 5);
    expect(await thrownBy(store.group("g").commit(offsets as never))).toBeInstanceOf(error);
    expect(await thrownBy(store.group("g").seek(offsets as never))).toBeInstanceOf(error);
    expect(await store.groups()).toEqual([]);
  });

  it("keeps names of an object's own machinery as names", async () => {
    const directory = newPath();
    const store = await openStore(directory);
    const names = ["__proto__", "constructor", "toString", "\ufeffx", "a b"];
    for (const name of names) await fill(store, name, 3);
    for (const name of names) {
      await store.group(name).commit(Object.fromEntries(names.map((key) => [key, 2])));
    }
    await store.close();
    const again = await openStore(directory);
    expect((await again.groups()).sort()).toEqual([...names].sort());
    for (const name of names) {
      const committed = await again.group(name).committed();
      expect([...committed].sort()).toEqual(names.map((key) => [key, 2]).sort());
    }
    expect(({} as Record<string, unknown>).polluted).toBeUndefined();
  });

  it("of nothing is nothing", async () => {
    const fileSystem = new FaultyFileSystem();
    const store = await openStore(newPath(), {}, fileSystem);
    await store.group("g").commit({});
    await store.group("g").commit(new Map());
    expect(await store.groups()).toEqual([]);
    expect(fileSystem.countOf("write", /committed-offsets/)).toBe(0);
  });

  it("made before a truncation below it does not outlive that", async () => {
    const fileSystem = new FaultyFileSystem();
    const directory = newPath();
    const store = await openStore(directory, {}, fileSystem);
    await fill(store, "k", 10);
    await fill(store, "other", 1);
    const log = await store.log("k");
    const group = store.group("g");
    await group.commit({ other: 1 });
    const hold = fileSystem.hold({ kind: "write", path: /committed-offsets/ });
    const committed = group.commit({ k: 9 });
    await hold.reached;
    const waiting = group.commit({ k: 10 });
    const truncated = log.truncateTo(4);
    // The truncation is done but for the commits, of which one is on its way and one waits.
    while (log.segments().at(-1)?.baseOffset !== 4) await new Promise(setImmediate);
    await new Promise(setImmediate);
    hold.release();
    await Promise.allSettled([committed, waiting]);
    await truncated;
    expect((await group.committed()).get("k")).toBeLessThanOrEqual(4);
    expect(await store.append("k", "new")).toBe(4);
    await store.close();
    const again = await openStore(directory);
    expect((await again.group("g").committed()).get("k")).toBeLessThanOrEqual(4);
  });

  it("whose key is truncated while those of others are looked up is refused", async () => {
    const fileSystem = new FaultyFileSystem();
    const directory = newPath();
    const first = await openStore(directory);
    await fill(first, "k", 10);
    await fill(first, "slow", 10);
    await first.close();
    const store = await openStore(directory, {}, fileSystem);
    const log = await store.log("k");
    const hold = fileSystem.hold({ kind: "readDirectory", path: /slow$/ });
    const committing = codeOf(
      store.group("g").commit([
        ["k", 10],
        ["slow", 5],
      ]),
    );
    await hold.reached;
    await log.truncateTo(4);
    hold.release();
    expect(await committing).toBe("OFFSET_OUT_OF_RANGE");
    expect(await store.group("g").committed()).toEqual(new Map());
  });

  it("of a key that is deleted meanwhile is refused or goes with it", async () => {
    const store = await openStore(newPath());
    for (let turn = 0; turn < 20; turn++) {
      await fill(store, "k", 5);
      await fill(store, "other", 5);
      const committing = store.group("g").commit({ k: 5, other: 1 });
      const outcome = committing.then(
        () => true,
        (error) => ["KEY_NOT_FOUND", "CLOSED"].includes(error.code),
      );
      await store.deleteKey("k");
      expect(await outcome).toBe(true);
      expect((await store.group("g").committed()).has("k")).toBe(false);
      await fill(store, "k", 1);
      expect((await store.group("g").committed()).has("k")).toBe(false);
      await store.deleteKey("k");
    }
  });
});

describe("a group's name", () => {
  it.each(["", "\ud800", "g".repeat(256), "ü".repeat(128)])("is not %o", async (name) => {
    const store = await openStore(newPath());
    expect(await codeOf(() => store.group(name))).toBe("INVALID_KEY");
  });

  it("is text", async () => {
    const store = await openStore(newPath());
    for (const name of [undefined, null, 5, {}]) {
      expect(() => store.group(name as never)).toThrow(TypeError);
    }
    expect(store.group("g".repeat(255)).name).toHaveLength(255);
    expect(store.group("a/../b\n").name).toBe("a/../b\n");
  });
});

describe("committed offsets past the end of a log that lost records", () => {
  /** What a power cut leaves under "os": a checkpoint that is further than the log. */
  async function storeThatLost(directory: string): Promise<void> {
    const data = `${directory}/logs/k/00000000000000000000.log`;
    let shorter: Uint8Array | undefined;
    await leaveUnclean(directory, { durability: "os" }, async (store) => {
      await fill(store, "k", 5);
      shorter = readFileSync(data);
      await fill(store, "k", 5);
      await store.group("g").commit({ k: 10 });
      await store.group("h").commit({ k: 7 });
      await store.group("i").commit({ k: 2 });
    });
    writeFileSync(data, shorter!);
  }

  it("are brought back, durably, before the log takes an append", async () => {
    const directory = newPath();
    await storeThatLost(directory);
    const fileSystem = new FaultyFileSystem();
    fileSystem.machine = new Uint8Array(16).fill(9);
    const store = await openStore(directory, { durability: "os" }, fileSystem);
    const [g, h, i] = ["g", "h", "i"].map((name) => store.group(name));
    expect(await store.append("k", "new")).toBe(5);
    const firstAppend = fileSystem.matching({ kind: "write", path: /logs\/k\/.*\.log$/ });
    const checkpointSyncs = fileSystem.matching({ kind: "datasync", path: /committed-offsets$/ });
    expect(checkpointSyncs.length).toBeGreaterThan(0);
    expect(checkpointSyncs.at(-1)!.number).toBeLessThan(firstAppend.at(-1)!.number);
    for (const group of [g!, h!]) expect(await group.committed()).toEqual(new Map([["k", 5]]));
    expect(await i!.committed()).toEqual(new Map([["k", 2]]));
    await fileSystem.die();
    const again = await openStore(directory);
    expect(await again.group("g").committed()).toEqual(new Map([["k", 5]]));
  });

  it("are brought back before a consumer is told where to go on", async () => {
    const directory = newPath();
    await storeThatLost(directory);
    const fileSystem = new FaultyFileSystem();
    fileSystem.machine = new Uint8Array(16).fill(9);
    const reader = await openStore(directory, { readOnly: true }, fileSystem);
    expect(await reader.group("g").committed()).toEqual(new Map([["k", 5]]));
    expect(await reader.group("i").committed()).toEqual(new Map([["k", 2]]));
    const store = await openStore(directory, { durability: "os" }, fileSystem);
    expect(await store.group("g").committed()).toEqual(new Map([["k", 5]]));
    expect(await store.append("k", "new")).toBe(5);
    expect(await store.group("h").committed(["k"])).toEqual(new Map([["k", 5]]));
    expect(await reader.group("g").committed()).toEqual(new Map([["k", 5]]));
  });

  it("cost no opening of logs that were closed properly", async () => {
    const directory = newPath();
    const first = await openStore(directory);
    const keys = Array.from({ length: 40 }, (_, index) => `k${index}`);
    for (const key of keys) await fill(first, key, 3);
    const expected = new Map(keys.map((key) => [key, 2]));
    await first.group("g").commit(expected);
    await first.close();
    for (const readOnly of [true, false]) {
      const fileSystem = new FaultyFileSystem();
      const store = await openStore(directory, { readOnly }, fileSystem);
      expect(await store.group("g").committed()).toEqual(expected);
      expect(fileSystem.countOf("open", /\d\.log$/)).toBe(0);
      expect(fileSystem.countOf("open", /log\.meta$/)).toBe(40);
      fileSystem.forget();
      expect(await store.group("g").committed(["k7", "none"])).toEqual(new Map([["k7", 2]]));
      expect(fileSystem.countOf("open", /log\.meta$/)).toBe(readOnly ? 1 : 0);
      await store.close();
    }
  });

  it("are not told of a key whose log cannot be opened; those of others are", async () => {
    const directory = newPath();
    const first = await openStore(directory);
    await fill(first, "k", 3);
    await fill(first, "other", 3);
    await first.group("g").commit({ k: 1, other: 2 });
    await first.close();
    writeFileSync(`${directory}/logs/k/log.meta`, Buffer.alloc(144));
    for (const readOnly of [true, false]) {
      const store = await openStore(directory, { readOnly });
      const group = store.group("g");
      expect(await codeOf(group.committed())).toBe("CORRUPTION");
      expect(await group.committed(["other"])).toEqual(new Map([["other", 2]]));
      await store.close();
    }
  });

  it("of a poisoned log that was closed are brought back when they are asked for", async () => {
    const directory = newPath();
    const fileSystem = new FaultyFileSystem();
    const store = await openStore(directory, { durability: "os" }, fileSystem);
    await fill(store, "k", 5);
    const data = `${directory}/logs/k/00000000000000000000.log`;
    const shorter = readFileSync(data);
    await fill(store, "k", 5);
    await store.group("g").commit({ k: 10 });
    const log = await store.log("k");
    fileSystem.fail({ kind: "datasync", path: /logs\/k/ }, { errno: "EIO" });
    expect(await codeOf(log.flush())).toBe("LOG_POISONED");
    expect(await codeOf(log.close())).toBe("LOG_POISONED");
    writeFileSync(data, shorter);
    fileSystem.machine = new Uint8Array(16).fill(9);
    expect((await store.group("g").committed()).get("k")).toBe(5);
    expect(await store.append("k", "new")).toBe(5);
  });

  it("keep the log from opening while that cannot be written", async () => {
    const directory = newPath();
    await storeThatLost(directory);
    const fileSystem = new FaultyFileSystem();
    const store = await openStore(directory, { durability: "os" }, fileSystem);
    const fault = fileSystem.fail(
      { kind: "write", path: /committed-offsets/ },
      { errno: "ENOSPC", times: 1000 },
    );
    expect(await codeOf(store.append("k", "new"))).toBe("NO_SPACE");
    fault.remove();
    expect(await store.append("k", "new")).toBe(5);
    expect(await store.group("g").committed()).toEqual(new Map([["k", 5]]));
  });

  it("leave no open log behind while that cannot be written", async () => {
    const directory = newPath();
    await storeThatLost(directory);
    const fileSystem = new FaultyFileSystem();
    fileSystem.machine = new Uint8Array(16).fill(9);
    const store = await openStore(directory, { durability: "os" }, fileSystem);
    const fault = fileSystem.fail(
      { kind: "write", path: /committed-offsets$/ },
      { errno: "ENOSPC", times: 1000 },
    );
    for (let turn = 0; turn < 3; turn++) {
      expect(await codeOf(store.append("k", "new"))).toBe("NO_SPACE");
      expect(fileSystem.openPaths.filter((path) => path.includes("logs"))).toEqual([]);
    }
    fault.remove();
    expect(await store.append("k", "new")).toBe(5);
  });

  it("are brought back before the log takes an append behind a truncation", async () => {
    const directory = newPath();
    const fileSystem = new FaultyFileSystem();
    const store = await openStore(directory, {}, fileSystem);
    await fill(store, "k", 10);
    const group = store.group("g");
    await group.commit({ k: 9 });
    const hold = fileSystem.hold({ kind: "datasync", path: /committed-offsets$/ });
    const truncated = (await store.log("k")).truncateTo(4);
    const appended = store.append("k", "new");
    await hold.reached;
    fileSystem.forget();
    // Everything that needs no disk has its turn, and what does not wait for the hold begins.
    for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate);
    expect(fileSystem.countOf(["write", "open"], /logs\/k\//)).toBe(0);
    hold.release();
    await truncated;
    expect(await appended).toBe(4);
    expect(await group.committed()).toEqual(new Map([["k", 4]]));
  });

  it("never come back past a truncation, though a seek below it was not synced", async () => {
    const fileSystem = new FaultyFileSystem();
    const store = await openStore(newPath(), { durability: "os" }, fileSystem);
    await fill(store, "k", 6);
    await store.group("g").commit({ k: 6 });
    await store.flush();
    await store.group("g").seek({ k: 2 });
    fileSystem.forget();
    await (await store.log("k")).truncateTo(4);
    // Else a power cut leaves the 6, and the log gives offsets 4 and 5 out again.
    expect(fileSystem.countOf("datasync", /committed-offsets$/)).toBe(1);
  });

  it("are brought back by a truncation too, and a seek past it fails", async () => {
    const directory = newPath();
    const store = await openStore(directory);
    await fill(store, "k", 10);
    await store.group("g").commit({ k: 10 });
    await (await store.log("k")).truncateTo(6);
    expect(await store.group("g").committed()).toEqual(new Map([["k", 6]]));
    expect(await codeOf(store.group("g").seek({ k: 7 }))).toBe("OFFSET_OUT_OF_RANGE");
    await store.close();
    const again = await openStore(directory);
    expect(await again.group("g").committed()).toEqual(new Map([["k", 6]]));
  });
});
