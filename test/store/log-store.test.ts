import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { CommitLog } from "../../src/log/commit-log.js";
import { LogStore, type StoreOptions } from "../../src/store/log-store.js";
import { forge } from "../support/damage.js";
import { codeOf, failureOf, thrownBy } from "../support/failure.js";
import { FaultyFileSystem } from "../support/faulty-file-system.js";
import { newPath, temporaryDirectory } from "../support/temporary-directory.js";
import { fill, openStore, textsIn, textsOf } from "./stores.js";

/** Every file below a directory, with its content. */
function contentOf(directory: string): Map<string, string> {
  const files = new Map<string, string>();
  for (const name of readdirSync(directory, { recursive: true, encoding: "utf8" })) {
    const path = join(directory, name);
    files.set(name, statSync(path).isFile() ? readFileSync(path, "hex") : "directory");
  }
  return files;
}

describe("keys", () => {
  it("are made by the first append, and are there again after reopening", async () => {
    const directory = newPath();
    const store = await openStore(directory);
    expect(store.recovery).toEqual({
      created: true,
      deletedKeys: [],
      checkpointDamage: undefined,
    });
    const keys = ["orders", "Orders", "..", "a/b", "\0", "con", "__proto__", "constructor", "💧"];
    for (const key of keys) await store.append(key, `of ${key}`);
    expect(store.keys().sort()).toEqual([...keys].sort());
    await store.close();
    const again = await openStore(directory);
    expect(again.recovery.created).toBe(false);
    expect(again.keys().sort()).toEqual([...keys].sort());
    for (const key of keys) expect(await textsIn(again, key)).toEqual([`of ${key}`]);
    expect(readdirSync(join(directory, "logs"))).toHaveLength(keys.length);
  });

  it("are made by log(), which gives the key's log", async () => {
    const store = await openStore(newPath());
    const log = await store.log("k");
    expect(store.keys()).toEqual(["k"]);
    await log.append("one");
    expect(await textsIn(store, "k")).toEqual(["one"]);
    expect(await store.log("k")).toBe(log);
  });

  it("that are not valid are refused by every door, and make nothing", async () => {
    const directory = newPath();
    const store = await openStore(directory);
    for (const key of ["", "\ud800", "K".repeat(100)]) {
      expect(await codeOf(store.append(key, "v"))).toBe("INVALID_KEY");
      expect(await codeOf(store.appendBatch(key, ["v"]))).toBe("INVALID_KEY");
      expect(await codeOf(store.read(key, 0))).toBe("INVALID_KEY");
      expect(await codeOf(store.log(key))).toBe("INVALID_KEY");
      expect(await codeOf(store.bounds(key))).toBe("INVALID_KEY");
      expect(await codeOf(store.deleteKey(key))).toBe("INVALID_KEY");
      expect(await codeOf(store.follow(key).next())).toBe("INVALID_KEY");
      expect(await codeOf(store.group("g").commit(new Map([[key, 0]])))).toBe("INVALID_KEY");
    }
    expect(await thrownBy(store.append(5 as never, "v"))).toBeInstanceOf(TypeError);
    expect(store.keys()).toEqual([]);
    expect(readdirSync(join(directory, "logs"))).toEqual([]);
  });

  it("that do not exist read as an empty log, and are not made", async () => {
    const directory = newPath();
    const store = await openStore(directory);
    expect(await store.read("k", 0)).toEqual({ records: [], nextOffset: 0, endOffset: 0 });
    expect(await failureOf(store.read("k", 1))).toMatchObject({
      code: "OFFSET_OUT_OF_RANGE",
      startOffset: 0,
      endOffset: 0,
    });
    expect(await store.bounds("k")).toBeUndefined();
    expect(await store.deleteKey("k")).toBe(false);
    expect(await codeOf(store.group("g").commit({ k: 0 }))).toBe("KEY_NOT_FOUND");
    expect(store.keys()).toEqual([]);
    expect(readdirSync(join(directory, "logs"))).toEqual([]);
  });

  it("are not made by what no log takes", async () => {
    const directory = newPath();
    const store = await openStore(directory, { maxRecordBytes: 100, maxBatchBytes: 8192 });
    const producer = { id: -1n, epoch: 0, sequence: 0 };
    const wrong: readonly (() => Promise<unknown>)[] = [
      () => store.append("k", 1 as unknown as string),
      () => store.append("k", "\ud800"),
      () => store.append("k", { value: "v", timestamp: -1 }),
      () => store.append("k", "x".repeat(101)),
      () => store.append("k", "v", { producer }),
      () => store.append("k", "v", { signal: AbortSignal.abort() }),
      () => store.appendBatch("k", []),
      () => store.appendBatch("k", "text" as unknown as string[]),
      () => store.appendBatch("k", ["v", "x".repeat(101)]),
      () =>
        store.appendBatch(
          "k",
          Array.from({ length: 1000 }, () => "x"),
        ),
    ];
    for (const append of wrong) expect(await thrownBy(append())).toBeInstanceOf(Error);
    expect(store.keys()).toEqual([]);
    expect(readdirSync(join(directory, "logs"))).toEqual([]);
    // A key that is there refuses the same.
    await store.append("k", "v");
    for (const append of wrong) expect(await thrownBy(append())).toBeInstanceOf(Error);
    expect(await textsIn(store, "k")).toEqual(["v"]);
  });
});

