import { readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { codeOf, failureOf } from "../support/failure.js";
import { FaultyFileSystem } from "../support/faulty-file-system.js";
import { newPath } from "../support/temporary-directory.js";
import { StoreProcess } from "./store-process.js";
import { openStore, textsIn, textsOf } from "./stores.js";

describe("a store opened for reading beside a writer in another process", () => {
  it("sees its keys, records and committed offsets as they are made", async () => {
    const directory = newPath();
    const writer = await StoreProcess.open(directory);
    await writer.run("append", "a", "1");
    const fileSystem = new FaultyFileSystem();
    const reader = await openStore(directory, { readOnly: true }, fileSystem);
    expect(reader.keys()).toEqual(["a"]);
    expect(await textsIn(reader, "a")).toEqual(["1"]);
    await writer.run("append", "a", "2");
    expect((await reader.read("a", 1)).records).toHaveLength(1);
    await writer.run("append", "b", "x");
    expect(reader.keys()).toEqual(["a"]);
    await reader.refresh();
    expect(reader.keys().sort()).toEqual(["a", "b"]);
    await writer.run("append", "c", "y");
    expect(await textsIn(reader, "c")).toEqual(["y"]);
    await writer.run("commit", "g", { a: 2, b: 1 });
    expect(await reader.group("g").committed()).toEqual(
      new Map([
        ["a", 2],
        ["b", 1],
      ]),
    );
    expect(await reader.groups()).toEqual(["g"]);
    expect(await reader.read("none", 0)).toMatchObject({ records: [], endOffset: 0 });
    await reader.close();
    expect(fileSystem.openPaths).toEqual([]);
    expect(fileSystem.matching({ mode: "update" })).toEqual([]);
    expect(fileSystem.matching({ mode: "create" })).toEqual([]);
    const changes = ["write", "truncate", "makeDirectory", "rename", "unlink"] as const;
    expect(fileSystem.countOf(changes)).toBe(0);
  });

  it("changes nothing", async () => {
    const directory = newPath();
    const writer = await StoreProcess.open(directory);
    await writer.run("append", "a", "1");
    const reader = await openStore(directory, { readOnly: true });
    const uses: (() => Promise<unknown>)[] = [
      () => reader.append("a", "v"),
      () => reader.append("new", "v"),
      () => reader.appendBatch("a", ["v"]),
      () => reader.deleteKey("a"),
      () => reader.flush(),
      () => reader.group("g").commit({ a: 1 }),
      () => reader.group("g").seek({ a: 1 }),
      async () => (await reader.log("a")).append("v"),
    ];
    for (const use of uses) expect(await codeOf(use()), String(use)).toBe("READ_ONLY");
    await reader.read("a", 0);
    expect(await codeOf(reader.append("a", "v"))).toBe("READ_ONLY");
    expect(await codeOf(reader.log("new"))).toBe("KEY_NOT_FOUND");
    expect(readdirSync(join(directory, "logs"))).toEqual(["a"]);
  });

  it("follows a key from before it exists", async () => {
    const directory = newPath();
    const writer = await StoreProcess.open(directory);
    const reader = await openStore(directory, { readOnly: true });
    const records = reader.follow("k");
    const first = records.next();
    await writer.run("append", "other", "x");
    for (let index = 0; index < 3; index++) await writer.run("append", "k", `v${index}`);
    expect(textsOf([(await first).value!])).toEqual(["v0"]);
    expect(textsOf([(await records.next()).value!])).toEqual(["v1"]);
    expect(textsOf([(await records.next()).value!])).toEqual(["v2"]);
    const next = records.next();
    await writer.run("append", "k", "v3");
    expect(textsOf([(await next).value!])).toEqual(["v3"]);
    await records.return();
  });

  it("stops waiting for a key with its signal, or when it is closed", async () => {
    const directory = newPath();
    await (await openStore(directory)).close();
    const reader = await openStore(directory, { readOnly: true });
    const abort = new AbortController();
    const reason = new Error("enough");
    const aborted = reader.follow("k", { signal: abort.signal }).next();
    const closed = codeOf(reader.follow("k").next());
    abort.abort(reason);
    await expect(aborted).rejects.toBe(reason);
    await reader.close();
    expect(await closed).toBe("CLOSED");
  });

  it("sees keys being made as there or not there, never as broken", async () => {
    const directory = newPath();
    const writer = await StoreProcess.open(directory, { durability: "os" });
    const reader = await openStore(directory, { readOnly: true });
    const count = 100;
    for (let index = 0; index < count; index++) writer.send("append", `k${index}`, "v");
    let seen = 0;
    while (seen < count) {
      const { records, endOffset } = await reader.read(`k${seen}`, 0);
      expect(records).toHaveLength(endOffset);
      if (records.length > 0) seen++;
    }
    await reader.refresh();
    expect(reader.keys()).toHaveLength(count);
  });

  it("finds a key gone that was deleted, and its successor another log", async () => {
    const directory = newPath();
    const writer = await StoreProcess.open(directory);
    for (const value of ["1", "2", "3"]) await writer.run("append", "k", value);
    const reader = await openStore(directory, { readOnly: true });
    expect(await textsIn(reader, "k")).toEqual(["1", "2", "3"]);
    expect(await writer.run("deleteKey", "k")).toBe(true);
    await reader.refresh();
    expect(reader.keys()).toEqual([]);
    expect(await reader.read("k", 0)).toMatchObject({ records: [], endOffset: 0 });
    await writer.run("append", "k", "new");
    expect(await textsIn(reader, "k")).toEqual(["new"]);
  });

  it("finds the successor of a key that was deleted between two looks", async () => {
    const directory = newPath();
    const writer = await StoreProcess.open(directory);
    for (const value of ["1", "2", "3"]) await writer.run("append", "k", value);
    const reader = await openStore(directory, { readOnly: true });
    expect(await textsIn(reader, "k")).toEqual(["1", "2", "3"]);
    await writer.run("deleteKey", "k");
    await writer.run("append", "k", "new");
    await reader.refresh();
    expect(await textsIn(reader, "k")).toEqual(["new"]);
  });

  it("goes on reading when the writer is killed, and when another one comes", async () => {
    const directory = newPath();
    const writer = await StoreProcess.open(directory);
    await writer.run("append", "k", "1");
    const reader = await openStore(directory, { readOnly: true });
    expect(await textsIn(reader, "k")).toEqual(["1"]);
    await writer.run("append", "k", "2");
    await writer.kill();
    expect(textsOf((await reader.read("k", 1)).records)).toEqual(["2"]);
    expect(await textsIn(reader, "k")).toEqual(["1", "2"]);
    const next = await StoreProcess.open(directory);
    await next.run("append", "k", "3");
    expect((await reader.read("k", 2)).records).toHaveLength(1);
    expect(await textsIn(reader, "k")).toEqual(["1", "2", "3"]);
  });
});

describe("a writer in another process", () => {
  it("has the lock, which is gone when it is killed", async () => {
    const directory = newPath();
    const writer = await StoreProcess.open(directory);
    expect((await failureOf(openStore(directory))).code).toBe("LOCKED");
    await writer.kill();
    await (await openStore(directory)).close();
  });

  it.each(["always", "interval", "os"] as const)(
    "that is killed at any moment under %s has lost nothing that it had acknowledged",
    async (durability) => {
      const directory = newPath();
      let appended = 0;
      let committed = 0;
      for (let round = 0; round < 4; round++) {
        const writer = await StoreProcess.open(directory, { durability });
        const commands: string[] = [];
        for (let turn = 0; turn < 200; turn++) {
          writer.send("append", "k", `${appended + turn}`);
          writer.send("commit", "g", { k: appended + turn + 1 });
          commands.push("append", "commit");
        }
        for (let answers = 0; answers < 5 + round * 40; answers++) {
          await writer.run("append", "other", "x");
        }
        // Answers come in order: those above were the first ones of the commands.
        await writer.kill();
        const store = await openStore(directory);
        const texts = await textsIn(store, "k");
        const next = (await store.group("g").committed()).get("k")!;
        expect(texts).toEqual(Array.from({ length: texts.length }, (_, index) => `${index}`));
        const acknowledged = Math.min(5 + round * 40, commands.length);
        expect(texts.length).toBeGreaterThanOrEqual(appended + Math.ceil(acknowledged / 2));
        expect(next).toBeGreaterThanOrEqual(
          Math.max(committed, appended + Math.floor(acknowledged / 2)),
        );
        expect(next).toBeLessThanOrEqual(texts.length);
        appended = texts.length;
        committed = next;
        await store.close();
      }
    },
  );
});
