import { describe, expect, onTestFinished, test } from "vitest";
import type { KeyedLog, LogRecord } from "../../src/index.js";
import { codeOf, failureOf, thrownBy } from "../support/failure.js";

/** An engine with nothing in it, and a way to look at it that is no part of the interface. */
export interface Subject {
  readonly log: KeyedLog;
  /** Takes away the records of a key before an offset, as retention does. */
  deleteBefore(key: string, offset: number): Promise<void>;
}

/** Keys that trip up whoever keeps them in objects, paths or the wrong encoding. */
const HOSTILE_KEYS = [
  "__proto__",
  "constructor",
  "toString",
  "hasOwnProperty",
  "..",
  ".",
  "../../etc/passwd",
  "a/b\\c",
  "con",
  "Käse 🧀",
  "\u0000",
  "\ufeff",
  "\u202e",
  " ",
  "%41",
  "Upper",
  "upper",
];

/**
 * What every engine behind `KeyedLog` must do.
 *
 * @param open - A new, empty engine; it is closed by the suite.
 */
export function conformsToKeyedLog(name: string, open: () => Promise<Subject>): void {
  const opened = async () => {
    const subject = await open();
    onTestFinished(() => subject.log.close());
    return subject;
  };
  describe(`${name} is a KeyedLog`, () => {
    appending(opened);
    reading(opened);
    following(opened);
    groups(opened);
    closing(opened);
  });
}

type Open = () => Promise<Subject>;

