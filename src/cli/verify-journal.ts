import { CorruptionError, SeglogError } from "../errors.js";
import { LOG_METADATA_FILE } from "../format/file-names.js";
import { journalName } from "../format/journal-key.js";
import type { LogEnvironment } from "../log/environment.js";
import { type Finding, finding } from "../log/finding.js";
import { JournalFollower } from "../log/journal-follower.js";
import type { JournaledRun } from "../log/journal-index.js";
import { BEHIND_TRUNCATION, MISSING_BEFORE_JOURNAL } from "../log/log-tail.js";
import { type LogVerification, verifyLog } from "../log/verify.js";

/** A writer beside this moves records from the journal to the segments; it does so rarely. */
const MAX_ATTEMPTS = 5;

/** What a full scan of a log found, together with what the journal of its store has of it. */
export interface KeyVerification extends LogVerification {
  /** How many of its records stand in the journal and in no segment. */
  readonly journaled: number;
}

/** A journal as readers see it. */
export interface OpenedJournal {
  /** `undefined` where {@link fault} says why. */
  readonly follower: JournalFollower | undefined;
  /** The damage that keeps readers out of it. */
  readonly fault: CorruptionError | undefined;
}

/** Opens a journal for reading. Do it before its logs are looked at. */
export async function openJournal(
  environment: LogEnvironment,
  directory: string,
): Promise<OpenedJournal> {
  const follower = new JournalFollower(environment, directory);
  try {
    await follower.refresh();
    const metadata = `${directory}/${LOG_METADATA_FILE}`;
    if ((await environment.fileSystem.kindOf(metadata)) === undefined) throw missing(metadata);
    return { follower, fault: undefined };
  } catch (error) {
    await follower.close(error as SeglogError);
    if (!(error instanceof CorruptionError)) throw error;
    return { follower: undefined, fault: error };
  }
}

/** A journal gets its name when it is whole. */
function missing(file: string): CorruptionError {
  return new CorruptionError({ file, position: 0, reason: "log.meta is missing" });
}

export async function closeJournal({ follower }: OpenedJournal): Promise<void> {
  await follower?.close(new SeglogError("CLOSED", "The journal is closed."));
}

/** For whoever looks at a log, and not at the journal itself. */
export function journalFault(directory: string, fault: CorruptionError): Finding {
  const message = `the journal is damaged (${fault.reason}), which keeps readers out of its logs`;
  return finding("damage", directory, message, "salvage");
}

/**
 * Verifies a log and how it meets the journal of its store.
 *
 * @param journal - `undefined` if there is none, or if damage keeps readers out of it.
 */
export async function verifyKey(
  environment: LogEnvironment,
  directory: string,
  journal: JournalFollower | undefined,
  onBytes: (count: number) => void,
): Promise<KeyVerification> {
  let log = await verifyLog(environment, directory, onBytes);
  for (let attempt = 1; ; attempt++) {
    const name = log.survey.metadata && journalName(log.survey.metadata.logId);
    const run = name === undefined ? undefined : journal?.index.runOf(name);
    if (run === undefined) return { ...log, journaled: 0 };
    const isVoid = run.endOffset > (log.survey.pending?.offset ?? Number.POSITIVE_INFINITY);
    if (!isVoid && run.firstOffset <= log.endOffset) return withTail(log, run);
    // It may have been looked at before a writer came that truncated the log and died.
    if (attempt > 1 && (!log.survey.hasWriter || attempt === MAX_ATTEMPTS)) {
      return isVoid ? withVoidTail(log, directory) : withTailApart(log, run, directory);
    }
    await journal!.refresh();
    log = await verifyLog(environment, directory);
  }
}

function withTail(log: LogVerification, run: JournaledRun): KeyVerification {
  const endOffset = Math.max(log.endOffset, run.endOffset);
  const journaled = endOffset - log.endOffset;
  return { ...log, endOffset, records: log.records + journaled, journaled };
}

/** Of a log of which records are missing between the segments and the journal. */
function withTailApart(
  log: LogVerification,
  { firstOffset, endOffset, places }: JournaledRun,
  directory: string,
): KeyVerification {
  const missing: Finding = {
    ...finding("damage", directory, MISSING_BEFORE_JOURNAL, "salvage"),
    lost: [log.endOffset, firstOffset],
  };
  const journaled = places.length;
  const findings = [...log.findings, missing];
  return { ...log, findings, endOffset, records: log.records + journaled, journaled };
}

/** Of a log of which the journal has what a truncation has cut off. */
function withVoidTail(log: LogVerification, directory: string): KeyVerification {
  const behind = finding("damage", directory, BEHIND_TRUNCATION, "salvage");
  return { ...log, findings: [...log.findings, behind], journaled: 0 };
}
