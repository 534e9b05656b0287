import { isAbsolute, relative, resolve } from "node:path";
import type { Command } from "commander";
import { SeglogError } from "../errors.js";
import { parseNewPath } from "./arguments.js";
import type { CommandContext } from "./context.js";
import { count, offsetRange } from "./display.js";
import { escapeText } from "./escape.js";
import { ExitCode } from "./exit-code.js";
import { UsageError } from "./failure.js";
import { findingLine } from "./findings.js";
import { kindOfDirectory, type Location, locate } from "./location.js";
import { planRepair, repairInPlace } from "./repair-in-place.js";
import { type SalvagedLog, salvage } from "./salvage.js";
import { startProgress, type Verification, verifyLocation } from "./verification.js";

interface RepairFlags {
  readonly dryRun?: boolean;
  readonly salvage?: string;
}

/** `seglog repair`: puts right what can be put right without losing a byte. */
export function addRepair(program: Command, context: CommandContext): void {
  program
    .command("repair")
    .summary("cut a torn tail, rebuild indexes, or salvage around damage")
    .description(
      "Checks a log or a store as verify does. Without damage it finishes what a crash left: cuts a " +
        "torn tail (the bytes are kept in a file beside it), moves what stands in the journal of a " +
        "store to the segments of its keys, and rebuilds indexes.\n\n" +
        "Damaged records cannot be repaired: with damage nothing is changed. --salvage copies " +
        "everything readable into a new directory. Records keep their offsets, so holes remain " +
        "where damage was. The old directory is only read; keep it until you trust the new one.",
    )
    .argument("<dir>", "directory of the log or the store")
    .option("--dry-run", "say what would be done; change nothing, take no lock")
    .option(
      "--salvage <new-dir>",
      "copy what is readable to a new or empty directory",
      parseNewPath,
    )
    .addHelpText(
      "after",
      `
Examples:
  $ seglog repair --dry-run events
  $ seglog repair events --salvage events-salvaged

Exit codes:
  0  done, or nothing to do; with --dry-run: what is said can be done
  1  there is damage that only --salvage gets around; nothing was changed
  2  could not run: bad usage, locked, new directory not empty, disk full`,
    )
    .action((directory: string, flags: RepairFlags) => repair(context, directory, flags));
}

async function repair(
  context: CommandContext,
  directory: string,
  { dryRun = false, salvage: target }: RepairFlags,
): Promise<void> {
  const location = await locate(context.environment.fileSystem, directory, undefined);
  if (target !== undefined) {
    await assertTarget(context, directory, target);
    await salvageTo(context, location, target, dryRun);
    return;
  }
  const verification = await verifyLocation(context, location);
  const { output } = context;
  const hopeless = verification.findings.filter(
    ({ level, remedy }) => level === "damage" && (remedy === "salvage" || remedy === "none"),
  );
  if (hopeless.length > 0) {
    context.exitCode = ExitCode.damage;
    for (const found of hopeless) await output.line(findingLine(directory, found));
    await output.line("Damaged records cannot be repaired in place; nothing was changed.");
    const command = `seglog repair ${directory} --salvage <new-dir>`;
    await output.line(escapeText(`To copy everything readable to a new directory: ${command}`));
    return;
  }
  const steps = await planRepair(context, location, verification);
  const isLive = hasWriter(verification);
  if (dryRun && isLive) {
    await output.line("It is open for writing in another process, which must be closed first.");
  }
  // Beside a writer not all can be judged, and opening says who it is.
  if (steps.length === 0 && (dryRun || !isLive)) {
    await output.line(escapeText(`${directory}: nothing to repair`));
    return;
  }
  if (dryRun) {
    for (const { plan } of steps) await output.line(escapeText(`would ${plan}`));
    return;
  }
  for (const line of await repairInPlace(context, location, steps)) {
    await output.line(escapeText(line));
  }
}

function hasWriter({ log, store }: Verification): boolean {
  return log?.survey.hasWriter ?? store?.hasWriter ?? false;
}

/** The new directory must hold nothing, and must not lie inside of the old one. */
async function assertTarget(
  context: CommandContext,
  directory: string,
  target: string,
): Promise<void> {
  const path = relative(resolve(directory), resolve(target));
  if (path === "" || (!path.startsWith("..") && !isAbsolute(path))) {
    throw new UsageError(`${target} lies inside of ${directory}. Name a directory elsewhere.`);
  }
  const kind = await kindOfDirectory(context.environment.fileSystem, target);
  if (kind === "missing" || kind === "empty") return;
  throw new SeglogError(
    "NOT_A_LOG",
    `${target} is not empty. Salvage writes to a new or empty directory only.`,
  );
}

async function salvageTo(
  context: CommandContext,
  location: Location,
  target: string,
  dryRun: boolean,
): Promise<void> {
  const { output } = context;
  const progress = await startProgress(context, location);
  let logs: readonly SalvagedLog[];
  try {
    logs = await salvage(context, location, dryRun ? undefined : target, progress.add);
  } finally {
    progress.stop();
  }
  const verb = dryRun ? "would save" : "saved";
  for (const { name, report, failure } of logs) {
    if (report === undefined) {
      context.exitCode = ExitCode.damage;
      await output.line(escapeText(`${name}: nothing can be saved: ${failure}`));
      continue;
    }
    const { records, startOffset, endOffset, missing } = report;
    const bounds = `start offset ${startOffset}, end offset ${endOffset}`;
    await output.line(escapeText(`${name}: ${verb} ${count(records, "record")}, ${bounds}`));
    for (const [from, to] of missing) await output.line(`  ${offsetRange(from, to)} lost`);
  }
  if (dryRun) return;
  const { findings } = await verifyLocation(context, { kind: location.kind, directory: target });
  const damage = findings.filter(({ level }) => level === "damage");
  for (const found of damage) await output.line(findingLine(target, found));
  if (damage.length > 0) context.exitCode = ExitCode.damage;
  const result = damage.length === 0 ? "verified, sound" : "NOT sound; report this as a bug";
  await output.line(escapeText(`${target}: ${result}. ${location.directory} is unchanged.`));
}