function appending(open: Open): void {
  describe("append", () => {
    test("gives offsets that rise, for each key from 0", async () => {
      const { log } = await open();
      expect(await log.append("a", "1")).toBe(0);
      expect(await log.append("b", "1")).toBe(0);
      expect(await log.append("a", "2")).toBeGreaterThan(0);
      expect(await valuesOf(log, "a")).toEqual(["1", "2"]);
    });

    test("keeps the order of the calls, however many are under way", async () => {
      const { log } = await open();
      const values = Array.from({ length: 2000 }, (_, index) => `value-${index}`);
      const offsets = await Promise.all(values.map((value) => log.append("k", value)));
      expect([...offsets].sort((left, right) => left - right)).toEqual(offsets);
      expect(new Set(offsets).size).toBe(values.length);
      expect(await valuesOf(log, "k")).toEqual(values);
    });

    test("keeps the order of appends and batches among each other", async () => {
      const { log } = await open();
      const parts = [
        log.append("k", "a"),
        log.appendBatch("k", ["b", "c"]),
        log.append("k", "d"),
        log.append("k", "e"),
        log.appendBatch("k", ["f"]),
      ];
      await Promise.all(parts);
      expect(await valuesOf(log, "k")).toEqual([..."abcdef"]);
    });

    test("keeps values, keys, headers and timestamps as they are", async () => {
      const { log } = await open();
      const bytes = Uint8Array.from({ length: 256 }, (_, index) => index);
      const headers = [
        ["name", Uint8Array.of(1)],
        ["name", new Uint8Array()],
        ["", Uint8Array.of(0)],
        ["Ünï🧀", Uint8Array.of(255)],
      ] as const;
      await log.append("k", bytes);
      await log.append("k", "");
      await log.append("k", { value: "v", key: "", headers, timestamp: 0 });
      await log.append("k", { value: bytes, key: bytes, timestamp: 2 ** 50 });
      await log.append("k", { value: "🧀", headers: { h: "text" } });
      const { records } = await log.read("k", 0);
      expect(records.map(({ value }) => [...value])).toEqual([
        [...bytes],
        [],
        [...Buffer.from("v")],
        [...bytes],
        [...Buffer.from("🧀")],
      ]);
      expect(records[0]!.key).toBeUndefined();
      expect(records[0]!.headers).toBeUndefined();
      expect([...records[2]!.key!]).toEqual([]);
      expect(records[2]!.headers!.map(([name, value]) => [name, [...value]])).toEqual(
        headers.map(([name, value]) => [name, [...value]]),
      );
      expect(records[2]!.timestamp).toBe(0);
      expect([...records[3]!.key!]).toEqual([...bytes]);
      expect(records[3]!.timestamp).toBe(2 ** 50);
      expect(records[4]!.headers).toEqual([["h", new Uint8Array(Buffer.from("text"))]]);
    });

    test("has copied its input when it returns", async () => {
      const { log } = await open();
      const bytes = Buffer.from("before");
      const appends = [
        log.append("k", bytes),
        log.append("k", { value: bytes, key: bytes, headers: [["h", bytes]] }),
        log.appendBatch("k", [bytes, bytes]),
      ];
      bytes.fill("x");
      await Promise.all(appends);
      expect(await valuesOf(log, "k")).toEqual(["before", "before", "before", "before"]);
      const [, record] = (await log.read("k", 0)).records;
      expect(textOf(record!.key!)).toBe("before");
    });

    test("takes every text for a key", async () => {
      const { log } = await open();
      for (const key of HOSTILE_KEYS) await log.append(key, `of ${key}`);
      expect((await log.keys()).sort()).toEqual([...HOSTILE_KEYS].sort());
      for (const key of HOSTILE_KEYS) expect(await valuesOf(log, key)).toEqual([`of ${key}`]);
    });

    test("refuses what cannot be a key, or a record", async () => {
      const { log } = await open();
      expect(await codeOf(log.append("", "v"))).toBe("INVALID_KEY");
      expect(await codeOf(log.append("\ud800", "v"))).toBe("INVALID_KEY");
      expect(await codeOf(log.append("K".repeat(200), "v"))).toBe("INVALID_KEY");
      const wrong: unknown[] = [
        undefined,
        7,
        null,
        {},
        { value: 7 },
        "\ud800",
        { value: "\udc00" },
      ];
      for (const record of wrong) {
        expect(await thrownBy(log.append("k", record as string))).toBeInstanceOf(TypeError);
        expect(await thrownBy(log.appendBatch("k", ["v", record as string]))).toBeInstanceOf(
          TypeError,
        );
      }
      expect(await thrownBy(log.append(7 as never, "v"))).toBeInstanceOf(TypeError);
      expect(await thrownBy(log.append("k", { value: "v", timestamp: -1 }))).toBeInstanceOf(
        RangeError,
      );
      expect(await thrownBy(log.appendBatch("k", []))).toBeInstanceOf(RangeError);
      expect(await thrownBy(log.appendBatch("k", 7 as never))).toBeInstanceOf(TypeError);
      expect(await valuesOf(log, "k")).toEqual([]);
    });

    test("refuses a record that is too long, and stores those around it", async () => {
      const { log } = await open();
      const long = new Uint8Array(17 * 1024 * 1024);
      const first = log.append("k", "a");
      const refused = log.append("k", long);
      const last = log.append("k", "b");
      expect(await codeOf(refused)).toBe("RECORD_TOO_LARGE");
      await Promise.all([first, last]);
      expect(await codeOf(log.appendBatch("k", ["c", long]))).toBe("RECORD_TOO_LARGE");
      expect(await valuesOf(log, "k")).toEqual(["a", "b"]);
    });

    test("does nothing when its signal is aborted before", async () => {
      const { log } = await open();
      const reason = new Error("never mind");
      const signal = AbortSignal.abort(reason);
      expect(await thrownBy(log.append("k", "v", { signal }))).toBe(reason);
      expect(await thrownBy(log.appendBatch("k", ["v"], { signal }))).toBe(reason);
      expect(await valuesOf(log, "k")).toEqual([]);
    });
  });

  describe("appendBatch", () => {
    test("tells the offset of each record", async () => {
      const { log } = await open();
      await log.append("k", "a");
      const values = ["b", { value: "c", key: "with a key" }, "d"];
      const batch = await log.appendBatch("k", new Set(values));
      expect(batch.baseOffset).toBe(batch.offsetAt(0));
      expect(batch.lastOffset).toBe(batch.offsetAt(2));
      const { records } = await log.read("k", batch.offsetAt(1));
      expect(records.map(({ value }) => textOf(value))).toEqual(["c", "d"]);
      expect(records[0]!.offset).toBe(batch.offsetAt(1));
    });

    test("takes many records", async () => {
      const { log } = await open();
      const values = Array.from({ length: 20_000 }, (_, index) => `${index}`);
      const { baseOffset, lastOffset } = await log.appendBatch("k", values);
      expect(baseOffset).toBe(0);
      expect(await valuesOf(log, "k")).toEqual(values);
      expect((await log.bounds("k"))!.endOffset).toBe(lastOffset + 1);
    });
  });

  describe("an append by a producer that keeps its own numbers", () => {
    const id = 0xfedc_ba98_7654_3210n;

    test("is stored once however often it is made", async () => {
      const { log } = await open();
      const producer = { id, epoch: 0, sequence: 0 };
      const first = await log.appendBatch("k", ["a", "b"], { producer });
      const again = await log.appendBatch("k", ["a", "b"], { producer });
      expect(again.baseOffset).toBe(first.baseOffset);
      const next = { ...producer, sequence: 2 };
      expect(await log.append("k", "c", { producer: next })).toBe(2);
      expect(await log.append("k", "c", { producer: next })).toBe(2);
      expect(await valuesOf(log, "k")).toEqual(["a", "b", "c"]);
    });

    test("is refused where one is missing, or its epoch is over", async () => {
      const { log } = await open();
      await log.append("k", "a", { producer: { id, epoch: 1, sequence: 0 } });
      const gap = log.append("k", "c", { producer: { id, epoch: 1, sequence: 2 } });
      expect(await codeOf(gap)).toBe("SEQUENCE_GAP");
      const old = log.append("k", "c", { producer: { id, epoch: 0, sequence: 1 } });
      expect(await codeOf(old)).toBe("PRODUCER_FENCED");
      expect(await valuesOf(log, "k")).toEqual(["a"]);
    });
  });
}

