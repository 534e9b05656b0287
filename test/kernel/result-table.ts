import Table from "cli-table3";
import type { Phase, PhaseResult } from "./phase.js";
import type { Violation } from "./violation.js";

/** A row for each phase. */
export function resultTable(results: readonly (readonly [Phase, PhaseResult])[]): string {
  const table = new Table({
    head: [
      "phase",
      "cycles",
      "acknowledged",
      "commits",
      "lost, as allowed",
      "lost",
      "made up",
      "wrong",
      "verdict",
    ],
    style: { head: [], border: [] },
  });
  for (const [{ name }, { cycles, counts, violations, failures }] of results) {
    const count = (kind: string) => violations.filter((each) => each.kind === kind).length;
    table.push([
      name,
      show(cycles),
      show(counts.acknowledged),
      show(counts.commits),
      show(counts.lostAsAllowed),
      show(count("lost")),
      show(count("made up")),
      show(count("wrong")),
      verdict(failures, violations),
    ]);
  }
  return table.toString();
}

/** Where violations are no failure, they were to be found. */
function verdict(failures: readonly string[], violations: readonly Violation[]): string {
  if (failures.length > 0) return "FAILED";
  return violations.length > 0 ? "caught" : "ok";
}

function show(value: number): string {
  return value.toLocaleString("en-US");
}
