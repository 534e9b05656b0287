import { open } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { temporaryDirectory } from "../support/temporary-directory.js";
import { BareGroupCommit } from "./bare-group-commit.js";
import { toSvg } from "./chart.js";
import { EventRecords } from "./event-records.js";
import { fileSystemType } from "./file-system-type.js";
import { LoopDelay } from "./loop-delay.js";
import { toMarkdown } from "./markdown.js";
import { percentile } from "./percentile.js";
import { ReadCheck } from "./read-check.js";
import { RecordSet } from "./record-set.js";
import { Records } from "./records.js";
import { heading, toJson, workloadTable } from "./report.js";
import { ratioOf, spreadOf, type WorkloadResult } from "./result.js";
import { missing, runTiny } from "./run.js";
import { SqliteGroupCommit } from "./sqlite-group-commit.js";
import { assertStableStorage } from "./stable-storage.js";
import { judge, type Target } from "./target.js";
import type { Unit } from "./unit.js";
import { versionsOf } from "./versions.js";
import type { Contender } from "./workload.js";
import { workloads } from "./workloads.js";

// Each checks what it stored or read; how long it took is for `npm run bench` to say.
describe.each(workloads())("$name", ({ contenders, targets }) => {
  for (const contender of contenders) {
    const reason = missing(contender);
    const title = reason === undefined ? contender.name : `${contender.name} (${reason})`;
    test.skipIf(reason !== undefined)(title, { timeout: 60_000 }, async () => {
      const { measured } = await runTiny(contender, temporaryDirectory());
      expect(measured).toBeGreaterThanOrEqual(0);
    });
  }

  test("sets its targets against contenders that it has", () => {
    const names = contenders.map(({ name }) => name);
    const named = targets.flatMap((target) =>
      "over" in target ? [target.contender, target.over] : [target.contender],
    );
    expect(names).toEqual(expect.arrayContaining(named));
  });
});

test("the names of workloads, and of the contenders of each, are different", () => {
  const all = workloads();
  for (const named of [all, ...all.map(({ contenders }) => contenders)]) {
    expect(new Set(named.map(({ name }) => name)).size).toBe(named.length);
  }
});

test("batches are the records from the first to the last", () => {
  const records = new Records(8);
  const all = [...records.batches(50_000, 10_000)].flat();
  expect(all.length).toBe(50_000);
  for (const offset of records.sample(50_000)) records.check(offset, all[offset]);
  expect(() => [...records.batches(9, 3)]).toThrow(RangeError);
});

test("events are as long as is said of them, and different", () => {
  const { all } = new EventRecords();
  const lengths = all.map(({ length }) => length);
  expect(Math.min(...lengths)).toBeGreaterThanOrEqual(150);
  expect(Math.max(...lengths)).toBeLessThanOrEqual(200);
  expect(new Set(all.map(String)).size).toBe(all.length);
});

test("the bytes of records that come again", () => {
  const records = new RecordSet(() => ["a", "bcd", "ef"].map((text) => Buffer.from(text)));
  expect([0, 1, 3, 8].map((count) => records.totalBytes(count))).toEqual([0, 1, 6, 16]);
});

test("whether all was read, and rightly", () => {
  const records = new Records(8, 10);
  const check = new ReadCheck(records, 2);
  check.see(records.at(0));
  expect(check.isFull).toBe(false);
  expect(() => check.end()).toThrow("1 records of 8 B, not 2 of 16 B");
  expect(() => check.see(records.at(0))).toThrow("record 1 is not what was stored there");
  expect(check.isFull).toBe(true);
});

test("who appends together is told where each record is", async () => {
  const path = join(temporaryDirectory(), "bare");
  const log = await BareGroupCommit.open(path, false);
  const texts = ["one", "three", "two"];
  const positions = await Promise.all(texts.map((text) => log.append(Buffer.from(text))));
  positions.push(await log.append(Buffer.from("more")));
  await log.close();
  expect(positions).toEqual([0, 3, 8, 11]);
  const file = await open(path);
  expect(await file.readFile("utf8")).toBe("onethreetwomore");
  await file.close();
});

