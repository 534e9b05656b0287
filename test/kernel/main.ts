// Lets the kernel, and not a simulator, take the writer of a store down: kills, failing and full
// disks, power cuts; and judges what is left by a journal that was kept outside of it. Exits with 0
// if all was right. Run by `npm run test:kernel`; needs root.

import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { seeds } from "../support/random.js";
import { faultsPhase } from "./faults-phase.js";
import { fullDiskPhase } from "./full-disk-phase.js";
import { killPhase } from "./kill-phase.js";
import { limitsPhase } from "./limits-phase.js";
import type { Phase, PhaseResult } from "./phase.js";
import { powerCutPhase } from "./power-cut-phase.js";
import { missingRequirements } from "./requirements.js";
import { resultTable } from "./result-table.js";

const PHASES: readonly Phase[] = [
  killPhase,
  faultsPhase,
  limitsPhase,
  fullDiskPhase,
  powerCutPhase(
    {
      name: "xfs",
      purpose: 'power cuts of an XFS under "always"; nothing acknowledged may go',
      cycles: 50,
    },
    { kind: "xfs", policies: ["always"], expected: "nothing lost" },
  ),
  powerCutPhase(
    {
      name: "ext4",
      purpose: 'power cuts of an ext4 under "always"; nothing acknowledged may go',
      cycles: 50,
    },
    { kind: "ext4", policies: ["always"], expected: "nothing lost" },
  ),
  powerCutPhase(
    {
      name: "xfs-unsynced",
      purpose: 'control: under "os" and "interval" a cut takes a suffix, and does take some',
      cycles: 20,
    },
    { kind: "xfs", policies: ["os", "interval"], expected: "lost as allowed" },
  ),
  powerCutPhase(
    {
      name: "ext4-unsynced",
      purpose: "control: the same on ext4",
      cycles: 20,
    },
    { kind: "ext4", policies: ["os", "interval"], expected: "lost as allowed" },
  ),
  powerCutPhase(
    {
      name: "xfs-eatmydata",
      purpose: "control: where every sync is skipped, the judge must find losses",
      cycles: 10,
    },
    { kind: "xfs", policies: ["always"], wrapper: ["eatmydata"], expected: "caught" },
  ),
  powerCutPhase(
    { name: "ext4-eatmydata", purpose: "control: the same on ext4", cycles: 10 },
    { kind: "ext4", policies: ["always"], wrapper: ["eatmydata"], expected: "caught" },
  ),
];

const USAGE = `npm run test:kernel -- [--cycles N] [--seed N] [--only PHASE[,PHASE…]]

  --cycles N   cycles of each phase, instead of its own number
  --seed N     draws the same scenarios again (when the blow falls depends on the machine)
  --only NAME  one phase, or several:
${PHASES.map(({ name, cycles, purpose }) => `    ${name} (${cycles}): ${purpose}`).join("\n")}
`;

process.exitCode = await main().catch((error: Error) => {
  console.error(error.message);
  return 2;
});

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      cycles: { type: "string" },
      seed: { type: "string" },
      only: { type: "string" },
      help: { type: "boolean" },
    },
  });
  if (values.help) {
    console.log(USAGE);
    return 0;
  }
  const missing = missingRequirements();
  if (missing.length > 0) {
    console.log(missing.join("\n"));
    return 2;
  }
  const seed = values.seed === undefined ? seeds(1)[0]! : integer(values.seed, "--seed");
  const cycles = values.cycles === undefined ? undefined : integer(values.cycles, "--cycles");
  const phases = choosePhases(values.only);
  const directory = mkdtempSync(join(tmpdir(), "seglog-kernel-"));
  console.log(`seed ${seed}, in ${directory}\n`);
  const results: [Phase, PhaseResult][] = [];
  for (const phase of phases) {
    results.push([phase, await runPhase(phase, seed, cycles ?? phase.cycles, directory)]);
  }
  console.log(`\n${resultTable(results)}\n`);
  const failed = results.filter(([, { failures }]) => failures.length > 0);
  if (failed.length === 0) rmSync(directory, { recursive: true });
  console.log(`seed ${seed}`);
  console.log(failed.length === 0 ? "ok" : "FAILED");
  return failed.length === 0 ? 0 : 1;
}

async function runPhase(
  phase: Phase,
  seed: number,
  cycles: number,
  parent: string,
): Promise<PhaseResult> {
  const directory = join(parent, phase.name);
  mkdirSync(directory);
  console.log(`${phase.name}: ${phase.purpose}`);
  const began = performance.now();
  const progress = (done: number) => {
    if (process.stdout.isTTY) process.stdout.write(`\r  ${done} of ${cycles}`);
    else if (done % 25 === 0) console.log(`  ${done} of ${cycles}`);
  };
  const result = await phase
    .run({ seed, cycles, directory, progress })
    .catch((error: Error) => brokenOff(error));
  if (process.stdout.isTTY) process.stdout.write("\r\x1b[K");
  const seconds = ((performance.now() - began) / 1000).toFixed(0);
  console.log(`  ${result.cycles} cycles in ${seconds} s`);
  for (const note of result.notes) console.log(`  ${note}`);
  for (const failure of result.failures) console.log(`  FAILED: ${failure}`);
  if (result.failures.length > 0) {
    const again = `npm run test:kernel -- --only ${phase.name} --seed ${seed} --cycles ${cycles}`;
    console.log(`  to run it again: ${again}`);
  }
  return result;
}

function brokenOff(error: Error): PhaseResult {
  const counts = { acknowledged: 0, commits: 0, lostAsAllowed: 0 };
  const failures = [`it broke off: ${error.stack ?? error.message}`];
  return { cycles: 0, counts, violations: [], failures, notes: [] };
}

function choosePhases(only: string | undefined): readonly Phase[] {
  if (only === undefined) return PHASES;
  return only.split(",").map((name) => {
    const phase = PHASES.find((each) => each.name === name);
    if (phase === undefined) throw new Error(`there is no phase ${name}\n\n${USAGE}`);
    return phase;
  });
}

function integer(text: string, name: string): number {
  const value = Number(text);
  if (Number.isSafeInteger(value) && value >= 0) return value;
  throw new Error(`${name} takes a whole number, not ${text}`);
}
