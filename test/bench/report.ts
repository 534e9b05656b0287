import { cpus, release, totalmem } from "node:os";
import Table from "cli-table3";
import { isReached, ratioOf, type Spread, spreadOf, type WorkloadResult } from "./result.js";

/** The machine and the Node.js that a run was made on. */
export function describeMachine(): Readonly<Record<string, string | number>> {
  const [cpu] = cpus();
  return {
    node: process.version,
    platform: `${process.platform} ${process.arch}, ${release()}`,
    cpu: cpu?.model ?? "unknown",
    cores: cpus().length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
  };
}

/** The table of one workload, and below it the targets. */
export function workloadTable(result: WorkloadResult): string {
  const { workload, contenders } = result;
  const [first] = contenders;
  const table = new Table({
    head: [workload.unit, "median", "least", "most", `${first!.name} is`, "loop p99"],
    colAligns: ["left", "right", "right", "right", "right", "right"],
    style: { head: [], border: [] },
  });
  for (const { name, runs, missing } of contenders) {
    if (missing !== undefined) {
      table.push([name, { colSpan: 5, content: missing }]);
      continue;
    }
    const spread = spreadOf(runs.map(({ measured }) => measured));
    const ratio = ratioOf(result, first!.name, name);
    const delay = spreadOf(runs.map(({ delayP99Ms }) => delayP99Ms)).median;
    table.push([
      name,
      figure(spread.median),
      figure(spread.min),
      figure(spread.max),
      name === first!.name ? "" : ratioText(ratio!),
      `${delay.toFixed(1)} ms`,
    ]);
  }
  const lines = [`${workload.title} (${workload.name})`, table.toString()];
  for (const target of workload.targets) {
    const { contender, over, atLeast, atMost } = target;
    const bound = atLeast === undefined ? `at most ${atMost}` : `at least ${atLeast.toFixed(2)}`;
    const ratio = ratioOf(result, contender, over);
    const verdict =
      ratio === undefined
        ? "not measured"
        : `${ratioText(ratio)}, ${isReached(target, ratio) ? "reached" : "NOT reached"}`;
    lines.push(`target: ${contender} / ${over} ${bound}: ${verdict}`);
  }
  return lines.join("\n");
}

/** All of a run, to be read by programs. */
export function toJson(results: readonly WorkloadResult[], command: string): string {
  const workloads = results.map((result) => ({
    name: result.workload.name,
    title: result.workload.title,
    unit: result.workload.unit,
    contenders: result.contenders.map(({ name, runs, missing }) =>
      missing === undefined
        ? { name, ...spreadOf(runs.map(({ measured }) => measured)), runs }
        : { name, missing },
    ),
    targets: result.workload.targets.map((target) => {
      const ratio = ratioOf(result, target.contender, target.over);
      return { ...target, ratio, isReached: ratio && isReached(target, ratio) };
    }),
  }));
  return `${JSON.stringify({ command, machine: describeMachine(), workloads }, null, 2)}\n`;
}

function figure(value: number): string {
  if (value >= 1e6) return `${(value / 1e6).toFixed(2)} M`;
  if (value >= 1e3) return `${(value / 1e3).toFixed(1)} k`;
  return value.toFixed(1);
}

function ratioText({ median, min, max }: Spread): string {
  return `${median.toFixed(2)}x (${min.toFixed(2)}-${max.toFixed(2)})`;
}
