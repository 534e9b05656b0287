import { join } from "node:path";
import { type CorruptionError, SeglogError } from "../errors.js";
import { logIdText } from "../format/checkpoint-frame.js";
import { CHECKPOINT_FILE, LOGS_DIRECTORY, STORE_METADATA_FILE } from "../format/file-names.js";
import { PublishedReader } from "../log/directory/published-reader.js";
import type { LogEnvironment } from "../log/environment.js";
import { type Finding, finding } from "../log/finding.js";
import type { JournalFollower } from "../log/follow/journal-follower.js";
import { type LogVerification, verifyLog } from "../log/inspect/verify.js";
import { loadCheckpoint } from "../store/checkpoint-file.js";
import { decodeKey } from "../store/key-directory.js";
import { keyPath, listStore, readStoreMetadata } from "../store/store-files.js";
import { isDamage } from "./damage.js";
import { hasDamage } from "./findings.js";
import { listKeyDirectories } from "./location.js";
import { findJournal } from "./store-journal.js";
import {
  closeJournal,
  journalFault,
  type KeyVerification,
  openJournal,
  verifyKey,
} from "./verify-journal.js";

/** What a full scan of a store found. */
export interface StoreVerification {
  readonly directory: string;
  readonly logs: ReadonlyMap<string, KeyVerification>;
  /** The log that the others share, if there is one. */
  readonly journal: LogVerification | undefined;
  /** Of the store's own files, and of all its logs. */
  readonly findings: readonly Finding[];
  readonly hasWriter: boolean;
  readonly storeId: Uint8Array | undefined;
}

/** Verifies a store's own files, its journal, and then each of its logs; see `verifyLog`. */
export async function verifyStore(
  environment: LogEnvironment,
  directory: string,
  onBytes: (count: number) => void,
): Promise<StoreVerification> {
  const { fileSystem } = environment;
  const findings: Finding[] = [];
  const storeId = await checkMetadata(environment, directory, findings);
  const path = await findJournal(fileSystem, { kind: "store", directory });
  // Before the logs: what leaves the journal meanwhile is in their segments by then.
  const opened = path === undefined ? undefined : await openJournal(environment, path);
  let journal: LogVerification | undefined;
  let logs: ReadonlyMap<string, KeyVerification>;
  try {
    if (path !== undefined) {
      journal = await unlessUnmade(verifyLog(environment, path, onBytes));
      findings.push(...journalFindings(path, journal, opened?.fault, storeId));
    }
    const scan = { environment, directory, storeId, journal: opened?.follower, onBytes };
    logs = await verifyKeys(scan, findings);
  } finally {
    if (opened !== undefined) await closeJournal(opened);
  }
  if (logs.size > 0 && [...logs.values()].every((log) => isForeign(log, storeId))) {
    const metadata = join(directory, STORE_METADATA_FILE);
    const message = "it is of another store than all of the logs";
    findings.push(finding("damage", metadata, message, "none"));
  }
  const reader = new PublishedReader(fileSystem, directory, new Uint8Array(16));
  const hasWriter = (await reader.read()) !== undefined;
  if (storeId !== undefined) {
    // Where readers are kept out of the journal, nobody knows where its logs end.
    const checked = { environment, directory, storeId, hasWriter, logs };
    const isEndKnown = !hasWriter && opened?.fault === undefined;
    findings.push(...(await checkCheckpoint(checked, isEndKnown)));
  }
  return { directory, logs, journal, findings, hasWriter, storeId };
}

/** What it takes to verify each key of a store. */
interface KeyScan {
  readonly environment: LogEnvironment;
  readonly directory: string;
  readonly storeId: Uint8Array | undefined;
  readonly journal: JournalFollower | undefined;
  readonly onBytes: (count: number) => void;
}

async function verifyKeys(
  { environment, directory, storeId, journal, onBytes }: KeyScan,
  findings: Finding[],
): Promise<ReadonlyMap<string, KeyVerification>> {
  const { fileSystem } = environment;
  const logs = new Map<string, KeyVerification>();
  for (const name of await listKeyDirectories(fileSystem, directory)) {
    const key = decodeKey(name);
    const path = keyPath(directory, name);
    if (key === undefined) {
      findings.push(foreignDirectory(path, name));
      continue;
    }
    const log = await unlessUnmade(verifyKey(environment, path, journal, onBytes));
    if (log === undefined) {
      findings.push(finding("note", path, "a log that was never completely made", "recovery"));
      continue;
    }
    logs.set(key, log);
    if (isForeign(log, storeId)) {
      findings.push(finding("damage", path, "the log belongs to another store", "none"));
    }
    findings.push(...log.findings);
  }
  return logs;
}

