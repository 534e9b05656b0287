import { describe, expect, test } from "vitest";
import type { Mutant } from "./mutant.js";
import { plant } from "./plant.js";
import type { Failure, Report, TestOutcome } from "./report.js";
import { flawOfBaseline, judge } from "./verdict.js";

const ID = "log/some.test.ts: something holds";
const ASSERTION: Failure = { name: "AssertionError", message: "expected 1 to be 2\n\n- 1\n+ 2" };
const TYPE_ERROR: Failure = { name: "TypeError", message: "log.append is not a function" };
const OUT_OF_TIME: Failure = { name: "Error", message: "Test timed out in 10000ms.\nIf this" };

function reportOf(state: TestOutcome["state"], ...failures: Failure[]): Report {
  return { tests: [{ id: ID, state, failures }], fileErrors: [] };
}

const PASSING = reportOf("passed");

describe("a bug", () => {
  const caught: (readonly [string, Failure])[] = [
    ["an assertion", ASSERTION],
    ["an error of seglog", { name: "CorruptionError", message: "the file is damaged" }],
    ["an error with an assertion as its cause", { ...ASSERTION, name: "Error", cause: ASSERTION }],
  ];
  test.each(caught)("is caught by a test that fails with %s", (_, failure) => {
    expect(judge(reportOf("failed", failure), {}, true, PASSING)).toMatchObject({
      isCaught: true,
      test: ID,
    });
  });

  const accidents: (readonly [string, Failure])[] = [
    ["a TypeError", TYPE_ERROR],
    ["an error with a TypeError as its cause", { ...ASSERTION, name: "Error", cause: TYPE_ERROR }],
    ["no time left", OUT_OF_TIME],
  ];
  test.each(accidents)("is not caught by a test that fails with %s", (_, failure) => {
    const verdict = judge(reportOf("failed", failure), {}, true, PASSING);
    expect(verdict).toMatchObject({ isCaught: false, reason: expect.stringMatching("accident") });
  });

  test("that makes promises hang is caught by a test that has no time left", () => {
    const report = reportOf("failed", OUT_OF_TIME);
    expect(judge(report, { hangs: true }, true, PASSING).isCaught).toBe(true);
  });

  test("is not caught if no test fails, whatever is skipped", () => {
    expect(judge(PASSING, {}, true, PASSING)).toMatchObject({ reason: "no test fails" });
    const skipped = judge(reportOf("skipped"), {}, true, PASSING);
    expect(skipped).toMatchObject({ reason: "none of its tests is run" });
  });

  test("is not caught if the tests do not load the module that has it", () => {
    expect(judge(reportOf("failed", ASSERTION), {}, false, PASSING).isCaught).toBe(false);
  });

  test("is not caught if a file cannot be loaded with it", () => {
    const report = { ...reportOf("failed", ASSERTION), fileErrors: ["SyntaxError"] };
    expect(judge(report, {}, true, PASSING).isCaught).toBe(false);
  });

  test("is not caught by a test that does not pass without it", () => {
    const report = reportOf("failed", ASSERTION);
    for (const baseline of [report, reportOf("skipped"), { tests: [], fileErrors: [] }]) {
      expect(judge(report, {}, true, baseline).isCaught).toBe(false);
    }
  });
});

describe("a suite", () => {
  test("can judge only if it passes and runs something", () => {
    expect(flawOfBaseline(PASSING)).toBeUndefined();
    expect(flawOfBaseline(reportOf("failed", ASSERTION))).toMatch("fails without a bug");
    expect(flawOfBaseline(reportOf("skipped"))).toBe("it runs no test");
    expect(flawOfBaseline({ ...PASSING, fileErrors: ["no such module"] })).toBe("no such module");
  });
});

describe("a text to plant", () => {
  const mutant: Mutant = {
    name: "some-bug",
    bug: "does something wrong",
    file: "log/some.ts",
    find: "await sync();",
    replace: "$&",
    suite: { files: ["log/some.test.ts"] },
  };

  test("takes the place of what it names, as it is", () => {
    expect(plant("write(); await sync(); tell();", mutant)).toBe("write(); $& tell();");
  });

  test("must have one place, and change something", () => {
    expect(() => plant("await sync(); await sync();", mutant)).toThrow("occurs 2 times");
    expect(() => plant("sync();", mutant)).toThrow("occurs 0 times");
    const same = { ...mutant, replace: mutant.find };
    expect(() => plant("await sync();", same)).toThrow("changes nothing");
  });
});