test("what is asked of SQLite in one turn is one transaction", async () => {
  const done: unknown[] = [];
  const group = new SqliteGroupCommit({
    exec: (sql) => done.push(sql),
    prepare: () => ({
      run: (id, value) => done.push(`${id} ${value}`),
      get: () => undefined,
    }),
    close: () => undefined,
  });
  await Promise.all(["a", "b"].map((text) => group.append(Buffer.from(text))));
  await group.append(Buffer.from("c"));
  expect(done).toEqual(["BEGIN", "0 a", "1 b", "COMMIT", "BEGIN", "2 c", "COMMIT"]);
});

test("the loop's delay is that of the work alone", async () => {
  const block = (ms: number) => {
    for (const start = performance.now(); performance.now() - start < ms; );
  };
  const idle = new LoopDelay();
  await idle.during(() => setTimeout(5));
  block(1000);
  await idle.during(() => setTimeout(5));
  expect(idle.maxMs).toBeLessThan(1000);
  const busy = new LoopDelay();
  await busy.during(() => block(50));
  await busy.during(() => undefined);
  expect(busy.maxMs).toBeGreaterThan(40);
  expect(busy.p99Ms).toBeGreaterThan(40);
});

test("what most of some values do not exceed", () => {
  const values = Float64Array.from({ length: 200 }, (_, index) => 200 - index);
  expect([0.5, 0.99, 1].map((share) => percentile(values, share))).toEqual([100, 198, 200]);
  expect(percentile(Float64Array.of(7), 0.5)).toBe(7);
});

test("the middle of some figures", () => {
  expect(spreadOf([3, 1, 2])).toEqual({ median: 2, min: 1, max: 3 });
  expect(spreadOf([4, 1, 2, 3])).toEqual({ median: 2.5, min: 1, max: 4 });
});

/** Figures of some contenders; of `undefined`, it did not run. */
function resultOf(
  unit: Unit,
  figures: Readonly<Record<string, readonly number[] | undefined>>,
  targets: readonly Target[] = [],
): WorkloadResult {
  const contenders: Contender[] = Object.keys(figures).map((name) => ({
    name,
    kind: name === "a" ? "seglog" : "peer",
    run: () => Promise.reject(new Error("not to be run")),
  }));
  return {
    workload: { name: "some", title: "Some work", unit, contenders, targets },
    contenders: Object.entries(figures).map(([name, runs]) => ({
      name,
      runs: (runs ?? []).map((measured) => ({ measured, delayP99Ms: measured, delayMaxMs: 99 })),
      missing: runs === undefined ? `${name} is not installed` : undefined,
    })),
  };
}

test("ratios are taken round by round", () => {
  const result = resultOf("reads/s", { a: [10, 40, 60], b: [10, 10, 20], c: undefined });
  expect(ratioOf(result, "a", "b")).toEqual({ median: 3, min: 1, max: 4 });
  expect(ratioOf(result, "a", "c")).toBeUndefined();
});

test("a ratio above 1 is the better one's, whatever the unit", () => {
  const figures = { a: [10], b: [40], none: [0] };
  expect(ratioOf(resultOf("reads/s", figures), "b", "a")?.median).toBe(4);
  expect(ratioOf(resultOf("µs", figures), "a", "b")?.median).toBe(4);
  expect(ratioOf(resultOf("MiB", figures), "a", "none")).toBeUndefined();
  expect(ratioOf(resultOf("MiB", figures), "none", "a")).toBeUndefined();
});

test.each<[string, Target, number, boolean]>([
  ["a ratio that is reached", { contender: "a", over: "b", atLeast: 2 }, 2, true],
  ["a ratio that is not", { contender: "a", over: "b", atLeast: 3 }, 2, false],
  ["a figure that is low enough", { contender: "a", atMost: 10 }, 10, true],
  ["a figure that is too high", { contender: "a", atMost: 9 }, 10, false],
  ["a figure that is high enough", { contender: "b", atLeast: 20 }, 20, true],
  ["a delay that is short enough", { contender: "a", delayAtMostMs: 10 }, 10, true],
  ["a delay that is too long", { contender: "b", delayAtMostMs: 10 }, 20, false],
])("judges %s", (_, target, median, isReached) => {
  const verdict = judge(resultOf("ms", { a: [10], b: [20] }, [target]), target);
  expect(verdict).toEqual({ found: { median, min: median, max: median }, isReached });
});