describe("append", () => {
  it("to a key that is not open yet keeps the order of the calls", async () => {
    const directory = newPath();
    const first = await openStore(directory);
    await first.append("k", "before");
    await first.close();
    const store = await openStore(directory);
    const offsets = await Promise.all([
      ...Array.from({ length: 50 }, (_, index) => store.append("k", `a${index}`)),
      store.appendBatch("k", ["b0", "b1"]).then(({ baseOffset }) => baseOffset),
      ...Array.from({ length: 50 }, (_, index) => store.append("k", `c${index}`)),
    ]);
    expect(offsets.slice(0, 51)).toEqual(Array.from({ length: 51 }, (_, index) => index + 1));
    expect(offsets.slice(51)).toEqual(Array.from({ length: 50 }, (_, index) => index + 53));
    expect((await textsIn(store, "k")).slice(49, 56)).toEqual([
      "a48",
      "a49",
      "b0",
      "b1",
      "c0",
      "c1",
      "c2",
    ]);
  });

  it("issued while earlier ones still wait for the log does not overtake them", async () => {
    const fileSystem = new FaultyFileSystem();
    const store = await openStore(newPath(), {}, fileSystem);
    const hold = fileSystem.hold({ kind: "makeDirectory", path: /logs\/.*k$/ });
    const early = [store.append("k", "0"), store.append("k", "1")];
    await hold.reached;
    hold.release();
    const late = early[0]!.then(() => store.append("k", "3"));
    const third = store.append("k", "2");
    expect(await Promise.all([...early, third, late])).toEqual([0, 1, 2, 3]);
    expect(await textsIn(store, "k")).toEqual(["0", "1", "2", "3"]);
  });

  it("takes the caller's bytes as they are at the call, also of a key that is not open", async () => {
    const store = await openStore(newPath());
    const bytes = {
      array: new Uint8Array(Buffer.from("array")),
      buffer: Buffer.from("buffer"),
      value: Buffer.from("value"),
      key: Buffer.from("key"),
      header: Buffer.from("header"),
      batched: Buffer.from("batched"),
    };
    const records: (string | Uint8Array)[] = [bytes.batched, "second"];
    const headers: [string, Uint8Array][] = [["h", bytes.header]];
    const appends = [
      store.append("one", bytes.array),
      store.append("one", bytes.buffer),
      store.append("two", { value: bytes.value, key: bytes.key, headers }),
      store.appendBatch("three", records),
    ];
    for (const each of Object.values(bytes)) each.fill(0x78);
    headers[0]![0] = "other";
    headers.push(["more", bytes.header]);
    records[1] = "changed";
    records.push("another");
    await Promise.all(appends);
    expect(await textsIn(store, "one")).toEqual(["array", "buffer"]);
    expect(await textsIn(store, "three")).toEqual(["batched", "second"]);
    const [record] = (await store.read("two", 0)).records;
    expect(textsOf([record!])).toEqual(["value"]);
    expect(Buffer.from(record!.key!).toString()).toBe("key");
    expect(record!.headers!.map(([name, value]) => [name, Buffer.from(value).toString()])).toEqual([
      ["h", "header"],
    ]);
  });

  it("fails for all who wait when the log cannot be opened, and works later", async () => {
    const fileSystem = new FaultyFileSystem();
    const store = await openStore(newPath(), {}, fileSystem);
    fileSystem.fail({ kind: "makeDirectory" }, { errno: "ENOSPC" });
    const results = await Promise.allSettled([store.append("k", "a"), store.append("k", "b")]);
    for (const result of results) {
      expect(result).toMatchObject({ status: "rejected", reason: { code: "NO_SPACE" } });
    }
    expect(store.keys()).toEqual([]);
    expect(await store.append("k", "c")).toBe(0);
  });

  it("reopens a log that its user closed", async () => {
    const store = await openStore(newPath());
    await store.append("k", "a");
    const log = await store.log("k");
    await log.close();
    expect(await store.append("k", "b")).toBe(1);
    expect(await textsIn(store, "k")).toEqual(["a", "b"]);
    expect(await codeOf(log.append("c"))).toBe("CLOSED");
    const closing = (await store.log("k")).close();
    const appended = store.append("k", "c");
    await closing;
    expect(await appended).toBe(2);
  });
});

