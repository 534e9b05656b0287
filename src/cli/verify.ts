import type { Command } from "commander";
import type { LogVerification } from "../log/inspect/verify.js";
import { parseKey } from "./arguments.js";
import type { CommandContext } from "./context.js";
import { count, formatBytes } from "./display.js";
import { escapeText, safeJson } from "./escape.js";
import { ExitCode } from "./exit-code.js";
import { findingLine, hasDamage, verdict } from "./findings.js";
import { locate } from "./location.js";
import { type Verification, verifyLocation } from "./verification.js";
import type { KeyVerification } from "./verify-journal.js";

interface VerifyFlags {
  readonly key?: string;
  readonly json?: boolean;
}

/** `seglog verify`: reads everything and says whether it is sound. */
export function addVerify(program: Command, context: CommandContext): void {
  program
    .command("verify")
    .summary("read everything and say whether it is sound")
    .description(
      "Reads all of a log or a store: checksums, records, the chain of blocks and segments, " +
        "offsets, metadata, every index entry against the data, committed offsets, and the journal " +
        "that the logs of a store share. Beside a living writer it reads up to the end that this " +
        "has published.\n\n" +
        "A torn tail and an index that must be built anew are warnings: they are what a crash " +
        "leaves, nothing acknowledged is lost, and the next writer deals with them.",
    )
    .argument("<dir>", "directory of the log or the store")
    .option("-k, --key <key>", "only the log of this key in a store", parseKey)
    .option("--json", "one JSON object instead of text")
    .addHelpText(
      "after",
      `
Example:
  $ seglog verify events && echo sound

Exit codes:
  0  sound, perhaps with warnings
  1  damage was found
  2  could not run: bad usage, not found, no access`,
    )
    .action((directory: string, flags: VerifyFlags) => verify(context, directory, flags));
}

async function verify(
  context: CommandContext,
  directory: string,
  { key, json }: VerifyFlags,
): Promise<void> {
  const location = await locate(context.environment.fileSystem, directory, key);
  const verification = await verifyLocation(context, location);
  const { findings } = verification;
  if (hasDamage(findings)) context.exitCode = ExitCode.damage;
  const { output } = context;
  if (json === true) {
    await output.line(safeJson(asJson(verification), 2));
    return;
  }
  for (const found of findings) await output.line(findingLine(location.directory, found));
  await output.line(escapeText(`${location.directory}: ${summary(verification)}`));
  await output.line(verdict(findings));
  if (!hasDamage(findings)) return;
  await output.line(escapeText(`To see what can be done: seglog repair --dry-run ${directory}`));
}

function summary({ log, store }: Verification): string {
  const logs = log === undefined ? [...(store?.logs.values() ?? [])] : [log];
  // Where a record is counted does not matter; that a file was read does.
  const read = store?.journal === undefined ? logs : [store.journal, ...logs];
  const segments = count(
    sum(read, (each) => each.checks.length),
    "segment",
  );
  const bytes = formatBytes(sum(read, (each) => each.bytes));
  const journaled = logs.reduce((total, each) => total + each.journaled, 0);
  const apart = journaled === 0 ? "" : ` (${journaled} of them in the journal alone)`;
  const records = `${count(
    sum(logs, (each) => each.records),
    "record",
  )}${apart}`;
  const total = `${segments}, ${records}, ${bytes}`;
  if (log === undefined) return `${count(logs.length, "key")}, ${total}`;
  const { startOffset, endOffset, survey } = log;
  const live = survey.published === undefined ? "" : ", open for writing in another process";
  return `${total}, start offset ${startOffset}, end offset ${endOffset}${live}`;
}

function sum(logs: readonly LogVerification[], of: (log: LogVerification) => number): number {
  return logs.reduce((total, log) => total + of(log), 0);
}

function asJson({ findings, log, store }: Verification): unknown {
  const describe = ({ startOffset, endOffset, records, bytes, checks }: LogVerification) => ({
    startOffset,
    endOffset,
    segments: checks.length,
    records,
    bytes,
  });
  const describeKey = (each: KeyVerification) => ({
    ...describe(each),
    journaled: each.journaled,
  });
  return {
    sound: !hasDamage(findings),
    findings,
    ...(log === undefined ? {} : { log: describeKey(log) }),
    ...(store === undefined
      ? {}
      : {
          keys: [...store.logs].map(([key, each]) => ({ key, ...describeKey(each) })),
          journal: store.journal === undefined ? null : describe(store.journal),
        }),
  };
}
