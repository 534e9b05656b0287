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
  const progress = await startProgress(context, location);
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

/** Starts the progress bar for reading all data files once. */
export async function startProgress(
  context: CommandContext,
  location: Location,
): Promise<Progress> {
  const { stderr } = context.streams;
  // Without a terminal nobody sees it, and the total need not be found out.
  return new Progress(stderr, stderr.isTTY === true ? await totalBytes(context, location) : 0);
}

/** Bytes of data files; what cannot be opened now is told later. */
async function totalBytes(
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