/** @param fault - What keeps readers out of the journal. */
function journalFindings(
  path: string,
  journal: LogVerification | undefined,
  fault: CorruptionError | undefined,
  storeId: Uint8Array | undefined,
): Finding[] {
  const findings = [...(journal?.findings ?? [])];
  if (journal !== undefined && isForeign(journal, storeId)) {
    findings.push(finding("damage", path, "the journal belongs to another store", "none"));
  }
  if (fault !== undefined && !hasDamage(findings)) findings.push(journalFault(path, fault));
  return findings;
}

/** Whether a log names another store than this one, or none. */
function isForeign({ survey }: LogVerification, storeId: Uint8Array | undefined): boolean {
  if (storeId === undefined || survey.metadata === undefined) return false;
  const owner = survey.metadata.storeId ?? new Uint8Array(0);
  return Buffer.compare(owner, storeId) !== 0;
}

function foreignDirectory(path: string, name: string): Finding {
  return name.startsWith(".deleted-")
    ? finding("note", path, "a deletion was interrupted; the next writer completes it", "recovery")
    : finding("note", path, "its name stands for no key", "none");
}

async function checkMetadata(
  { fileSystem }: LogEnvironment,
  directory: string,
  findings: Finding[],
): Promise<Uint8Array | undefined> {
  const path = join(directory, STORE_METADATA_FILE);
  const listing = await listStore(fileSystem, directory);
  for (const name of listing?.foreignNames ?? []) {
    findings.push(finding("note", join(directory, name), "is not a file of seglog", "none"));
  }
  if (listing?.hasMetadata !== true) {
    findings.push(finding("damage", path, "the file is missing", "salvage"));
    return undefined;
  }
  if ((await fileSystem.kindOf(join(directory, LOGS_DIRECTORY))) !== "directory") {
    const logs = join(directory, LOGS_DIRECTORY);
    findings.push(finding("damage", logs, "the directory with the logs is missing", "none"));
  }
  try {
    return (await readStoreMetadata(fileSystem, directory)).storeId;
  } catch (error) {
    if (!isDamage(error)) throw error;
    findings.push(finding("damage", path, reasonOf(error), "salvage"));
    return undefined;
  }
}

function reasonOf(error: unknown): string {
  const reason = error instanceof Error && "reason" in error ? error.reason : undefined;
  return typeof reason === "string" ? reason : (error as Error).message;
}

async function unlessUnmade<T>(verifying: Promise<T>): Promise<T | undefined> {
  try {
    return await verifying;
  } catch (error) {
    if (error instanceof SeglogError && error.code === "NOT_A_LOG") return undefined;
    throw error;
  }
}

/** A store all of whose logs are verified. */
interface CheckedStore {
  readonly environment: LogEnvironment;
  readonly directory: string;
  readonly storeId: Uint8Array;
  readonly hasWriter: boolean;
  readonly logs: ReadonlyMap<string, LogVerification>;
}

/** The file of committed offsets, by itself and against the ends of the logs. */
async function checkCheckpoint(
  { environment: { fileSystem }, directory, storeId, hasWriter, logs }: CheckedStore,
  isEndKnown: boolean,
): Promise<Finding[]> {
  const path = join(directory, CHECKPOINT_FILE);
  const { state, damage, isTorn, validBytes, fileBytes } = await loadCheckpoint(
    fileSystem,
    directory,
    storeId,
  );
  const findings: Finding[] = [];
  if (damage !== undefined && !(hasWriter && isTorn)) {
    const unused = `the last ${fileBytes - validBytes} bytes are not used: ${damage}. Groups may `;
    const message = `${unused}see records again, and skip none`;
    const level = isTorn ? "warning" : "damage";
    findings.push({ ...finding(level, path, message, "recovery"), position: validBytes });
  }
  for (const [group, offsets] of state) {
    for (const [key, { logId, next }] of offsets) {
      const log = logs.get(key);
      const names = `group ${JSON.stringify(group)}, key ${JSON.stringify(key)}`;
      if (log === undefined) {
        findings.push(finding("note", path, `${names}: there is no such key`, "none"));
      } else if (isAnother(log, logId)) {
        const message = `${names}: committed of an earlier log of that key, so it does not count`;
        findings.push(finding("note", path, message, "none"));
      } else if (isEndKnown && next > log.endOffset) {
        const message = `${names}: committed offset ${next} lies behind the end ${log.endOffset}; `;
        const rest = "it is set to the end when the log is next opened for writing";
        findings.push(finding("warning", path, message + rest, "recovery"));
      }
    }
  }
  return findings;
}

/** Whether it is known that a log is not the one with this id. */
function isAnother({ survey }: LogVerification, logId: string): boolean {
  return survey.metadata !== undefined && logIdText(survey.metadata.logId) !== logId;
}
