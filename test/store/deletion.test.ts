import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { codeOf } from "../support/failure.js";
import { FaultyFileSystem } from "../support/faulty-file-system.js";
import { headerOf } from "../support/log-builder.js";
import { newPath } from "../support/temporary-directory.js";
import { fill, kill, openStore, textsIn } from "./stores.js";

function logIdOf(directory: string, key: string): string {
  return Buffer.from(headerOf(join(directory, "logs", key), 0).logId).toString("hex");
}

async function storeWithKey(directory: string, fileSystem = new FaultyFileSystem()) {
  const store = await openStore(directory, {}, fileSystem);
  await fill(store, "k", 5);
  await fill(store, "other", 5);
  await store.group("g").commit({ k: 4, other: 3 });
  await store.group("h").commit({ k: 2 });
  return store;
}

describe("deleteKey", () => {
  it("takes the records and the committed offsets, and nothing else", async () => {
    const directory = newPath();
    const store = await storeWithKey(directory);
    expect(await store.deleteKey("k")).toBe(true);
    expect(await store.deleteKey("k")).toBe(false);
    expect(store.keys()).toEqual(["other"]);
    expect(await store.group("g").committed()).toEqual(new Map([["other", 3]]));
    expect(await store.groups()).toEqual(["g"]);
    expect(readdirSync(join(directory, "logs"))).toEqual(["other"]);
    await store.close();
    const again = await openStore(directory);
    expect(again.keys()).toEqual(["other"]);
    expect(await again.groups()).toEqual(["g"]);
    const reader = await openStore(directory, { readOnly: true });
    expect(await reader.groups()).toEqual(["g"]);
  });

  it("lets a key of the same name be another log", async () => {
    const directory = newPath();
    const store = await storeWithKey(directory);
    const before = logIdOf(directory, "k");
    const log = await store.log("k");
    await store.deleteKey("k");
    expect(await codeOf(log.append("late"))).toBe("CLOSED");
    expect(await store.append("k", "new")).toBe(0);
    expect(logIdOf(directory, "k")).not.toBe(before);
    expect(await store.group("g").committed(["k"])).toEqual(new Map());
    expect(await textsIn(store, "k")).toEqual(["new"]);
  });

  it("is not undone for the new log by a checkpoint that is damaged there", async () => {
    const directory = newPath();
    const store = await storeWithKey(directory);
    const before = statSync(join(directory, "committed-offsets")).size;
    await store.deleteKey("k");
    await fill(store, "k", 9);
    await store.group("g").commit({ k: 1 });
    await store.close();
    const damaged = readFileSync(join(directory, "committed-offsets"));
    damaged[before + 5]! ^= 1;
    writeFileSync(join(directory, "committed-offsets"), damaged);
    const expected = new Map([["other", 3]]);
    const reader = await openStore(directory, { readOnly: true });
    expect(await reader.group("g").committed()).toEqual(expected);
    const again = await openStore(directory);
    expect(again.recovery.checkpointDamage).toBeDefined();
    expect(await again.group("g").committed()).toEqual(expected);
    expect(await again.group("h").committed(["k"])).toEqual(new Map());
    await again.bounds("k");
    expect(await again.group("g").committed()).toEqual(expected);
    await again.group("g").commit({ k: 2 });
    expect((await again.group("g").committed()).get("k")).toBe(2);
    expect((await reader.group("g").committed()).get("k")).toBe(2);
  });

  it("that could not tell the checkpoint leaves the new log without offsets", async () => {
    const directory = newPath();
    const fileSystem = new FaultyFileSystem();
    const store = await storeWithKey(directory, fileSystem);
    fileSystem.fail({ kind: "write", path: /committed-offsets/ }, { errno: "ENOSPC" });
    expect(await codeOf(store.deleteKey("k"))).toBe("NO_SPACE");
    await fill(store, "k", 9);
    expect(await store.group("g").committed()).toEqual(new Map([["other", 3]]));
    await store.group("g").commit({ k: 1 });
    expect((await store.group("g").committed()).get("k")).toBe(1);
    await store.close();
    const again = await openStore(directory);
    expect((await again.group("g").committed()).get("k")).toBe(1);
    expect((await again.group("h").committed()).get("k")).toBeUndefined();
  });

  it("beside appends, reads and another deletion ends in order", async () => {
    const store = await storeWithKey(newPath());
    const results = await Promise.allSettled([
      store.append("k", "before"),
      store.deleteKey("k"),
      store.append("k", "after"),
      store.deleteKey("k"),
      store.append("k", "last"),
    ]);
    expect(results.map((each) => each.status === "fulfilled" && each.value)).toEqual([
      5,
      true,
      0,
      true,
      0,
    ]);
    expect(await textsIn(store, "k")).toEqual(["last"]);
  });

  it("that is under way is done before close gives the lock back, and none begins after", async () => {
    const directory = newPath();
    const fileSystem = new FaultyFileSystem();
    const store = await storeWithKey(directory, fileSystem);
    const hold = fileSystem.hold({ kind: "rename", path: /deleted/ });
    const deleted = store.deleteKey("k");
    await hold.reached;
    let isClosed = false;
    const closed = store.close().then(() => {
      isClosed = true;
    });
    const late = [store.deleteKey("other"), store.append("k", "late"), store.bounds("k")];
    for (const call of late) expect(await codeOf(call)).toBe("CLOSED");
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(isClosed).toBe(false);
    hold.release();
    expect(await deleted).toBe(true);
    await closed;
    fileSystem.forget();
    const again = await openStore(directory);
    expect(again.keys()).toEqual(["other"]);
    expect(await again.group("g").committed()).toEqual(new Map([["other", 3]]));
    expect(fileSystem.operations).toEqual([]);
  });

  it("that dies at any step leaves the key whole or gone, and the next open settles it", async () => {
    const outcomes = new Set<string>();
    for (let step = 0; ; step++) {
      const directory = newPath();
      const fileSystem = new FaultyFileSystem();
      const store = await storeWithKey(directory, fileSystem);
      const before = logIdOf(directory, "k");
      fileSystem.dieAt(fileSystem.count + step, 5);
      const first = fileSystem.count;
      const isDeleted = await store.deleteKey("k").then(
        () => true,
        () => false,
      );
      const isPast = fileSystem.count < first + step;
      await kill(store, fileSystem);
      const again = await openStore(directory);
      const isThere = again.keys().includes("k");
      outcomes.add(isThere ? "there" : "gone");
      expect(readdirSync(join(directory, "logs")), `step ${step}`).toHaveLength(isThere ? 2 : 1);
      if (isThere) {
        expect(isDeleted).toBe(false);
        expect(await textsIn(again, "k")).toHaveLength(5);
        expect(await again.group("g").committed()).toEqual(
          new Map([
            ["k", 4],
            ["other", 3],
          ]),
        );
      } else {
        expect(await again.group("g").committed()).toEqual(new Map([["other", 3]]));
        expect(await again.append("k", "new")).toBe(0);
        expect(logIdOf(directory, "k")).not.toBe(before);
      }
      expect(await textsIn(again, "other")).toHaveLength(5);
      await again.close();
      if (isPast) break;
    }
    expect(outcomes).toEqual(new Set(["there", "gone"]));
  });

  it("whose completion dies at any step is completed by a later open", async () => {
    for (let step = 0; ; step++) {
      const directory = newPath();
      const fileSystem = new FaultyFileSystem();
      const store = await storeWithKey(directory, fileSystem);
      fileSystem.fail({ kind: "removeTree", path: /deleted/ }, { errno: "EIO", after: 1 });
      expect(await codeOf(store.deleteKey("k"))).toBe("IO_ERROR");
      await kill(store, fileSystem);
      const second = new FaultyFileSystem();
      second.dieAt(step);
      const opened = await openStore(directory, {}, second).catch(() => undefined);
      const isPast = second.count <= step;
      await second.die();
      await opened?.close().catch(() => undefined);
      const again = await openStore(directory);
      expect(again.keys()).toEqual(["other"]);
      expect(await again.groups()).toEqual(["g"]);
      expect(readdirSync(join(directory, "logs"))).toEqual(["other"]);
      await again.close();
      if (isPast) break;
    }
  });

  it.each(["EIO", "ENOSPC"])("that fails with %s at any step can be tried again", async (errno) => {
    for (let step = 0; ; step++) {
      const directory = newPath();
      const fileSystem = new FaultyFileSystem();
      const store = await storeWithKey(directory, fileSystem);
      const first = fileSystem.count;
      const fault = fileSystem.fail({ number: first + step }, { errno });
      await store.deleteKey("k").catch(() => undefined);
      if (fault.hits === 0) break;
      const tryAgain = async () => {
        await store.deleteKey("k");
        // A key of the same name and what is committed of it are not touched by what was left.
        await fill(store, "k", 3);
        await store.group("g").commit({ k: 3 });
        expect(await store.deleteKey("k"), `step ${step}`).toBe(true);
        await fill(store, "k", 3);
        await store.group("g").commit({ k: 2 });
      };
      const failure = await tryAgain().catch((error) => error.code);
      if (failure !== undefined) expect(failure, `step ${step}`).toBe("LOG_POISONED");
      await store.close().catch(() => undefined);
      const again = await openStore(directory);
      if (failure === undefined) {
        expect((await again.group("g").committed()).get("k"), `step ${step}`).toBe(2);
        expect(await textsIn(again, "k")).toHaveLength(3);
      }
      expect(existsSync(join(directory, "logs", ".deleted-k"))).toBe(false);
      await again.close();
    }
  });

  it("that failed half-way does not take the committed offsets of a later key along", async () => {
    const directory = newPath();
    const fileSystem = new FaultyFileSystem();
    const store = await storeWithKey(directory, fileSystem);
    fileSystem.fail({ kind: "write", path: /committed-offsets/ }, { errno: "ENOSPC" });
    expect(await codeOf(store.deleteKey("k"))).toBe("NO_SPACE");
    await fill(store, "k", 3);
    expect((await store.group("g").committed()).get("k") ?? 0).toBe(0);
    await store.group("g").commit({ k: 2 });
    await kill(store, fileSystem);
    const again = await openStore(directory);
    expect(await again.group("g").committed(["k"])).toEqual(new Map([["k", 2]]));
    expect(readdirSync(join(directory, "logs")).sort()).toEqual(["k", "other"]);
  });
});
