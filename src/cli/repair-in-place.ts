import { runSteps } from "../files/steps.js";
import type { RecoveryReport } from "../index.js";
import { CommitLog, LogStore } from "../index.js";
import type { LogEnvironment } from "../log/environment.js";
import type { LogVerification } from "../log/inspect/verify.js";
import { surveyLog } from "../log/recovery/log-survey.js";
import { rebuildIndex, saveIndex } from "../segment/index-loading.js";
import { loadCheckpoint } from "../store/checkpoint-file.js";
import type { CommandContext } from "./context.js";
import { count } from "./display.js";
import type { Location } from "./location.js";
import { findJournal } from "./store-journal.js";
import type { Verification } from "./verification.js";
import type { KeyVerification } from "./verify-journal.js";

/** Something to put right in one log, or in the store itself. */
export interface RepairStep {
  /** What will be done, to follow "would". */
  readonly plan: string;
  readonly kind: "recover" | "index" | "move" | "checkpoint";
  /** Of the log, if it is one of a store and not the journal. */
  readonly key: string | undefined;
  /** Base offsets of the segments whose indexes are to be built anew. */
  readonly baseOffsets: readonly number[];
}

/** What there is to do for a log or a store without damaged data. */
export async function planRepair(
  { environment }: CommandContext,
  location: Location,
  { log, store }: Verification,
): Promise<RepairStep[]> {
  if (log !== undefined) return planLog(log, "the log");
  const steps: RepairStep[] = [];
  if (store?.journal !== undefined) steps.push(...planLog(store.journal, "the journal"));
  for (const [key, each] of store?.logs ?? []) steps.push(...planKey(each, key));
  if (store?.storeId === undefined) return steps;
  const { fileSystem } = environment;
  const { damage } = await loadCheckpoint(fileSystem, location.directory, store.storeId);
  if (damage !== undefined) {
    const plan = `rewrite committed-offsets from its last valid state, keeping a copy (${damage})`;
    steps.push({ plan, kind: "checkpoint", key: undefined, baseOffsets: [] });
  }
  return steps;
}

function planKey(log: KeyVerification, key: string): RepairStep[] {
  const name = JSON.stringify(key);
  const steps = planLog(log, `the log of key ${name}`).map((step) => ({ ...step, key }));
  if (log.journaled === 0) return steps;
  const records = count(log.journaled, "record");
  const plan = `move ${records} of key ${name} from the journal to segments of its own`;
  return [...steps, { plan, kind: "move", key, baseOffsets: [] }];
}

/** @param name - What the log is called, with its article. */
function planLog(log: LogVerification, name: string): RepairStep[] {
  const steps: RepairStep[] = [];
  const key = undefined;
  const wanting = log.findings.filter(({ remedy }) => remedy === "recovery");
  const isUnclean = log.survey.metadata?.clean === false && !log.survey.hasWriter;
  if (wanting.length > 0 || isUnclean) {
    const last = log.checks.at(-1);
    const torn = last === undefined ? 0 : last.endWithoutRoom - last.complete.endPosition;
    const cut =
      torn > 0
        ? `cut a torn tail of ${count(torn, "byte")} behind offset ${last!.complete.endOffset}, ` +
          "keeping a copy"
        : "complete what the last writer left undone";
    const plan = `recover ${name}: ${cut}, and close it cleanly`;
    steps.push({ plan, kind: "recover", key, baseOffsets: [] });
  }
  const baseOffsets = log.unsoundIndexes;
  if (baseOffsets.length > 0) {
    const of = name === "the log" ? "" : ` of ${name.replace("the log of ", "")}`;
    const plan = `rebuild the indexes${of} of the segments ${baseOffsets.join(", ")}`;
    steps.push({ plan, kind: "index", key, baseOffsets });
  }
  return steps;
}

/**
 * Carries the steps out under the writer's lock and says what was done.
 *
 * @throws SeglogError `LOCKED` and what else opening for writing throws.
 */