describe("read", () => {
  it("says where to go on", async () => {
    const store = await openStore(newPath());
    await fill(store, "k", 10);
    const first = await store.read("k", 2, { maxRecords: 3 });
    expect(textsOf(first.records)).toEqual(["k 2", "k 3", "k 4"]);
    expect(first).toMatchObject({ nextOffset: 5, endOffset: 10 });
    expect(await store.read("k", 10)).toEqual({ records: [], nextOffset: 10, endOffset: 10 });
    expect(await codeOf(store.read("k", 11))).toBe("OFFSET_OUT_OF_RANGE");
  });

  it.each(["k", "unknown"])("of %s refuses an offset that is none", async (key) => {
    const store = await openStore(newPath());
    await fill(store, "k", 1);
    expect(await thrownBy(store.read(key, "0" as never))).toBeInstanceOf(TypeError);
    expect(await thrownBy(store.read(key, 0.5))).toBeInstanceOf(RangeError);
    expect(await thrownBy(store.read(key, 0, { maxRecords: 0 }))).toBeInstanceOf(RangeError);
  });

  it("beside a deletion does not bring the key back", async () => {
    const store = await openStore(newPath());
    await fill(store, "k", 3);
    await (await store.log("k")).close();
    const deleted = store.deleteKey("k");
    const reads = Promise.allSettled([store.read("k", 0), store.bounds("k")]);
    expect(await deleted).toBe(true);
    await reads;
    expect(store.keys()).toEqual([]);
    expect(readdirSync(join(store.directory, "logs"))).toEqual([]);
    expect(await store.read("k", 0)).toMatchObject({ records: [] });
  });

  it("begun before a deletion is answered or finds the key gone", async () => {
    const store = await openStore(newPath());
    for (let turn = 0; turn < 20; turn++) {
      await fill(store, "k", 3);
      const reading = store.read("k", 0).then(
        ({ records }) => [0, 3].includes(records.length),
        (error) => error.code === "CLOSED",
      );
      const deleted = store.deleteKey("k");
      expect(await reading).toBe(true);
      expect(await deleted).toBe(true);
      expect(store.keys()).toEqual([]);
    }
  });
});

