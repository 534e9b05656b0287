// Measures seglog beside what one would pick instead, and beside the bare limits of the machine.
// Run by `npm run bench`; `-- --help` tells its options.

import { mkdirSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { toSvg } from "./chart.js";
import { fileSystemType } from "./file-system-type.js";
import { toMarkdown } from "./markdown.js";
import { type Circumstances, describeMachine, heading, toJson, workloadTable } from "./report.js";
import type { ContenderResult, WorkloadResult } from "./result.js";
import { missing, type Order, type Run, runApart, runHere } from "./run.js";
import { assertStableStorage } from "./stable-storage.js";
import { versionsOf } from "./versions.js";
import type { Workload } from "./workload.js";
import { workloads } from "./workloads.js";

const USAGE = `Usage: npm run bench -- [options]

  --only NAMES      workloads, separated by commas (default: all)
  --rounds N        how often each contender runs, all in turn (default 5)
  --directory PATH  where files are written (default: the system's temporary directory); on a
                    disk, for the workloads that wait for syncs
  --json FILE       writes all figures
  --markdown FILE   writes the tables as Markdown
  --svg FILE        draws the middle figures, of the workloads that have peers, when all is done
  --list            names the workloads

The packages that seglog is measured against: npm install --prefix test/bench
`;

async function oversee(): Promise<void> {
  const { values } = parseArgs({
    options: {
      only: { type: "string" },
      rounds: { type: "string", default: "5" },
      directory: { type: "string", default: tmpdir() },
      json: { type: "string" },
      markdown: { type: "string" },
      svg: { type: "string" },
      list: { type: "boolean" },
      help: { type: "boolean" },
    },
  });
  if (values.help === true) {
    console.log(USAGE);
    return;
  }
  const all = workloads();
  if (values.list === true) {
    for (const { name, title } of all) console.log(`${name.padEnd(16)}${title}`);
    return;
  }
  const rounds = Number(values.rounds);
  if (!Number.isSafeInteger(rounds) || rounds < 1) {
    throw new RangeError(`--rounds must be a number from 1 on, not ${values.rounds}`);
  }
  const { directory } = values;
  const wanted = chosen(all, values.only);
  mkdirSync(directory, { recursive: true });
  const fileSystem = fileSystemType(directory);
  assertStableStorage(wanted, fileSystem, directory);
  const circumstances: Circumstances = {
    command: ["npm run bench --", ...process.argv.slice(2)].join(" "),
    machine: describeMachine(fileSystem),
    versions: versionsOf(wanted),
  };
  console.log(heading(circumstances));
  const results: WorkloadResult[] = [];
  for (const workload of wanted) {
    const result = await measure(workload, rounds, directory);
    results.push(result);
    console.log(`\n${workloadTable(result)}`);
    if (values.json !== undefined) writeFileSync(values.json, toJson(results, circumstances));
    if (values.markdown !== undefined) {
      writeFileSync(values.markdown, toMarkdown(results, circumstances));
    }
  }
  if (values.svg !== undefined) writeFileSync(values.svg, toSvg(results));
}

function chosen(all: readonly Workload[], only: string | undefined): readonly Workload[] {
  if (only === undefined) return all;
  return only.split(",").map((name) => {
    const workload = all.find((each) => each.name === name);
    if (workload === undefined) throw new RangeError(`no workload ${name}; see --list`);
    return workload;
  });
}

/** All contenders in turn, round by round: the machine's speed drifts, and all drift with it. */
async function measure(
  workload: Workload,
  rounds: number,
  directory: string,
): Promise<WorkloadResult> {
  const program = fileURLToPath(import.meta.url);
  const contenders: (ContenderResult & { readonly runs: Run[] })[] = workload.contenders.map(
    (contender) => ({ name: contender.name, runs: [], missing: missing(contender) }),
  );
  for (let round = 0; round < rounds; round++) {
    for (const [index, contender] of workload.contenders.entries()) {
      const result = contenders[index]!;
      if (result.missing !== undefined) continue;
      result.runs.push(await runApart(program, workload, contender, directory));
    }
  }
  return { workload, contenders };
}

async function obey({ workload, contender, parent }: Order): Promise<void> {
  const found = workloads().find((each) => each.name === workload);
  const runner = found!.contenders.find((each) => each.name === contender);
  process.send!(await runHere(runner!, parent));
}

if (process.argv[2] === "--child") await obey(JSON.parse(process.argv[3]!) as Order);
else await oversee();
