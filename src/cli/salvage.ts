import { join } from "node:path";
import { isMissing } from "../files/file-errors.js";
import { logIdText } from "../format/checkpoint-frame.js";
import { LOG_METADATA_FILE } from "../format/file-names.js";
import { LogStore } from "../index.js";
import { type SalvageReport, salvageLog } from "../log/inspect/salvage.js";
import { type LogSurvey, surveyLog } from "../log/recovery/log-survey.js";
import { loadCheckpoint } from "../store/checkpoint-file.js";
import { decodeKey } from "../store/key-directory.js";
import { keyPath, readStoreMetadata } from "../store/store-files.js";
import type { CommandContext } from "./context.js";
import { isDamage } from "./damage.js";
import { type Location, listKeyDirectories } from "./location.js";
import {
  findJournal,
  type JournaledRecords,
  journaledOf,
  journaledRecords,
} from "./store-journal.js";

/** What became of one log. */
export interface SalvagedLog {
  /** The directory of the log, or the key of a store. */
  readonly name: string;
  readonly report: SalvageReport | undefined;
  /** The id of the damaged log, if anything tells it. */
  readonly logId?: Uint8Array | undefined;
  /** Why there is no report. */
  readonly failure: string | undefined;
}

/**
 * Copies what is readable of a log, or of every log of a store, to a new directory.
 *
 * @param target - `undefined` writes nothing and tells what would be saved.
 */
export async function salvage(
  context: CommandContext,
  { kind, directory }: Location,
  target: string | undefined,
  onBytes: (count: number) => void,
): Promise<SalvagedLog[]> {
  const { environment } = context;
  if (kind === "log") {
    const journal = await recordsOfJournal(context, { kind, directory });
    const survey = await surveyLog(environment, directory);
    const journaled = journaledOf(journal, logIdOf(survey));
    const report = await salvageLog(environment, survey, { target, journaled, onBytes });
    return [{ name: directory, report, failure: undefined }];
  }
  const storeId = target === undefined ? undefined : await makeStore(context, target);
  // Before the logs: what leaves the journal meanwhile is in their segments by then.
  const records = await recordsOfJournal(context, { kind, directory });
  const logs: SalvagedLog[] = [];
  for (const name of await listKeyDirectories(environment.fileSystem, directory)) {
    const key = decodeKey(name);
    if (key === undefined) continue;
    const into = target === undefined ? undefined : keyPath(target, name);
    try {
      const survey = await surveyLog(environment, keyPath(directory, name));
      const journaled = journaledOf(records, logIdOf(survey));
      const options = { target: into, storeId, journaled, onBytes };
      const report = await salvageLog(environment, survey, options);
      logs.push({ name: key, report, logId: logIdOf(survey), failure: undefined });
    } catch (error) {
      if (!isEmptyLog(error)) throw error;
      logs.push({ name: key, report: undefined, failure: "it holds no data file" });
    }
  }
  if (target !== undefined) await copyCommitted(context, directory, target, logs);
  return logs;
}

/** Of a store, or of the one that a log belongs to. */
async function recordsOfJournal(
  context: CommandContext,
  location: Location,
): Promise<JournaledRecords> {
  const { environment } = context;
  const journal = await findJournal(environment.fileSystem, location);
  return journaledRecords(environment, journal, (message) =>
    context.tell(`${message}; whose records stood there is not known`),
  );
}

function isEmptyLog(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "NOT_A_LOG";
}

function logIdOf({ metadata, segments }: LogSurvey): Uint8Array | undefined {
  return metadata?.logId ?? segments.find(({ header }) => header !== undefined)?.header?.logId;
}

/** Makes an empty store and returns its id. */
async function makeStore({ environment }: CommandContext, target: string): Promise<Uint8Array> {
  await (await LogStore.openOn(environment, target)).close();
  return (await readStoreMetadata(environment.fileSystem, target)).storeId;
}

/** Takes the committed offsets over, as far as the checkpoint is valid. */
async function copyCommitted(
  context: CommandContext,
  directory: string,
  target: string,
  logs: readonly SalvagedLog[],
): Promise<void> {
  const storeId = await findStoreId(context, directory);
  if (storeId === undefined) {
    context.tell(`no id of the store was found in ${directory}: committed offsets are not saved`);
    return;
  }
  const { fileSystem } = context.environment;
  const { state, producers, damage } = await loadCheckpoint(fileSystem, directory, storeId);
  if (damage !== undefined) {
    context.tell(`committed offsets are saved as of their last valid state: ${damage}`);
  }
  const saved = new Map(logs.map((log) => [log.name, log]));
  await using store = await LogStore.openOn(context.environment, target);
  for (const [group, offsets] of state) {
    const kept = new Map<string, number>();
    for (const [key, { logId, next }] of offsets) {
      const log = saved.get(key);
      if (log?.report === undefined || log.logId === undefined) continue;
      if (logIdText(log.logId) === logId) kept.set(key, Math.min(next, log.report.endOffset));
    }
    if (kept.size > 0) await store.group(group).seek(kept);
  }
  if (producers.size > 0) await store.adoptProducers(producers);
}

/** From `store.meta`, or from the first log that names its store. */
async function findStoreId(
  { environment }: CommandContext,
  directory: string,
): Promise<Uint8Array | undefined> {
  const { fileSystem } = environment;
  try {
    return (await readStoreMetadata(fileSystem, directory)).storeId;
  } catch (error) {
    if (!isDamage(error) && !isMissing(error)) throw error;
  }
  for (const name of await listKeyDirectories(fileSystem, directory)) {
    const path = keyPath(directory, name);
    if ((await fileSystem.kindOf(join(path, LOG_METADATA_FILE))) !== "file") continue;
    const { metadata } = await surveyLog(environment, path);
    if (metadata?.storeId !== undefined) return metadata.storeId;
  }
  return undefined;
}
