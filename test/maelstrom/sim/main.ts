// Runs several nodes as Maelstrom would, and checks what their clients saw. Run by
// `npm run maelstrom:sim`; `-- --help` tells its options.

import { CommanderError } from "commander";
import { describeProgram, type ProgramChoice, withProgram } from "./programs.js";
import { isValid, messagesPerRequest, reportOf } from "./report.js";
import { readSettings, type Settings } from "./settings.js";
import { type SimulationResult, simulate } from "./simulation.js";

/** Compiled, this file stands in .build/test/maelstrom/sim. */
const ROOT = new URL("../../../../", import.meta.url);

process.exitCode = await main().catch((error: Error) => {
  console.error(`The run could not be brought to its end: ${error.message}`);
  return 1;
});

async function main(): Promise<number> {
  let settings: Settings;
  try {
    settings = readSettings(process.argv.slice(2));
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode;
    throw error;
  }
  const result = await run(settings, settings.program);
  if (!settings.compare) return isValid(result) ? 0 : 1;
  const naive = await run(settings, { engine: "naive", router: false });
  const ratio = ((messages(result) / messages(naive)) * 100).toFixed(0);
  const name = describeProgram(settings.program);
  console.log(`${name} needs ${ratio} % of the messages between servers that naive needs.`);
  return isValid(result) && isValid(naive) ? 0 : 1;
}

async function run({ simulation }: Settings, choice: ProgramChoice): Promise<SimulationResult> {
  const { nodeCount, concurrency, rate, timeLimitMs, seed } = simulation;
  console.log(
    `${describeProgram(choice)}: ${nodeCount} nodes, ${concurrency} clients, ` +
      `${rate} operations a second for ${timeLimitMs / 1000} s, seed ${seed}`,
  );
  const result = await withProgram(ROOT, choice, (program) => simulate({ ...simulation, program }));
  console.log(`${reportOf(result)}\n`);
  return result;
}

/** For each request, under load. */
function messages({ phases }: SimulationResult): number {
  const { betweenNodes, services } = messagesPerRequest(phases.quarters[0]!, phases.settled);
  return betweenNodes + services;
}
