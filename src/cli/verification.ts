import { runSteps } from "../files/steps.js";
import { JOURNAL_DIRECTORY } from "../format/file-names.js";
import type { LogEnvironment } from "../log/environment.js";
import type { Finding } from "../log/finding.js";
import { surveyLog } from "../log/recovery/log-survey.js";
import { keyPath } from "../store/store-files.js";
import type { CommandContext } from "./context.js";
import { type Location, listKeyDirectories } from "./location.js";
import { Progress } from "./progress.js";
import { findJournal } from "./store-journal.js";
import {
  closeJournal,
  journalFault,
  type KeyVerification,
  openJournal,
  verifyKey,
} from "./verify-journal.js";
import { type StoreVerification, verifyStore } from "./verify-store.js";

/** What a full scan of a log or a store found; `verify` shows it, `repair` decides by it. */
export interface Verification {
  readonly findings: readonly Finding[];
  readonly log: KeyVerification | undefined;
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
      const log = await verifyOne(environment, location.directory, progress.add);
      return { findings: log.findings, log, store: undefined };
    }
    const store = await verifyStore(environment, location.directory, progress.add);
    return { findings: store.findings, log: undefined, store };
  } finally {
    progress.stop();
  }
}

/** Verifies one log; if it belongs to a store, with what the journal there has of it. */
async function verifyOne(
  environment: LogEnvironment,
  directory: string,
  onBytes: (count: number) => void,
): Promise<KeyVerification> {
  const { fileSystem } = environment;
  const path = await findJournal(fileSystem, { kind: "log", directory });
  if (path === undefined) return verifyKey(environment, directory, undefined, onBytes);
  const journal = await openJournal(environment, path);
  try {
    const log = await verifyKey(environment, directory, journal.follower, onBytes);
    if (journal.fault === undefined) return log;
    return { ...log, findings: [...log.findings, journalFault(path, journal.fault)] };
  } finally {
    await closeJournal(journal);
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
      : [JOURNAL_DIRECTORY, ...(await listKeyDirectories(fileSystem, directory))].map((name) =>
          keyPath(directory, name),
        );
  let total = 0;
  for (const each of directories) {
    const survey = await surveyLog(environment, each).catch(() => undefined);
    for (const { segment } of survey?.segments ?? []) total += await runSteps(segment.end());
  }
  return total;
}