describe("follow", () => {
  it("waits for records, and for the key", async () => {
    const store = await openStore(newPath());
    const records = store.follow("k");
    const first = records.next();
    await store.append("other", "x");
    await store.append("k", "a");
    expect(textsOf([(await first).value!])).toEqual(["a"]);
    const second = records.next();
    await store.append("k", "b");
    expect(textsOf([(await second).value!])).toEqual(["b"]);
    await records.return();
  });

  it("misses no key, whenever that is made", async () => {
    const store = await openStore(newPath(), { durability: "os" });
    for (let turn = 0; turn < 12; turn++) {
      const key = `k${turn}`;
      await store.log(`warm${turn}`);
      const records = store.follow(key);
      const first = records.next();
      for (let tick = 0; tick < turn; tick++) await Promise.resolve();
      await store.append(key, "a");
      expect((await first).value).toMatchObject({ offset: 0 });
      await records.return();
    }
  });

  it("ends with its signal, and with its store", async () => {
    const store = await openStore(newPath());
    const reason = new Error("enough");
    const abort = new AbortController();
    const aborted = store.follow("k", { signal: abort.signal }).next();
    const closed = store.follow("k").next();
    const outcomes = Promise.all([thrownBy(aborted), codeOf(closed)]);
    await store.append("other", "x");
    abort.abort(reason);
    await store.close();
    expect(await outcomes).toEqual([reason, "CLOSED"]);
  });

  it("of a key that does not exist ends with its store, whenever that is closed", async () => {
    for (let turn = 0; turn < 12; turn++) {
      const store = await openStore(newPath());
      const ended = codeOf(store.follow("k").next());
      for (let tick = 0; tick < turn; tick++) await Promise.resolve();
      await store.close();
      expect(await ended).toBe("CLOSED");
    }
  });
});

describe("the making of a key", () => {
  it("that a crash interrupted leaves nothing behind once the store is opened again", async () => {
    const directory = newPath();
    await (await openStore(directory)).close();
    mkdirSync(join(directory, "logs", ".new-k"));
    writeFileSync(join(directory, "logs", ".new-k", "log.meta"), "");
    const store = await openStore(directory);
    expect(store.keys()).toEqual([]);
    expect(readdirSync(join(directory, "logs"))).toEqual([]);
  });

  it("that fails writes nothing any more when it has said so", async () => {
    const fileSystem = new FaultyFileSystem();
    const store = await openStore(newPath(), {}, fileSystem);
    const hold = fileSystem.hold({ kind: "write", path: /new-k.log\.meta/ });
    fileSystem.fail({ kind: "write", path: /new-k.*\.log$/ }, { errno: "ENOSPC" });
    let isOver = false;
    const failed = codeOf(store.append("k", "first")).finally(() => {
      isOver = true;
    });
    await hold.reached;
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(isOver).toBe(false);
    hold.release();
    expect(await failed).toBe("NO_SPACE");
    expect(await store.append("k", "second")).toBe(0);
  });
});

describe("a closed store", () => {
  it("refuses everything, closes once, and gives all handles back", async () => {
    const fileSystem = new FaultyFileSystem();
    const directory = newPath();
    const store = await openStore(directory, {}, fileSystem);
    await fill(store, "k", 3);
    const group = store.group("g");
    await group.commit({ k: 2 });
    const log = await store.log("k");
    const closing = store.close();
    expect(store.close()).toBe(closing);
    await closing;
    expect(fileSystem.openPaths).toEqual([]);
    const uses: (() => unknown)[] = [
      () => store.append("k", "v"),
      () => store.append("new", "v"),
      () => store.appendBatch("k", ["v"]),
      () => store.read("k", 0),
      () => store.bounds("k"),
      () => store.log("k"),
      () => store.keys(),
      () => store.groups(),
      () => store.group("g"),
      () => store.deleteKey("k"),
      () => store.refresh(),
      () => store.flush(),
      () => store.follow("k").next(),
      () => group.commit({ k: 3 }),
      () => group.seek({ k: 0 }),
      () => group.committed(),
      () => log.append("v"),
      () => log.read(0),
    ];
    for (const use of uses) expect(await codeOf(use), String(use)).toBe("CLOSED");
    await (await openStore(directory)).close();
  });

  it("has stored what was appended before the call", async () => {
    const directory = newPath();
    const store = await openStore(directory);
    const appends = [store.append("a", "1"), store.append("b", "2"), store.append("a", "3")];
    const closing = store.close();
    const results = await Promise.allSettled(appends);
    await closing;
    const again = await openStore(directory);
    const stored = [...(await textsIn(again, "a")), ...(await textsIn(again, "b"))];
    const acknowledged = ["1", "2", "3"].filter((_, at) => results[at]!.status === "fulfilled");
    expect(stored).toEqual(expect.arrayContaining(acknowledged));
  });

  it("is closed by await using", async () => {
    const directory = newPath();
    {
      await using store = await LogStore.open(directory);
      await store.append("k", "v");
    }
    await using again = await LogStore.open(directory);
    expect(again.keys()).toEqual(["k"]);
  });
});