test("reports figures, ratios, delays, targets and what was missing", () => {
  const targets: Target[] = [
    { contender: "a", over: "b", atLeast: 3 },
    { contender: "a", atMost: 15 },
    { contender: "a", delayAtMostMs: 20 },
    { contender: "c", atMost: 15 },
  ];
  const result = resultOf("µs", { a: [10], b: [20], c: undefined }, targets);
  const table = workloadTable(result);
  expect(table).toContain("µs, less is better");
  expect(table).toContain("2.00x (2.00-2.00)");
  expect(table).toContain("c is not installed");
  expect(table.split("\n").slice(-4)).toEqual([
    "target: a / b at least 3.00: 2.00x (2.00-2.00), NOT reached",
    "target: a at most 15 µs: 10.0 µs (10.0-10.0), reached",
    "target: a, loop p99 at most 20 ms: 10.0 ms (10.0-10.0), reached",
    "target: c at most 15 µs: not measured",
  ]);
  const circumstances = {
    command: "npm run bench",
    machine: { fileSystem: "xfs" },
    versions: { seglog: "1.2.3" },
  };
  expect(heading(circumstances)).toContain("xfs\nseglog 1.2.3\n");
  const markdown = toMarkdown([result], circumstances);
  expect(markdown).toContain("| b | 20.0 | ");
  expect(markdown).toMatch(/^- .*, reached$/m);
  const json = JSON.parse(toJson([result], circumstances));
  expect(json).toMatchObject(circumstances);
  expect(json.workloads[0].contenders[1]).toMatchObject({ name: "b", kind: "peer", median: 20 });
  expect(json.workloads[0].targets[1]).toMatchObject({ found: { median: 10 }, isReached: true });
});

test("draws what has peers, each contender that ran with its name and figure", () => {
  const result = resultOf("records/s", { a: [1234567], '<b> & "b"': [20, 30], c: undefined });
  const alone = resultOf("ms", { a: [10] });
  const missingPeers = resultOf("ms", { a: [10], c: undefined });
  const svg = toSvg([result, alone, missingPeers]);
  expect(faultsOf(svg)).toEqual([]);
  expect(textsOf(svg)).toEqual([
    "seglog",
    "a bare limit of the machine",
    "another product",
    "Some work records/s, more is better",
    "a",
    "1.23 M",
    "&lt;b&gt; &amp; &quot;b&quot;",
    "25.0",
  ]);
  expect(toSvg([resultOf("ms", { a: [0], b: [0] })])).not.toContain("NaN");
});

const TAG = /<(\/?)(\w+)((?: [\w-]+="[^"<&]*")*)(\/?)>/g;

/** Tags left open, or closed without having been opened, and text with stray characters. */
function faultsOf(svg: string): string[] {
  const open: string[] = [];
  for (const [, slash, name, , end] of svg.matchAll(TAG)) {
    if (slash === "/" && open.at(-1) === name) open.pop();
    else if (end !== "/") open.push(`${slash}${name}`);
  }
  const text = svg.replaceAll(TAG, "");
  return /[<>]|&(?!(?:amp|lt|gt|quot);)/.test(text) ? [...open, text] : open;
}

function textsOf(svg: string): string[] {
  return [...svg.matchAll(/<text[^>]*>(.*?)<\/text>/g)].map(([, text]) =>
    text!.replaceAll(/<[^>]*>/g, ""),
  );
}

test("refuses to measure syncs in memory", () => {
  const all = workloads();
  const assertOn = (type: string) => () => assertStableStorage(all, type, "/dev/shm");
  expect(assertOn("tmpfs")).toThrow(/\/dev\/shm is on tmpfs.*synced-1, .*--directory/);
  expect(assertOn("ext4")).not.toThrow();
  const unsynced = all.filter(({ isSynced }) => isSynced !== true);
  expect(() => assertStableStorage(unsynced, "tmpfs", "/dev/shm")).not.toThrow();
});

test("names the file system and the versions", () => {
  expect(fileSystemType(temporaryDirectory())).toMatch(/^[a-z0-9]+$/);
  expect(versionsOf(workloads())).toMatchObject({
    seglog: expect.stringMatching(/^\d+\.\d+\.\d+/),
  });
});
