import { cpus, release, totalmem } from "node:os";
import Table from "cli-table3";
import { figureText, spreadText } from "./figure.js";
import { ratioOf, spreadOf, type WorkloadResult } from "./result.js";
import { describeTarget, judge } from "./target.js";
import { isLessBetter } from "./unit.js";

/** How to read the ratios of a {@link workloadTable}. */
const LEGEND = `Times as good: above 1, whom the column names is better, whether more or less of the
unit is better; taken round by round. Loop: how late the event loop came to its timers.`;

/** What a run was made with. */
export interface Circumstances {
  readonly command: string;
  readonly machine: Readonly<Record<string, string | number>>;
  /** Of seglog and of its peers, by name. */
  readonly versions: Readonly<Record<string, string>>;
}

/** The machine and the Node.js that a run is made on. */
export function describeMachine(fileSystem: string): Circumstances["machine"] {
  const [cpu] = cpus();
  return {
    node: process.version,
    platform: `${process.platform} ${process.arch}, ${release()}`,
    cpu: cpu?.model ?? "unknown",
    cores: cpus().length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    fileSystem,
  };
}

/** What stands above the tables. */
export function heading({ machine, versions }: Circumstances): string {
  const [machineLine, versionsLine] = [machine, versions].map((named) =>
    Object.entries(named)
      .map(([name, value]) => `${name} ${value}`)
      .join(" · "),
  );
  return [machineLine, versionsLine, LEGEND].join("\n");
}

/** The table of one workload, and below it the targets. */
export function workloadTable(result: WorkloadResult): string {
  const { workload, contenders } = result;
  const { unit } = workload;
  const [first] = contenders;
  const table = new Table({
    head: [
      `${unit}, ${isLessBetter(unit) ? "less" : "more"} is better`,
      "median",
      "least",
      "most",
      `${first!.name}: times as good`,
      "loop p99",
      "loop max",
    ],
    colAligns: ["left", "right", "right", "right", "right", "right", "right"],
    style: { head: [], border: [] },
  });
  for (const { name, runs, missing } of contenders) {
    if (missing !== undefined) {
      table.push([name, { colSpan: 6, content: missing }]);
      continue;
    }
    const spread = spreadOf(runs.map(({ measured }) => measured));
    const ratio = name === first!.name ? undefined : ratioOf(result, first!.name, name);
    table.push([
      name,
      figureText(spread.median),
      figureText(spread.min),
      figureText(spread.max),
      ratio === undefined ? "" : spreadText(ratio, "x"),
      `${spreadOf(runs.map(({ delayP99Ms }) => delayP99Ms)).median.toFixed(1)} ms`,
      `${spreadOf(runs.map(({ delayMaxMs }) => delayMaxMs)).max.toFixed(1)} ms`,
    ]);
  }
  const lines = [`${workload.title} (${workload.name})`, table.toString()];
  for (const target of workload.targets) {
    const { text, unit: unitOfBound } = describeTarget(target, unit);
    const verdict = judge(result, target);
    const found =
      verdict === undefined
        ? "not measured"
        : `${spreadText(verdict.found, unitOfBound)}, ${verdict.isReached ? "" : "NOT "}reached`;
    lines.push(`target: ${text}: ${found}`);
  }
  return lines.join("\n");
}

/** All of a run, to be read by programs. */
export function toJson(results: readonly WorkloadResult[], circumstances: Circumstances): string {
  const workloads = results.map((result) => ({
    name: result.workload.name,
    title: result.workload.title,
    unit: result.workload.unit,
    contenders: result.workload.contenders.map(({ name, kind }, index) => {
      const { runs, missing } = result.contenders[index]!;
      return missing === undefined
        ? { name, kind, ...spreadOf(runs.map(({ measured }) => measured)), runs }
        : { name, kind, missing };
    }),
    targets: result.workload.targets.map((target) => ({ ...target, ...judge(result, target) })),
  }));
  return `${JSON.stringify({ ...circumstances, workloads }, null, 2)}\n`;
}
