import { runSteps } from "../files/steps.js";
import type { Finding } from "../log/finding.js";
import { surveyLog } from "../log/log-survey.js";
import { type LogVerification, verifyLog } from "../log/verify.js";
import { keyPath } from "../store/store-files.js";
import type { CommandContext } from "./context.js";
import { type Location, listKeyDirectories } from "./location.js";
import { Progress } from "./progress.js";
import { type StoreVerification, verifyStore } from "./verify-store.js";

/** What a full scan of a log or a store found; `verify` shows it, `repair` decides by it. */
export interface Verification {
  readonly findings: readonly Finding[];
  readonly log: LogVerification | undefined;
  readonly store: StoreVerification | undefined;
}

/** Runs the full scan with a progress bar. */
export async function verifyLocation(
  context: CommandContext,
  location: Location,
): Promise<Verification> {
  const { environment } = context;
  const progress = new Progress(Progress.isShown ? await totalBytes(context, location) : 0);
  try {
    if (location.kind === "log") {
      const log = await verifyLog(environment, location.directory, progress.add);
      return { findings: log.findings, log, store: undefined };
    }
    const store = await verifyStore(environment, location.directory, progress.add);
    return { findings: store.findings, log: undefined, store };
  } finally {
    progress.stop();
  }
}

/** Bytes of data files, for the progress bar; what cannot be opened now is told later. */
export async function totalBytes(
  { environment }: CommandContext,
  { kind, directory }: Location,
): Promise<number> {
  const { fileSystem } = environment;
  const directories =
    kind === "log"
      ? [directory]
      : (await listKeyDirectories(fileSystem, directory)).map((name) => keyPath(directory, name));
  let total = 0;
  for (const each of directories) {
    const survey = await surveyLog(environment, each).catch(() => undefined);
    for (const { segment } of survey?.segments ?? []) total += await runSteps(segment.end());
  }
  return total;
}
