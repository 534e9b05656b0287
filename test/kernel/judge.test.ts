import { describe, expect, it } from "vitest";
import type { Change, Entry } from "./journal.js";
import type { ObservedLog } from "./key-model.js";
import { StoreModel } from "./store-model.js";
import { makeValue, type RecordName, recordCount, type ValueShape } from "./values.js";
import type { Workload } from "./workload.js";

const SHAPE: ValueShape = {
  seed: 7,
  maxBatch: 4,
  maxValueBytes: 20,
  largeOneIn: 0,
  largeValueBytes: 0,
};
const KEY = "key";
/** Length of the data files; only retention is judged by it. */
const BYTES = 5000;
const WORKLOAD: Workload = {
  directory: "",
  life: 1,
  durability: "always",
  options: {},
  shape: SHAPE,
  keys: [{ key: KEY, role: "plain", appenders: 2 }],
  window: 2,
  groups: [],
  greets: false,
};

/** The records of an operation of an appender in the first life. */
function records(appender: number, op: number, life = 1): RecordName[] {
  const count = recordCount(SHAPE, KEY, { life, appender, op });
  return Array.from({ length: count }, (_, index) => ({ life, appender, op, index }));
}

/** Operations of the first appender, one after the other, and what they append. */
const OPS = [0, 1, 2, 3, 4, 5, 6, 7].map((op) => records(0, op));
const ALL = OPS.flat();
/** A batch of several records, and where it begins. */
const BATCH = OPS.findIndex((op, index) => index > 0 && op.length > 2);
const BATCH_OFFSET = OPS.slice(0, BATCH).flat().length;

/** A store after a life in which the victim told of `entries`. */
function storeAfter(
  entries: readonly Entry[],
  {
    end = "process gone",
    late = 0,
    durability = "always",
    segmentBytes = 1_000_000,
    retention,
  }: {
    end?: "process gone" | "power cut";
    /** How many of the last entries were read after the cut began. */
    late?: number;
    durability?: Workload["durability"];
    segmentBytes?: number;
    retention?: { bytes: number };
  } = {},
): StoreModel {
  const model = new StoreModel(SHAPE);
  const options = { segmentBytes, compression: "none" as const, ...(retention && { retention }) };
  model.begin({ ...WORKLOAD, durability, options });
  for (const [index, entry] of entries.entries()) {
    model.take({ entry, isLate: index >= entries.length - late });
  }
  model.end(end);
  return model;
}

function appended(ops: readonly RecordName[][], firstOffset = 0): Entry[] {
  let baseOffset = firstOffset;
  return ops.map((names): Entry => {
    const entry: Entry = {
      type: "appended",
      key: KEY,
      appender: names[0]!.appender,
      op: names[0]!.op,
      baseOffset,
    };
    baseOffset += names.length;
    return entry;
  });
}

function log(names: readonly RecordName[], startOffset = 0): ObservedLog {
  const values = names.map((name) => makeValue(SHAPE, KEY, name));
  return { startOffset, endOffset: startOffset + names.length, values, bytes: BYTES };
}

/** The kinds of violations that the judge finds in a log. */
function verdict(
  model: StoreModel,
  observed: ObservedLog,
  groups: ReadonlyMap<string, ReadonlyMap<string, number>> = new Map(),
): string[] {
  const violations = model.check({ logs: new Map([[KEY, observed]]), groups });
  return [...new Set(violations.map(({ kind }) => kind))];
}

const asked = (id: number, change: Change): Entry => ({ type: "asked", id, change });
const done = (id: number): Entry => ({ type: "done", id });

