import { beforeAll, describe, expect, it } from "vitest";
import type { AnomalyKind } from "../verdict.js";
import { compileSimulator, PACKAGE_ROOT } from "./compiled.js";
import { naiveProgram } from "./programs.js";
import { isValid, messagesPerRequest, reportOf } from "./report.js";
import { shortRun } from "./short-run.js";

/** `SEGLOG_SEED=5 npx vitest …` runs another seed. */
const SEED = Number(process.env.SEGLOG_SEED ?? 1);

beforeAll(compileSimulator, 120_000);

describe(`the naive design, seed ${SEED}`, () => {
  it.each([
    ["quick", {}],
    ["slow, messages overtaking each other", { latencyMs: 5 }],
    ["cut now and then, which it does not notice", { partitions: true }],
  ])("is right on a network that is %s", async (_, network) => {
    const result = await shortRun(naiveProgram(PACKAGE_ROOT), SEED, network);
    expect(isValid(result), reportOf(result)).toBe(true);
    expect(result.verdict.acknowledged).toBeGreaterThan(50);
    const { quarters, settled } = result.phases;
    const messages = messagesPerRequest(quarters[0]!, settled);
    expect(messages.betweenNodes).toBe(0);
    expect(messages.services).toBeGreaterThan(2);
  });

  it.each<[string, AnomalyKind[]]>([
    ["lose-sends", ["lost-write"]],
    ["write", ["inconsistent-offsets", "lost-write"]],
    ["stale-commit", ["committed-backwards"]],
    ["hole", ["int-poll-skip"]],
  ])("is caught with the bug %s", async (bug, kinds) => {
    const result = await shortRun(naiveProgram(PACKAGE_ROOT, bug), SEED, {
      listsAfterCommit: true,
    });
    const found = new Set(result.verdict.anomalies.map(({ kind }) => kind));
    expect([...found], reportOf(result)).toEqual(expect.arrayContaining(kinds));
  });
});