function reading(open: Open): void {
  describe("read", () => {
    test("gives what there is from an offset on, and says from where to go on", async () => {
      const { log } = await open();
      const { baseOffset } = await log.appendBatch("k", [..."abcdef"]);
      const first = await log.read("k", baseOffset, { maxRecords: 2 });
      expect(first.records.map(({ value }) => textOf(value))).toEqual(["a", "b"]);
      const second = await log.read("k", first.nextOffset, { maxRecords: 3 });
      expect(second.records.map(({ value }) => textOf(value))).toEqual(["c", "d", "e"]);
      const third = await log.read("k", second.nextOffset);
      expect(third.records.map(({ value }) => textOf(value))).toEqual(["f"]);
      expect(third.nextOffset).toBe(third.endOffset);
      const none = await log.read("k", third.nextOffset);
      expect(none).toEqual({
        records: [],
        nextOffset: third.endOffset,
        endOffset: third.endOffset,
      });
    });

    test("gives at least one record, however few bytes are asked for", async () => {
      const { log } = await open();
      await log.appendBatch("k", ["x".repeat(1000), "y".repeat(1000)]);
      const { records } = await log.read("k", 0, { maxBytes: 1 });
      expect(records.map(({ value }) => value.length)).toEqual([1000]);
    });

    test("gives values that are never overwritten", async () => {
      const { log } = await open();
      await log.append("k", "first");
      const { records } = await log.read("k", 0);
      for (let round = 0; round < 50; round++) {
        await log.append("k", "other".repeat(100));
        await log.read("k", 0);
      }
      expect(textOf(records[0]!.value)).toBe("first");
      expect(Buffer.isBuffer(records[0]!.value)).toBe(false);
    });

    test("of a key that does not exist finds nothing, and does not make it", async () => {
      const { log } = await open();
      expect(await log.read("k", 0)).toEqual({ records: [], nextOffset: 0, endOffset: 0 });
      expect(await log.bounds("k")).toBeUndefined();
      expect(await failureOf(log.read("k", 1))).toMatchObject({
        code: "OFFSET_OUT_OF_RANGE",
        offset: 1,
        startOffset: 0,
        endOffset: 0,
      });
      expect(await log.keys()).toEqual([]);
      expect(await log.group("g").committed(["k"])).toEqual(new Map());
      expect(await log.keys()).toEqual([]);
    });

    test("outside of the log tells the bounds", async () => {
      const { log, deleteBefore } = await open();
      await log.appendBatch("k", [..."abc"]);
      await log.appendBatch("k", [..."def"]);
      await deleteBefore("k", 4);
      expect(await log.bounds("k")).toEqual({ startOffset: 4, endOffset: 6 });
      for (const offset of [-1, 0, 3, 7, Number.MAX_SAFE_INTEGER]) {
        expect(await failureOf(log.read("k", offset))).toMatchObject({
          name: "OffsetOutOfRangeError",
          code: "OFFSET_OUT_OF_RANGE",
          offset,
          startOffset: 4,
          endOffset: 6,
        });
      }
    });

    test("refuses what is no offset or limit", async () => {
      const { log } = await open();
      for (const from of ["0", undefined, 0n]) {
        expect(await thrownBy(log.read("k", from as unknown as number))).toBeInstanceOf(TypeError);
      }
      for (const from of [0.5, Number.NaN, 2 ** 53]) {
        expect(await thrownBy(log.read("k", from))).toBeInstanceOf(RangeError);
      }
      expect(await thrownBy(log.read("k", 0, { maxRecords: 0 }))).toBeInstanceOf(RangeError);
      expect(await thrownBy(log.read("k", 0, { maxBytes: "1" as never }))).toBeInstanceOf(
        TypeError,
      );
      expect(await codeOf(log.read("", 0))).toBe("INVALID_KEY");
      expect(await codeOf(log.bounds("\ud800"))).toBe("INVALID_KEY");
    });
  });
}

