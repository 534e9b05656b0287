import { SeglogError } from "../errors.js";
import { isMissing } from "../files/file-errors.js";
import type { FileSystem } from "../files/file-system.js";
import { JOURNAL_DIRECTORY, STORE_METADATA_FILE } from "../format/file-names.js";
import { decodeJournalKey, journalName } from "../format/journal-key.js";
import type { LogRecord } from "../format/record.js";
import { readMetadata } from "../log/directory/log-files.js";
import type { LogEnvironment } from "../log/environment.js";
import { closeSurvey, type LogSurvey, surveyLog } from "../log/recovery/log-survey.js";
import { tornTailPosition } from "../log/recovery/tail-check.js";
import type { JournaledRecord } from "../log/tail/journaled-record.js";
import { assertKeyDirectory, keyPath } from "../store/store-files.js";
import { isDamage } from "./damage.js";
import type { Location } from "./location.js";
import { readAround } from "./read-around.js";

/** What stands in a journal, by the names of the logs that it belongs to. */
export type JournaledRecords = ReadonlyMap<string, readonly JournaledRecord[]>;

/**
 * The directory of the journal that a store's logs share, or that a log shares with others.
 *
 * @returns `undefined` if there is none.
 * @throws SeglogError `UNSAFE_PATH` if it is no directory.
 */
export async function findJournal(
  fileSystem: FileSystem,
  { kind, directory }: Location,
): Promise<string | undefined> {
  if (kind === "log" && !(await belongsToStore(fileSystem, directory))) return undefined;
  // Only the system knows what lies above a log's directory, which may be a symbolic link.
  const path =
    kind === "log" ? `${directory}/../${JOURNAL_DIRECTORY}` : keyPath(directory, JOURNAL_DIRECTORY);
  await assertKeyDirectory(fileSystem, path);
  if ((await fileSystem.kindOf(path)) === undefined) return undefined;
  return kind === "log" ? fileSystem.realPath(path) : path;
}

/** Where damage hides it, what lies around tells. */
async function belongsToStore(fileSystem: FileSystem, directory: string): Promise<boolean> {
  try {
    return (await readMetadata(fileSystem, directory)).storeId !== undefined;
  } catch (error) {
    if (!isDamage(error) && !isMissing(error)) throw error;
    const store = `${directory}/../../${STORE_METADATA_FILE}`;
    return (await fileSystem.kindOf(store)) === "file";
  }
}

/**
 * Reads what can be read of a journal: of each log, the records since its last mark. Where damage
 * hides others, offsets are missing between them. All of it is held in memory.
 *
 * @param journal - See {@link findJournal}.
 * @param onSkipped - Told of each place that cannot be read.
 */
export async function journaledRecords(
  environment: LogEnvironment,
  journal: string | undefined,
  onSkipped: (message: string) => void,
): Promise<JournaledRecords> {
  const found = new Map<string, JournaledRecord[]>();
  const survey = journal && (await surveyJournal(environment, journal));
  if (!survey) return found;
  try {
    for await (const piece of readAround(await withoutTornTail(environment, survey))) {
      if ("skipped" in piece) onSkipped(piece.skipped);
      else for (const record of piece.records) take(found, record);
    }
  } finally {
    await closeSurvey(survey);
  }
  return found;
}

/** What a journal has of one log; nothing where it is not known which log that is. */
export function journaledOf(
  records: JournaledRecords,
  logId: Uint8Array | undefined,
): readonly JournaledRecord[] {
  return (logId && records.get(journalName(logId))) ?? [];
}

function take(found: Map<string, JournaledRecord[]>, record: LogRecord): void {
  const name = decodeJournalKey(record.key);
  if (name === undefined) return;
  if (name.isMark) {
    found.delete(name.log);
    return;
  }
  const before = found.get(name.log) ?? [];
  // Behind a mark that damage hides: what was truncated is there under other records' offsets.
  while ((before.at(-1)?.record.offset ?? -1) >= name.offset) before.pop();
  before.push({ record: ownRecord(record, name.offset, name.key), producer: name.producer });
  found.set(name.log, before);
}

/** The record as it is in its own log, with memory of its own. */
function ownRecord(
  { timestamp, value, headers }: LogRecord,
  offset: number,
  key: Uint8Array | undefined,
): LogRecord {
  return {
    offset,
    timestamp,
    value: value.slice(),
    ...(key === undefined ? {} : { key: key.slice() }),
    ...(headers === undefined
      ? {}
      : { headers: headers.map(([name, bytes]) => [name, bytes.slice()] as const) }),
  };
}

/** Nobody was told that what a crash has torn is stored. */
async function withoutTornTail(environment: LogEnvironment, survey: LogSurvey): Promise<LogSurvey> {
  const tornAt = await tornTailPosition(environment, survey);
  if (tornAt === undefined) return survey;
  const segments = survey.segments.map((each, index) =>
    index === survey.segments.length - 1 ? { ...each, endPosition: tornAt } : each,
  );
  return { ...survey, segments };
}

async function surveyJournal(
  environment: LogEnvironment,
  directory: string,
): Promise<LogSurvey | undefined> {
  try {
    return await surveyLog(environment, directory);
  } catch (error) {
    if (error instanceof SeglogError && error.code === "NOT_A_LOG") return undefined;
    throw error;
  }
}