describe("opening", () => {
  it.each<[StoreOptions, typeof TypeError | typeof RangeError]>([
    [{ unknown: 1 } as never, TypeError],
    [{ maxOpenFiles: 15 }, RangeError],
    [{ maxOpenFiles: "64" } as never, TypeError],
    [{ readOnly: 1 } as never, TypeError],
    [{ durability: "never" } as never, RangeError],
    [{ segmentBytes: 1 }, RangeError],
  ])("with %j is refused before any file is touched", async (options, error) => {
    const directory = newPath();
    expect(await thrownBy(LogStore.open(directory, options))).toBeInstanceOf(error);
    expect(existsSync(directory)).toBe(false);
  });

  it.each([5, "", "a\0b", undefined])("of %j is a TypeError", async (directory) => {
    expect(await thrownBy(LogStore.open(directory as never))).toBeInstanceOf(TypeError);
  });

  it("makes the directories that are missing, for their owner only", async () => {
    const before = process.umask(0);
    onTestFinished(() => {
      process.umask(before);
    });
    const directory = join(temporaryDirectory(), "a", "b", "c");
    const store = await openStore(directory);
    await store.append("k", "v");
    await fill(store, "k", 3);
    await store.group("g").commit({ k: 1 });
    for (const name of readdirSync(directory, { recursive: true, encoding: "utf8" })) {
      const stats = statSync(join(directory, name));
      expect(stats.mode & 0o777, name).toBe(stats.isDirectory() ? 0o700 : 0o600);
    }
    expect(statSync(directory).mode & 0o777).toBe(0o700);
  });

  it("a second time is LOCKED, and one for reading is not", async () => {
    const directory = newPath();
    const store = await openStore(directory);
    await store.append("k", "v");
    const before = contentOf(directory);
    const failure = await failureOf(LogStore.open(directory));
    expect(failure.code).toBe("LOCKED");
    expect(failure.message).toContain(String(process.pid));
    expect(contentOf(directory)).toEqual(before);
    const reader = await openStore(directory, { readOnly: true });
    expect(await textsIn(reader, "k")).toEqual(["v"]);
    await store.close();
    await (await LogStore.open(directory)).close();
  });

  it.each<[string, (directory: string) => void]>([
    [
      "a file",
      (directory) => {
        rmSync(directory, { recursive: true });
        writeFileSync(directory, "");
      },
    ],
    ["a directory of other files", (directory) => writeFileSync(join(directory, "photo.jpg"), "")],
    ["a directory of other directories", (directory) => mkdirSync(join(directory, "src"))],
    ["a log", (directory) => writeFileSync(join(directory, "log.meta"), "")],
  ])("%s is NOT_A_STORE, and changes nothing", async (_what, make) => {
    const directory = temporaryDirectory();
    make(directory);
    for (const readOnly of [false, true]) {
      expect(await codeOf(LogStore.open(directory, { readOnly }))).toBe("NOT_A_STORE");
    }
    if (statSync(directory).isDirectory()) expect(readdirSync(directory)).toHaveLength(1);
  });

  it("a real log is NOT_A_STORE, and a store is NOT_A_LOG", async () => {
    const directory = newPath();
    await (await CommitLog.open(directory)).close();
    const failure = await failureOf(LogStore.open(directory));
    expect(failure.code).toBe("NOT_A_STORE");
    expect(failure.message).toContain("CommitLog.open");
    const other = newPath();
    await (await LogStore.open(other)).close();
    const second = await failureOf(CommitLog.open(other));
    expect(second.code).toBe("NOT_A_LOG");
    expect(second.message).toContain("LogStore.open");
  });

  it("nothing for reading only is NOT_A_STORE, and makes nothing", async () => {
    const directory = newPath();
    expect(await codeOf(LogStore.open(directory, { readOnly: true }))).toBe("NOT_A_STORE");
    expect(existsSync(directory)).toBe(false);
    const empty = temporaryDirectory();
    expect(await codeOf(LogStore.open(empty, { readOnly: true }))).toBe("NOT_A_STORE");
    expect(readdirSync(empty)).toEqual([]);
  });

  it("a damaged store.meta is CORRUPTION, one of a newer version UNSUPPORTED_FORMAT", async () => {
    const directory = newPath();
    await (await LogStore.open(directory)).close();
    const path = join(directory, "store.meta");
    const sound = readFileSync(path);
    for (let bit = 0; bit < sound.length * 8; bit++) {
      const flipped = Buffer.from(sound);
      flipped[bit >>> 3]! ^= 1 << (bit & 7);
      writeFileSync(path, flipped);
      expect(await codeOf(LogStore.open(directory))).toBe("CORRUPTION");
    }
    writeFileSync(path, sound);
    forge(path, (bytes) => bytes.writeUInt16LE(1, 8));
    expect(await codeOf(LogStore.open(directory))).toBe("UNSUPPORTED_FORMAT");
    expect(await codeOf(LogStore.open(directory, { readOnly: true }))).toBe("UNSUPPORTED_FORMAT");
  });

  it.each([
    ["no record and no log.meta", true, /^log\.meta$/],
    ["nothing but an index", false, /^(?!.*\.index$)/],
    ["nothing but a stray file of seglog's", false, /^(?!published$)/],
  ])("a log that has %s is CORRUPTION, and stays as it is", async (_, isEmptied, lost) => {
    const directory = newPath();
    const store = await openStore(directory);
    const log = await store.log("k");
    await log.append("one");
    if (isEmptied) await log.truncateTo(0);
    await store.close();
    const files = join(directory, "logs", "k");
    writeFileSync(join(files, "published"), "");
    for (const name of readdirSync(files)) if (lost.test(name)) rmSync(join(files, name));
    const before = contentOf(files);
    expect(before.size).toBeGreaterThan(0);
    const reader = await openStore(directory, { readOnly: true });
    expect(await codeOf(reader.read("k", 0))).toBe("CORRUPTION");
    expect(await codeOf(reader.bounds("k"))).toBe("CORRUPTION");
    const again = await openStore(directory);
    expect(await codeOf(again.append("k", "two"))).toBe("CORRUPTION");
    expect(contentOf(files)).toEqual(before);
    // As the message says.
    await again.deleteKey("k");
    expect(await again.append("k", "two")).toBe(0);
  });

  it("logs without store.meta is CORRUPTION, and makes no second store of them", async () => {
    const directory = newPath();
    const store = await openStore(directory);
    await store.append("k", "v");
    await store.close();
    rmSync(join(directory, "store.meta"));
    expect(await codeOf(LogStore.open(directory))).toBe("CORRUPTION");
    expect(existsSync(join(directory, "store.meta"))).toBe(false);
  });

  it("can be interrupted anywhere the first time, and is done by the next", async () => {
    for (let number = 0; ; number++) {
      const directory = join(temporaryDirectory(), "a", "store");
      const fileSystem = new FaultyFileSystem();
      fileSystem.dieAt(number, 3);
      const opened = openStore(directory, {}, fileSystem);
      const isDone = await opened.then(
        () => true,
        () => false,
      );
      const isPast = fileSystem.count <= number;
      await fileSystem.die();
      if (isDone && isPast) break;
      const store = await openStore(directory);
      expect(await store.append("k", "v"), `died at ${number}`).toBe(0);
      await store.close();
    }
  });

  it("that fails gives every handle and the lock back", async () => {
    const directory = newPath();
    const store = await openStore(directory);
    await fill(store, "k", 2);
    await store.group("g").commit({ k: 1 });
    await store.close();
    mkdirSync(join(directory, "logs", ".deleted-old"));
    for (let number = 0; ; number++) {
      const fileSystem = new FaultyFileSystem();
      const injection = fileSystem.fail({ number }, { errno: "EIO" });
      const opened = await openStore(directory, {}, fileSystem).catch(() => undefined);
      await opened?.close().catch(() => undefined);
      if (injection.hits === 0) break;
      expect(fileSystem.openPaths, `operation ${number}`).toEqual([]);
      mkdirSync(join(directory, "logs", ".deleted-old"), { recursive: true });
    }
    await (await openStore(directory)).close();
  });
});

