import { describe, expect, it } from "vitest";
import type { Verdict } from "../verdict.js";
import { percentile } from "./percentile.js";
import { isValid, messagesPerRequest, reportOf } from "./report.js";
import type { SimulationResult, Snapshot } from "./simulation.js";
import { Tally } from "./tally.js";

const snapshot = (requests: number, betweenNodes: number, services: number): Snapshot => ({
  messages: { clients: 2 * requests, betweenNodes, services },
  requests,
  operations: requests,
  polls: requests,
  polledKeys: 3 * requests,
});

/** A run whose last quarter passed without a request. */
function result(changes: Partial<SimulationResult & Verdict> = {}): SimulationResult {
  const tally = new Tally();
  tally.record("send", "ok", 2, false);
  tally.record("send", "unknown", 5_000, true);
  tally.record("send", "failed", 1, false);
  const end = snapshot(20, 20, 60);
  return {
    verdict: {
      anomalies: changes.anomalies ?? [],
      acknowledged: 1,
      unseen: 0,
      polled: 0,
      stalePolls: 0,
      staleLists: 0,
      refused: 1,
      unanswered: 1,
    },
    complaints: changes.complaints ?? [],
    tally,
    partitions: new Map([["one", 2]]),
    phases: {
      quarters: [snapshot(0, 0, 0), snapshot(10, 5, 20), end, end, end],
      settled: end,
      listed: snapshot(30, 120, 160),
      read: snapshot(40, 140, 200),
    },
  };
}

/** The cells of the row that begins with `name`. */
function rowOf(report: string, name: string): string[] {
  const row = report.split("\n").find((line) => line.startsWith(`│ ${name} `)) ?? "";
  return row
    .split("│")
    .slice(2, -1)
    .map((cell) => cell.trim());
}

describe("reportOf", () => {
  it("shows what became of requests, and how many of them no partition excuses", () => {
    expect(rowOf(reportOf(result()), "send")).toEqual([
      ...["1", "1", "1", "1"],
      ...["2.0", "2.0", "2.0", "2.0"],
    ]);
  });

  it("shows messages for each request, by quarters and under load", () => {
    const report = reportOf(result());
    expect(rowOf(report, "node to node")).toEqual(["0.50", "–", "1.00"]);
    expect(rowOf(report, "together")).toEqual(["2.50", "–", "4.00"]);
    expect(rowOf(report, "(keys in a poll)")).toEqual(["3.00", "–", "3.00"]);
    // What listing took is left out: (340 - 200) messages of (40 - 10) operations.
    expect(report).toContain("would be 4.67.");
  });

  it("ends with the verdict", () => {
    expect(reportOf(result())).toContain("VALID: everything kept");
    const anomaly = { kind: "lost-write", key: "a", detail: "gone" } as const;
    const wrong = result({ anomalies: [anomaly, anomaly], complaints: ["n0 ended with 1"] });
    expect(isValid(wrong)).toBe(false);
    expect(reportOf(wrong)).toContain('  lost-write, key "a": gone');
    expect(reportOf(wrong)).toContain("INVALID: 2 × lost-write, 1 × what nodes did.");
  });
});

it("counts messages between two moments", () => {
  const { betweenNodes, services } = messagesPerRequest(snapshot(10, 5, 20), snapshot(20, 20, 60));
  expect([betweenNodes, services]).toEqual([1.5, 4]);
});

it("finds percentiles", () => {
  const sorted = [1, 2, 3, 4];
  expect([0.5, 0.51, 0.99, 1].map((share) => percentile(sorted, share))).toEqual([2, 3, 4, 4]);
  expect(percentile([], 0.5)).toBeUndefined();
});