export async function repairInPlace(
  context: CommandContext,
  { kind, directory }: Location,
  steps: readonly RepairStep[],
): Promise<string[]> {
  const done: string[] = [];
  if (kind === "log") {
    const log = await CommitLog.openOn(context.environment, directory);
    try {
      done.push(...(await repairLog(context, log, steps)));
    } finally {
      await log.close();
    }
    return done;
  }
  // What the journal has of a log stays there until the log is opened, and closed again.
  const store = await LogStore.openOn(context.environment, directory);
  try {
    done.push(...(await repairJournal(context, { kind, directory }, steps)));
    for (const key of new Set(steps.flatMap((step) => step.key ?? []))) {
      const log = await store.log(key);
      done.push(
        ...(await repairLog(
          context,
          log,
          steps.filter((step) => step.key === key),
        )),
      );
    }
    if (steps.some((step) => step.kind === "checkpoint")) done.push(await rewriteCheckpoint(store));
  } finally {
    await store.close();
  }
  return done;
}

async function repairLog(
  { environment }: CommandContext,
  log: CommitLog,
  steps: readonly RepairStep[],
): Promise<string[]> {
  const { recovery, directory } = log;
  const done: string[] = [];
  if (steps.some((step) => step.kind === "recover")) {
    done.push(`${directory}: ${recoveryText(recovery, log.endOffset)}`);
  }
  if (steps.some((step) => step.kind === "move")) {
    done.push(`${directory}: moved what stood in the journal to segments of its own`);
  }
  return [...done, ...(await rebuildIndexes(environment, directory, steps))];
}

/** Opening the store has recovered it. */
async function repairJournal(
  { environment }: CommandContext,
  location: Location,
  steps: readonly RepairStep[],
): Promise<string[]> {
  const own = steps.filter(({ kind, key }) => key === undefined && kind !== "checkpoint");
  const directory = await findJournal(environment.fileSystem, location);
  if (directory === undefined || own.length === 0) return [];
  const isRecovered = own.some(({ kind }) => kind === "recover");
  const done = isRecovered ? [`${directory}: recovered`] : [];
  return [...done, ...(await rebuildIndexes(environment, directory, own))];
}

async function rebuildIndexes(
  environment: LogEnvironment,
  directory: string,
  steps: readonly RepairStep[],
): Promise<string[]> {
  const done: string[] = [];
  const wanted = new Set(steps.flatMap((step) => step.baseOffsets));
  if (wanted.size === 0) return done;
  // This process has the lock, so nobody else writes these files.
  const survey = await surveyLog(environment, directory);
  for (const { segment, header } of survey.segments) {
    if (header === undefined || !wanted.has(segment.baseOffset)) continue;
    await saveIndex(environment.fileSystem, segment, await runSteps(rebuildIndex(segment)));
    done.push(`${directory}: rebuilt the indexes of segment ${segment.baseOffset}`);
  }
  return done;
}

function recoveryText(report: RecoveryReport, endOffset: number): string {
  const parts = [`recovered up to offset ${endOffset}`];
  if (report.cutBytes > 0) {
    const kept =
      report.quarantineFile === undefined ? "all zeros" : `kept in ${report.quarantineFile}`;
    parts.push(`cut ${count(report.cutBytes, "byte")} (${report.cutReason}; ${kept})`);
  }
  if (report.removedFiles.length > 0) {
    parts.push(`removed ${count(report.removedFiles.length, "left-over file")}`);
  }
  return parts.join(", ");
}

/** A session's first change replaces the file as a whole; setting an offset to itself is one. */
async function rewriteCheckpoint(store: LogStore): Promise<string> {
  for (const group of await store.groups()) {
    for (const [key, next] of await store.group(group).committed()) {
      const bounds = await store.bounds(key);
      if (bounds === undefined || next > bounds.endOffset) continue;
      await store.group(group).seek(new Map([[key, next]]));
      return `${store.directory}: rewrote committed-offsets`;
    }
  }
  return (
    `${store.directory}: committed-offsets holds nothing that can be kept; it is replaced with ` +
    "the next commit"
  );
}