describe("the judge of records", () => {
  const model = () => storeAfter(appended(OPS));

  it("finds nothing wrong with all that was acknowledged, or with what was on its way", () => {
    expect(verdict(model(), log(ALL))).toEqual([]);
    expect(verdict(model(), log([...ALL, ...records(0, 8), ...records(1, 0)]))).toEqual([]);
  });

  it.each<[string, string, ObservedLog]>([
    ["a record is lost at the end", "lost", log(ALL.slice(0, -1))],
    ["a record is lost in the middle", "lost", log(ALL.toSpliced(3, 1))],
    ["a record is lost at the start", "lost", log(ALL.slice(1), 1)],
    ["all is lost", "lost", log([])],
    ["two records change places", "lost", log(ALL.with(2, ALL[3]!).with(3, ALL[2]!))],
    ["a record is there twice", "made up", log([...ALL, ALL.at(-1)!])],
    [
      "a record was never appended",
      "made up",
      log([...ALL, ...records(0, 8), ...records(0, 9), ...records(0, 10)]),
    ],
    ["a record is of a life that never was", "made up", log([...ALL, ...records(0, 0, 2)])],
    ["a record on its way leaves out the one before it", "lost", log([...ALL, ...records(0, 9)])],
  ])("finds that %s", (_, kind, observed) => {
    expect(verdict(model(), observed)).toContain(kind);
  });

  it("finds that a batch on its way is there in part", () => {
    const store = storeAfter(appended(OPS.slice(0, BATCH)));
    expect(verdict(store, log(ALL.slice(0, BATCH_OFFSET + OPS[BATCH]!.length)))).toEqual([]);
    expect(verdict(store, log(ALL.slice(0, BATCH_OFFSET + 1)))).toEqual(["made up"]);
  });

  it("finds any byte that is altered", () => {
    const { values } = log(ALL);
    values[2]!.forEach((_, position) => {
      const altered = Uint8Array.from(values[2]!);
      altered[position]! ^= 1;
      const observed = { ...log(ALL), values: values.with(2, altered) };
      expect(verdict(model(), observed)).not.toEqual([]);
    });
  });

  it("finds a value that was cut short, and one of another key", () => {
    const { values } = log(ALL);
    const short = { ...log(ALL), values: values.with(2, values[2]!.subarray(0, -1)) };
    expect(verdict(model(), short)).not.toEqual([]);
    const foreign = makeValue(SHAPE, "other", ALL[2]!);
    expect(verdict(model(), { ...log(ALL), values: values.with(2, foreign) })).not.toEqual([]);
  });

  it("finds an append that was refused and stored all the same", () => {
    const refused: Entry = { type: "refused", key: KEY, appender: 0, op: 8, code: "NO_SPACE" };
    const store = storeAfter([...appended(OPS), refused]);
    expect(verdict(store, log([...ALL, ...records(0, 9)]))).toEqual([]);
    expect(verdict(store, log([...ALL, ...records(0, 8)]))).toEqual(["made up"]);
  });

  it("finds what was judged gone and comes back", () => {
    const store = model();
    const two = { logs: new Map([[KEY, log(ALL)]]), groups: new Map() };
    expect(store.judge(two)).toEqual([]);
    store.begin({ ...WORKLOAD, life: 2 });
    store.end("process gone");
    expect(verdict(store, log([...ALL, ...records(0, 8)]))).toEqual(["made up"]);
    expect(verdict(store, log([...ALL, ...records(0, 0, 2)]))).toEqual([]);
  });
});

describe("the judge of power cuts", () => {
  const half = OPS.slice(0, 4).flat();

  it("allows no loss under always, but of what came after the cut began", () => {
    const cut = storeAfter(appended(OPS), { end: "power cut" });
    expect(verdict(cut, log(half))).toEqual(["lost"]);
    const late = storeAfter(appended(OPS), { end: "power cut", late: 4 });
    expect(verdict(late, log(half))).toEqual([]);
    expect(verdict(late, log(ALL))).toEqual([]);
  });

  it("allows a suffix under os, and none when only the process dies", () => {
    const durability = "os";
    const cut = storeAfter(appended(OPS), { end: "power cut", durability });
    expect(verdict(cut, log(half))).toEqual([]);
    expect(verdict(cut, log(ALL.slice(0, BATCH_OFFSET + 1)))).toEqual(["made up"]);
    expect(verdict(cut, log(ALL.toSpliced(3, 1)))).not.toEqual([]);
    expect(verdict(storeAfter(appended(OPS), { durability }), log(half))).toEqual(["lost"]);
  });

  it("allows no loss of more than an active segment holds", () => {
    const many = Array.from({ length: 40 }, (_, op) => records(0, op));
    const settings = { end: "power cut", durability: "os", segmentBytes: 300 } as const;
    const cut = storeAfter(appended(many), settings);
    expect(verdict(cut, log(many.slice(0, -3).flat()))).toEqual([]);
    expect(verdict(cut, log(many.slice(0, 3).flat()))).toEqual(["lost"]);
  });

  it("allows no loss of what a flush covers", () => {
    const entries = [
      ...appended(OPS.slice(0, 6)),
      asked(1, { kind: "flush" }),
      ...appended(OPS.slice(6), OPS.slice(0, 6).flat().length),
      done(1),
    ];
    const cut = storeAfter(entries, { end: "power cut", durability: "os" });
    expect(verdict(cut, log(OPS.slice(0, 6).flat()))).toEqual([]);
    expect(verdict(cut, log(OPS.slice(0, 5).flat()))).toEqual(["lost"]);
  });
});