function following(open: Open): void {
  describe("follow", () => {
    test("gives what is there and what comes, from the start or an offset", async () => {
      const { log } = await open();
      await log.appendBatch("k", [..."abc"]);
      const all = take(log.follow("k"), 5);
      const some = take(log.follow("k", { from: 2 }), 3);
      await log.append("k", "d");
      await log.append("k", "e");
      expect(await all).toEqual([..."abcde"]);
      expect(await some).toEqual([..."cde"]);
    });

    test("waits for the key to be made, without making it", async () => {
      const { log } = await open();
      const values = take(log.follow("new"), 2);
      await log.append("other", "x");
      expect(await log.keys()).toEqual(["other"]);
      await log.append("new", "a");
      await log.append("new", "b");
      expect(await values).toEqual(["a", "b"]);
    });

    test("ends with the reason of its signal, while it waits and before", async () => {
      const { log } = await open();
      await log.append("k", "a");
      const abort = new AbortController();
      const reason = new Error("enough");
      const values: string[] = [];
      const run = async () => {
        for await (const { value } of log.follow("k", { signal: abort.signal })) {
          values.push(textOf(value));
          setImmediate(() => abort.abort(reason));
        }
      };
      expect(await thrownBy(run())).toBe(reason);
      expect(values).toEqual(["a"]);
      expect(await thrownBy(run())).toBe(reason);
      const missing = log.follow("missing", { signal: abort.signal })[Symbol.asyncIterator]();
      expect(await thrownBy(missing.next())).toBe(reason);
    });

    test("outside of the log fails", async () => {
      const { log, deleteBefore } = await open();
      await log.appendBatch("k", [..."abc"]);
      await deleteBefore("k", 1);
      for (const from of [-1, 0, 4]) {
        const next = log.follow("k", { from })[Symbol.asyncIterator]().next();
        expect(await failureOf(next)).toMatchObject({
          code: "OFFSET_OUT_OF_RANGE",
          offset: from,
          startOffset: 1,
          endOffset: 3,
        });
      }
      expect(await take(log.follow("k"), 2)).toEqual(["b", "c"]);
    });

    test("can be left at any time, and again", async () => {
      const { log } = await open();
      await log.appendBatch("k", [..."abc"]);
      for (let round = 0; round < 20; round++) {
        expect(await take(log.follow("k", { from: round % 3 }), 1)).toEqual(["abc"[round % 3]]);
      }
    });
  });
}

