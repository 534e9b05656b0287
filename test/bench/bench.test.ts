import { describe, expect, test } from "vitest";
import { temporaryDirectory } from "../support/temporary-directory.js";
import { Records } from "./records.js";
import { ratioOf, spreadOf } from "./result.js";
import { missing, runTiny } from "./run.js";
import { workloads } from "./workloads.js";

// Each checks what it stored or read; how long it took is for `npm run bench` to say.
describe.each(workloads())("$name", ({ contenders, targets }) => {
  for (const contender of contenders) {
    const reason = missing(contender);
    const title = reason === undefined ? contender.name : `${contender.name} (${reason})`;
    test.skipIf(reason !== undefined)(title, { timeout: 60_000 }, async () => {
      expect(await runTiny(contender, temporaryDirectory())).toBeGreaterThan(0);
    });
  }

  test("sets its targets against contenders that it has", () => {
    const names = contenders.map(({ name }) => name);
    const named = targets.flatMap(({ contender, over }) => [contender, over]);
    expect(names).toEqual(expect.arrayContaining(named));
  });
});

test("batches are the records from the first to the last", () => {
  const records = new Records(8);
  const all = [...records.batches(50_000, 10_000)].flat();
  expect(all.length).toBe(50_000);
  for (const offset of records.sample(50_000)) records.check(offset, all[offset]);
  expect(() => [...records.batches(9, 3)]).toThrow(RangeError);
});

test("the middle of some figures", () => {
  expect(spreadOf([3, 1, 2])).toEqual({ median: 2, min: 1, max: 3 });
  expect(spreadOf([4, 1, 2, 3])).toEqual({ median: 2.5, min: 1, max: 4 });
});

test("ratios are taken round by round", () => {
  const [workload] = workloads();
  const run = (measured: number) => ({ measured, delayP99Ms: 0, delayMaxMs: 0 });
  const result = {
    workload: workload!,
    contenders: [
      { name: "a", runs: [10, 40, 60].map(run), missing: undefined },
      { name: "b", runs: [10, 10, 20].map(run), missing: undefined },
      { name: "c", runs: [], missing: "c is not installed" },
    ],
  };
  expect(ratioOf(result, "a", "b")).toEqual({ median: 3, min: 1, max: 4 });
  expect(ratioOf(result, "a", "c")).toBeUndefined();
});