describe("the judge of changes", () => {
  const truncate: Change = { kind: "truncate", key: KEY, offset: 3 };
  const remove: Change = { kind: "delete", key: KEY };

  it("knows what a truncation takes, and that it does not come back", () => {
    const store = storeAfter([...appended(OPS), asked(1, truncate), done(1)]);
    expect(verdict(store, log(ALL.slice(0, 3)))).toEqual([]);
    expect(verdict(store, log([...ALL.slice(0, 3), ...records(0, 8)]))).toEqual([]);
    expect(verdict(store, log(ALL.slice(0, 2)))).toContain("lost");
    expect(verdict(store, log(ALL))).toEqual(["made up"]);
  });

  it("does not count on a flush for what a truncation beside it has taken", () => {
    const entries = [...appended(OPS), asked(1, { kind: "flush" }), asked(2, truncate)];
    const settings = { end: "power cut", durability: "os" } as const;
    const store = storeAfter([...entries, done(2), done(1)], settings);
    expect(verdict(store, log(ALL.slice(0, 3)))).toEqual([]);
  });

  it("knows that a truncation may end a batch that was never acknowledged", () => {
    const offset = BATCH_OFFSET + 1;
    const cut: Change = { kind: "truncate", key: KEY, offset };
    const known = appended(OPS.slice(0, BATCH));
    const store = storeAfter([...known, asked(1, cut), done(1)]);
    expect(verdict(store, log(ALL.slice(0, offset)))).toEqual([]);
    expect(verdict(storeAfter(known), log(ALL.slice(0, offset)))).toEqual(["made up"]);
  });

  it("takes a truncation that was cut short as done or not done, not as half done", () => {
    const store = storeAfter([...appended(OPS), asked(1, truncate)]);
    expect(verdict(store, log(ALL.slice(0, 3)))).toEqual([]);
    expect(verdict(store, log(ALL))).toEqual([]);
    expect(verdict(store, log(ALL.slice(0, 5)))).not.toEqual([]);
  });

  it("takes a deletion that was cut short as done or not done", () => {
    const store = storeAfter([...appended(OPS), asked(1, remove)]);
    expect(verdict(store, log([]))).toEqual([]);
    expect(verdict(store, log(ALL))).toEqual([]);
    expect(verdict(store, log(ALL.slice(0, 5)))).not.toEqual([]);
    const over = storeAfter([...appended(OPS), asked(1, remove), done(1)]);
    expect(verdict(over, log(ALL))).toEqual(["made up"]);
  });

  it("knows where a log may start", () => {
    const trim: Change = { kind: "trim", key: KEY, offset: 2 };
    const store = storeAfter([...appended(OPS), asked(1, trim), done(1)]);
    expect(verdict(store, log(ALL.slice(2), 2))).toEqual([]);
    expect(verdict(store, log(ALL))).toEqual(["made up"]);
    expect(verdict(store, log(ALL.slice(3), 3))).toEqual(["lost"]);
  });
});

describe("the judge of retention", () => {
  it("finds that more is gone than the oldest segments", () => {
    const of = (bytes: number) =>
      storeAfter(appended(OPS), { segmentBytes: 100, retention: { bytes } });
    expect(verdict(of(BYTES), log(ALL.slice(5), 5))).toEqual([]);
    expect(verdict(of(3 * BYTES), log(ALL.slice(5), 5))).toEqual(["lost"]);
    expect(verdict(of(3 * BYTES), log(ALL))).toEqual([]);
  });
});

describe("the judge of committed offsets", () => {
  const commit = (id: number, next: number): Entry[] => [
    asked(id, { kind: "commit", group: "g", offsets: [[KEY, next]] }),
    done(id),
  ];
  const at = (next: number) => new Map([["g", new Map([[KEY, next]])]]);
  const entries = [...appended(OPS), ...commit(1, 2), ...commit(2, 4), ...commit(3, 3)];

  it("lets them go neither back nor ahead", () => {
    const store = storeAfter(entries);
    expect(verdict(store, log(ALL), at(4))).toEqual([]);
    expect(verdict(store, log(ALL), at(3))).toEqual(["lost"]);
    expect(verdict(store, log(ALL))).toEqual(["lost"]);
    expect(verdict(store, log(ALL), at(5))).toEqual(["made up"]);
  });

  it("lets one on its way be there or not", () => {
    const store = storeAfter([...entries, commit(4, 6)[0]!]);
    expect(verdict(store, log(ALL), at(4))).toEqual([]);
    expect(verdict(store, log(ALL), at(6))).toEqual([]);
    expect(verdict(store, log(ALL), at(5))).toEqual(["made up"]);
  });

  it("knows that a later one may stand on one that is not known", () => {
    const seek = asked(4, { kind: "seek", group: "g", offsets: [[KEY, 7]] });
    const store = storeAfter([...entries, seek]);
    store.begin({ ...WORKLOAD, life: 2 });
    for (const entry of commit(1, 6)) store.take({ entry, isLate: false });
    store.end("process gone");
    expect(verdict(store, log(ALL), at(6))).toEqual([]);
    expect(verdict(store, log(ALL), at(7))).toEqual([]);
    expect(verdict(store, log(ALL), at(4))).toEqual(["lost"]);
  });

  it("lets a power cut bring back an earlier one under os, never one past the end", () => {
    const store = storeAfter(entries, { end: "power cut", durability: "os" });
    expect(verdict(store, log(ALL), at(2))).toEqual([]);
    expect(verdict(store, log([]), at(0))).toEqual([]);
    expect(verdict(store, log([]), at(4))).not.toEqual([]);
    expect(verdict(storeAfter(entries, { end: "power cut" }), log(ALL), at(2))).toEqual(["lost"]);
  });
});