function groups(open: Open): void {
  describe("a group", () => {
    test("keeps the next offset of each key, by its name", async () => {
      const { log } = await open();
      await log.appendBatch("a", ["1", "2"]);
      await log.appendBatch("b", ["1", "2"]);
      expect(await log.group("g").committed()).toEqual(new Map());
      await log.group("g").commit({ a: 1 });
      await log.group("g").commit(new Map([["b", 2]]));
      await log.group("h").commit([["a", 2]]);
      expect(await log.group("g").committed()).toEqual(
        new Map([
          ["a", 1],
          ["b", 2],
        ]),
      );
      expect(await log.group("g").committed(["b", "c"])).toEqual(new Map([["b", 2]]));
      expect(await log.group("g").committed([])).toEqual(new Map());
      expect(await log.group("h").committed()).toEqual(new Map([["a", 2]]));
      expect(log.group("g").name).toBe("g");
    });

    test("never commits backwards; seek goes both ways", async () => {
      const { log } = await open();
      await log.appendBatch("k", [..."abc"]);
      const group = log.group("g");
      await group.commit({ k: 2 });
      await group.commit({ k: 1 });
      expect(await group.committed()).toEqual(new Map([["k", 2]]));
      await group.seek({ k: 0 });
      expect(await group.committed()).toEqual(new Map([["k", 0]]));
      await group.seek({ k: 3 });
      expect(await group.committed()).toEqual(new Map([["k", 3]]));
    });

    test("commits all keys or none", async () => {
      const { log } = await open();
      await log.appendBatch("a", [..."abc"]);
      await log.appendBatch("b", [..."abc"]);
      const group = log.group("g");
      for (const change of ["commit", "seek"] as const) {
        expect(await failureOf(group[change]({ a: 1, b: 4 }))).toMatchObject({
          code: "OFFSET_OUT_OF_RANGE",
          offset: 4,
          startOffset: 0,
          endOffset: 3,
        });
        expect(await codeOf(group[change]({ a: 1, c: 0 }))).toBe("KEY_NOT_FOUND");
        expect(await group.committed()).toEqual(new Map());
      }
      expect(await log.keys()).not.toContain("c");
    });

    test("takes every text for a key", async () => {
      const { log } = await open();
      for (const key of HOSTILE_KEYS) await log.append(key, "v");
      const all = new Map(HOSTILE_KEYS.map((key) => [key, 1]));
      await log.group("g").commit(all);
      expect(await log.group("g").committed()).toEqual(all);
      await log.group("__proto__").seek([["__proto__", 0]]);
      expect(await log.group("__proto__").committed()).toEqual(new Map([["__proto__", 0]]));
    });

    test("refuses what is no name or offset", async () => {
      const { log } = await open();
      await log.append("k", "v");
      for (const name of ["", "\ud800", "x".repeat(256)]) {
        expect(await codeOf(() => log.group(name))).toBe("INVALID_KEY");
      }
      expect(await thrownBy(() => log.group(7 as never))).toBeInstanceOf(TypeError);
      const group = log.group("g");
      for (const next of [-1, 0.5, Number.NaN, 2 ** 53]) {
        expect(await thrownBy(group.commit({ k: next }))).toBeInstanceOf(RangeError);
      }
      for (const offsets of [{ k: "1" }, null, 7, { k: 1n }]) {
        expect(await thrownBy(group.seek(offsets as never))).toBeInstanceOf(TypeError);
      }
      expect(await codeOf(group.commit({ "": 0 }))).toBe("INVALID_KEY");
    });
  });
}

function closing(open: Open): void {
  describe("close", () => {
    test("is done once, and refuses everything after that", async () => {
      const { log } = await open();
      await log.append("k", "v");
      const group = log.group("g");
      await log.close();
      await log.close();
      const calls: (() => unknown)[] = [
        () => log.append("k", "v"),
        () => log.appendBatch("k", ["v"]),
        () => log.read("k", 0),
        () => log.bounds("k"),
        () => log.keys(),
        () => log.group("g"),
        () => group.commit({ k: 1 }),
        () => group.seek({ k: 1 }),
        () => group.committed(),
        () => log.follow("k")[Symbol.asyncIterator]().next(),
      ];
      for (const call of calls) expect(await codeOf(call)).toBe("CLOSED");
    });

    test("stores what was appended before", async () => {
      const { log } = await open();
      const appended = Promise.all([log.append("k", "a"), log.appendBatch("k", ["b", "c"])]);
      await log.close();
      expect((await appended)[0]).toBe(0);
    });

    test("ends whoever waits", async () => {
      const { log } = await open();
      await log.append("k", "a");
      const iterator = log.follow("k")[Symbol.asyncIterator]();
      await iterator.next();
      const waiting = [iterator.next(), log.follow("missing")[Symbol.asyncIterator]().next()];
      const codes = Promise.all(waiting.map((each) => codeOf(each)));
      await log.close();
      expect(await codes).toEqual(["CLOSED", "CLOSED"]);
    });

    test("is what `await using` does", async () => {
      const { log } = await open();
      {
        await using own: KeyedLog = log;
        await own.append("k", "v");
      }
      expect(await codeOf(() => log.keys())).toBe("CLOSED");
    });
  });
}

async function valuesOf(log: KeyedLog, key: string): Promise<string[]> {
  const values: string[] = [];
  let from = (await log.bounds(key))?.startOffset ?? 0;
  for (;;) {
    const { records, nextOffset } = await log.read(key, from);
    if (records.length === 0) return values;
    values.push(...records.map(({ value }) => textOf(value)));
    from = nextOffset;
  }
}

async function take(records: AsyncIterable<LogRecord>, count: number): Promise<string[]> {
  const values: string[] = [];
  for await (const { value } of records) {
    values.push(textOf(value));
    if (values.length === count) break;
  }
  return values;
}

function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString();
}
