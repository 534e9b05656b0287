import { readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { LogStore } from "../../src/index.js";
import { seglog } from "../cli/program.js";
import { SEED } from "../fuzz/runs.js";
import { codeOf } from "../support/failure.js";
import { newPath } from "../support/temporary-directory.js";

/** Names that mean something to a file system, a shell, a terminal or an object. */
const HOSTILE = [
  "..",
  ".",
  "a/b",
  "/",
  "../../etc/passwd",
  "\0",
  "a\0b",
  "CON",
  "con",
  "nul.txt",
  "a:b",
  "\\\\server\\share",
  "-rf",
  "$(id)",
  "\n",
  "\u001b[2J",
  "\u202e",
  "\u200b",
  "é",
  "e\u0301",
  "ß",
  "SS",
  ".new-x",
  ".deleted-x",
  "LOCK",
  "store.meta",
];
const PROTOTYPE = ["__proto__", "constructor", "hasOwnProperty", "toString", "valueOf", "then"];
const NAMES = [...HOSTILE, ...PROTOTYPE];

describe("hostile names", () => {
  it("as keys and groups are data: distinct, inside of the store, and back as they were", async () => {
    const directory = newPath();
    const store = await LogStore.open(directory, { durability: "os" });
    for (const name of NAMES) {
      expect(await store.append(name, `of ${name}`)).toBe(0);
      await store.group(name).commit(new Map([[name, 1]]));
    }
    await store.close();
    expect(readdirSync(dirname(directory))).toEqual(["log"]);
    expect(readdirSync(directory).sort()).toEqual([
      "LOCK",
      "committed-offsets",
      "logs",
      "store.meta",
    ]);
    expect(readdirSync(join(directory, "logs"))).toHaveLength(NAMES.length);
    for (const readOnly of [true, false]) {
      await using again = await LogStore.open(directory, { readOnly });
      expect(again.keys().sort()).toEqual([...NAMES].sort());
      expect((await again.groups()).sort()).toEqual([...NAMES].sort());
      for (const name of NAMES) {
        const { records } = await again.read(name, 0);
        expect(Buffer.from(records[0]!.value).toString()).toBe(`of ${name}`);
        expect(await again.group(name).committed()).toEqual(new Map([[name, 1]]));
        expect((await again.group(name).committed(["other"])).size).toBe(0);
      }
    }
  });

  it("of objects' machinery may be members of what is committed, and are nothing if not", async () => {
    await using store = await LogStore.open(newPath(), { durability: "os" });
    for (const key of PROTOTYPE) await store.append(key, "v");
    const group = store.group("g");
    await group.commit(JSON.parse(`{"__proto__":1,"constructor":1}`));
    expect(await group.committed()).toEqual(
      new Map([
        ["__proto__", 1],
        ["constructor", 1],
      ]),
    );
    expect((await group.committed(["toString", "hasOwnProperty"])).size).toBe(0);
    await group.commit({});
    expect(({} as Record<string, unknown>).polluted).toBeUndefined();
    expect(await store.bounds("valueOf")).toEqual({ startOffset: 0, endOffset: 1 });
    expect(await store.bounds("isPrototypeOf")).toBeUndefined();
  });

  it("come out of the commands' JSON as they were", async () => {
    const directory = newPath();
    const store = await LogStore.open(directory, { durability: "os" });
    for (const name of NAMES) {
      await store.append(name, { value: name, key: name, headers: [[name, name]] });
      await store.group(name).commit(new Map([[name, 1]]));
    }
    await store.close();
    const cwd = dirname(directory);
    const json = async (...args: string[]) => {
      const { code, out, err } = await seglog(cwd, args);
      expect(code, err).toBe(0);
      expect(out.replaceAll("\n", "")).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/u);
      return JSON.parse(out);
    };
    const sorted = [...NAMES].sort();
    const keysOf = (list: { key: string }[]) => list.map(({ key }) => key).sort();
    expect(keysOf((await json("inspect", "log", "--json")).keys)).toEqual(sorted);
    expect(keysOf((await json("verify", "log", "--json")).keys)).toEqual(sorted);
    const offsets: { key: string; group: string; lag: number }[] = await json(
      "offsets",
      "log",
      "--json",
    );
    expect(keysOf(offsets)).toEqual(sorted);
    for (const { key, group, lag } of offsets) expect([key, lag]).toEqual([group, 0]);
    for (const name of NAMES) {
      // An argument of a program cannot hold a NUL; in this process it can.
      const args = ["cat", "log", `--key=${name}`, "--format", "json"];
      expect(await json(...args)).toMatchObject({
        value: name,
        key: name,
        headers: [{ name, value: name }],
      });
    }
  });

  it("that no key can have are refused at every door, and make nothing", async () => {
    const directory = newPath();
    await using store = await LogStore.open(directory, { durability: "os" });
    for (const key of ["", "\ud800", "a\udc00b", "k".repeat(241), "K".repeat(81)]) {
      const doors: (() => Promise<unknown>)[] = [
        () => store.append(key, "v"),
        () => store.appendBatch(key, ["v"]),
        () => store.read(key, 0),
        () => store.log(key),
        () => store.bounds(key),
        () => store.deleteKey(key),
        () => store.follow(key).next(),
        () => store.group("g").commit(new Map([[key, 0]])),
        () => store.group("g").seek(new Map([[key, 0]])),
      ];
      for (const [door, run] of doors.entries()) {
        expect(await codeOf(run), `${JSON.stringify(key.slice(0, 9))} at ${door}`).toBe(
          "INVALID_KEY",
        );
      }
    }
    expect(store.keys()).toEqual([]);
    expect(readdirSync(join(directory, "logs"))).toEqual([]);
  });

  it(`random ones, many at once, stay apart (seed ${SEED})`, async () => {
    const unit = fc
      .oneof(fc.constantFrom("grapheme", "binary"))
      .chain((kind) => fc.string({ unit: kind as "grapheme", minLength: 1, maxLength: 12 }));
    const names = [...new Set(fc.sample(unit, { numRuns: 60, seed: SEED }))];
    const directory = newPath();
    const store = await LogStore.open(directory, { durability: "os" });
    await Promise.all(names.map((name) => store.append(name, name)));
    await store.close();
    await using again = await LogStore.open(directory, { readOnly: true });
    expect(again.keys().sort()).toEqual([...names].sort());
    for (const name of names) {
      const { records } = await again.read(name, 0);
      expect(records.map(({ value }) => Buffer.from(value).toString())).toEqual([name]);
    }
  });
});