describe("a store's own files", () => {
  it("cannot be opened for writing as a log, and nothing is touched", async () => {
    const directory = newPath();
    const store = await openStore(directory);
    await fill(store, "k", 3);
    await store.close();
    const path = join(directory, "logs", "k");
    const before = contentOf(directory);
    expect(await codeOf(CommitLog.open(path))).toBe("BELONGS_TO_STORE");
    expect(contentOf(directory)).toEqual(before);
    await using reader = await CommitLog.open(path, { readOnly: true });
    expect(reader.endOffset).toBe(3);
  });

  it("belong to no other store, and to no log that was alone", async () => {
    const [one, other] = [newPath(), newPath()];
    for (const directory of [one, other]) {
      const store = await openStore(directory);
      await store.append("k", directory);
      await store.close();
    }
    rmSync(join(one, "logs", "k"), { recursive: true });
    const { cpSync } = await import("node:fs");
    cpSync(join(other, "logs", "k"), join(one, "logs", "k"), { recursive: true });
    await (await CommitLog.open(join(one, "logs", "alone"))).close();
    const store = await openStore(one);
    expect(await codeOf(store.append("k", "v"))).toBe("BELONGS_TO_STORE");
    expect(await codeOf(store.append("alone", "v"))).toBe("BELONGS_TO_STORE");
  });

  it.each(["store.meta", "committed-offsets", "LOCK"])("refuse %s as a link", async (name) => {
    const directory = newPath();
    const store = await openStore(directory);
    await fill(store, "k", 1);
    await store.group("g").commit({ k: 1 });
    await store.close();
    const target = join(temporaryDirectory(), "target");
    writeFileSync(target, readFileSync(join(directory, name)));
    rmSync(join(directory, name));
    symlinkSync(target, join(directory, name));
    expect(await codeOf(LogStore.open(directory))).toBe("UNSAFE_PATH");
  });

  it("refuse a key's directory that is a link, at opening and later", async () => {
    const directory = newPath();
    const outside = temporaryDirectory();
    const store = await openStore(directory);
    await store.append("k", "v");
    symlinkSync(outside, join(directory, "logs", "link"));
    expect(await codeOf(store.append("link", "v"))).toBe("UNSAFE_PATH");
    expect(readdirSync(outside)).toEqual([]);
    await store.close();
    for (const readOnly of [false, true]) {
      expect(await codeOf(LogStore.open(directory, { readOnly }))).toBe("UNSAFE_PATH");
    }
  });

  it("may be foreign ones among the keys' directories, which are left alone", async () => {
    const directory = newPath();
    await (await openStore(directory)).close();
    for (const name of ["Upper", "lost+found", "%6f"]) mkdirSync(join(directory, "logs", name));
    writeFileSync(join(directory, "logs", ".DS_Store"), "");
    const store = await openStore(directory);
    expect(store.keys()).toEqual([]);
    await store.append("o", "v");
    await store.close();
    expect(readdirSync(join(directory, "logs")).sort()).toEqual(
      [".DS_Store", "%6f", "Upper", "lost+found", "o"].sort(),
    );
  });
});
