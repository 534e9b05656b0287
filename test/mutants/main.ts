// The mutation gate: plants one bug at a time in the sources and runs the tests that have to notice
// it. Exits with 0 if all are caught. Run by `npm run test:mutants`.

import { cpus } from "node:os";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import type { Mutant, Suite } from "./mutant.js";
import { findMutant, MUTANTS } from "./mutants.js";
import type { Report } from "./report.js";
import { runSuite } from "./run-suite.js";
import { typeErrors } from "./type-check.js";
import { flawOfBaseline, judge, type Verdict } from "./verdict.js";

/** Compiled, this file stands in .build/test/mutants. */
const ROOT = fileURLToPath(new URL("../../../", import.meta.url));
const AT_A_TIME = Math.max(2, Math.floor(cpus().length / 2));
const NAME_WIDTH = Math.max(...MUTANTS.map(({ name }) => name.length));

// Ends the runs that are under way, too.
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => process.exit(130));
process.exitCode = await main();

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: { only: { type: "string", multiple: true }, list: { type: "boolean" } },
  });
  const mutants = values.only === undefined ? MUTANTS : values.only.map(findMutant);
  if (values.list === true) {
    for (const each of mutants) console.log(`${each.name.padEnd(NAME_WIDTH)}  ${each.bug}`);
    return 0;
  }
  const wrong = typeErrors(ROOT, mutants);
  console.log("The suites without a bug ...");
  const baselines = await runBaselines(mutants);
  let caught = 0;
  await eachOf(mutants, async (mutant) => {
    const startedAt = performance.now();
    const typeError = wrong.get(mutant.name);
    const verdict: Verdict =
      typeError === undefined
        ? await tryMutant(mutant, baselineOf(mutant.suite, baselines))
        : { isCaught: false, reason: `it does not compile: ${typeError}` };
    print(mutant, verdict, (performance.now() - startedAt) / 1000);
    if (verdict.isCaught) caught++;
  });
  console.log(`${caught} of ${mutants.length} mutants caught`);
  return caught === mutants.length ? 0 : 1;
}

/**
 * Runs, without a bug, every test that a mutant relies on, each once.
 *
 * @returns By file: the report, or why there is none.
 */
async function runBaselines(mutants: readonly Mutant[]): Promise<Map<string, Report | string>> {
  const patterns = new Map<string, Set<string>>();
  for (const { files, pattern = "" } of mutants.map(({ suite }) => suite)) {
    for (const file of files) patterns.set(file, (patterns.get(file) ?? new Set()).add(pattern));
  }
  const baselines = new Map<string, Report | string>();
  await eachOf([...patterns], async ([file, parts]) => {
    const pattern = [...parts].map((part) => `(?:${part})`).join("|");
    const { report, output } = await runSuite(ROOT, { files: [file], pattern }, undefined);
    const flaw = report === undefined ? output : flawOfBaseline(report);
    baselines.set(file, flaw ?? report!);
  });
  return baselines;
}

/** What the files of a suite report without a bug; why not, if one of them cannot judge. */
function baselineOf(
  { files }: Suite,
  baselines: ReadonlyMap<string, Report | string>,
): Report | string {
  const reports = files.map((file) => baselines.get(file)!);
  const sound = reports.filter((report) => typeof report !== "string");
  if (sound.length < reports.length) return reports.find((each) => typeof each === "string")!;
  return { tests: sound.flatMap(({ tests }) => tests), fileErrors: [] };
}

async function tryMutant(mutant: Mutant, baseline: Report | string): Promise<Verdict> {
  if (typeof baseline === "string") {
    return { isCaught: false, reason: `its suite cannot judge it: ${baseline}` };
  }
  const { report, wasLoaded, output } = await runSuite(ROOT, mutant.suite, mutant);
  if (report !== undefined) return judge(report, mutant, wasLoaded, baseline);
  return { isCaught: false, reason: `the run left no report:\n${output}` };
}

function print({ name, bug, suite }: Mutant, verdict: Verdict, seconds: number): void {
  const state = verdict.isCaught ? "caught" : "MISSED";
  const time = `${seconds.toFixed(1)} s`.padStart(7);
  console.log(`${state}  ${name.padEnd(NAME_WIDTH)}  ${time}  ${bug}`);
  const indent = " ".repeat("caught  ".length);
  if (verdict.isCaught) console.log(`${indent}by ${verdict.test}`);
  else console.log(`${indent}${suite.files.join(" ")}: ${verdict.reason}`);
}

async function eachOf<T>(items: readonly T[], run: (item: T) => Promise<void>): Promise<void> {
  const rest = items.values();
  const worker = async () => {
    for (const item of rest) await run(item);
  };
  await Promise.all(Array.from({ length: AT_A_TIME }, worker));
}
