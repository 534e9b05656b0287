import { figureText, spreadText } from "./figure.js";
import type { Circumstances } from "./report.js";
import { ratioOf, spreadOf, type WorkloadResult } from "./result.js";
import { describeTarget, judge } from "./target.js";
import { isLessBetter } from "./unit.js";

/** All of a run as a part of a page: how it was made, then a table for each workload. */
export function toMarkdown(
  results: readonly WorkloadResult[],
  { command, machine, versions }: Circumstances,
): string {
  const parts = [`\`${command}\``, named(machine), named(versions), ...results.map(section)];
  return `${parts.join("\n\n")}\n`;
}

function named(values: Readonly<Record<string, string | number>>): string {
  return Object.entries(values)
    .map(([name, value]) => `${name} ${value}`)
    .join(" · ");
}

function section(result: WorkloadResult): string {
  const { title, unit, name, targets } = result.workload;
  const reference = result.contenders[0]!.name;
  const head = `| ${unit}, ${isLessBetter(unit) ? "less" : "more"} is better | median | least to most | ${reference} is so many times as good | loop p99, max |`;
  const lines = [`### ${title} (\`${name}\`)`, "", head, "| --- | --: | --: | --: | --: |"];
  for (const { name: contender, runs, missing } of result.contenders) {
    if (missing !== undefined) {
      lines.push(`| ${contender} | ${missing} | | | |`);
      continue;
    }
    const { median, min, max } = spreadOf(runs.map(({ measured }) => measured));
    const ratio = contender === reference ? undefined : ratioOf(result, reference, contender);
    lines.push(
      `| ${[
        contender,
        figureText(median),
        `${figureText(min)} to ${figureText(max)}`,
        ratio === undefined ? "" : spreadText(ratio, "x"),
        delay(result, contender),
      ].join(" | ")} |`,
    );
  }
  if (targets.length > 0) lines.push("");
  for (const target of targets) {
    const { text, unit: unitOfBound } = describeTarget(target, unit);
    const verdict = judge(result, target);
    const found =
      verdict === undefined
        ? "not measured"
        : `${spreadText(verdict.found, unitOfBound)}, ${verdict.isReached ? "reached" : "**not reached**"}`;
    lines.push(`- ${text}: ${found}`);
  }
  return lines.join("\n");
}

function delay({ contenders }: WorkloadResult, name: string): string {
  const { runs } = contenders.find((contender) => contender.name === name)!;
  const p99 = spreadOf(runs.map(({ delayP99Ms }) => delayP99Ms)).median;
  const max = spreadOf(runs.map(({ delayMaxMs }) => delayMaxMs)).max;
  return `${p99.toFixed(1)} ms, ${max.toFixed(1)} ms`;
}
