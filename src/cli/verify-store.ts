import { join } from "node:path";
import { SeglogError } from "../errors.js";
import { logIdText } from "../format/checkpoint-frame.js";
import { CHECKPOINT_FILE, LOGS_DIRECTORY, STORE_METADATA_FILE } from "../format/file-names.js";
import type { LogEnvironment } from "../log/environment.js";
import { type Finding, finding } from "../log/finding.js";
import { PublishedReader } from "../log/published-reader.js";
import { type LogVerification, verifyLog } from "../log/verify.js";
import { loadCheckpoint } from "../store/checkpoint-file.js";
import { decodeKey } from "../store/key-directory.js";
import { keyPath, listStore, readStoreMetadata } from "../store/store-files.js";
import { isDamage } from "./damage.js";
import { listKeyDirectories } from "./location.js";

/** What a full scan of a store found. */
export interface StoreVerification {
  readonly directory: string;
  readonly logs: ReadonlyMap<string, LogVerification>;
  /** Of the store's own files, and of all its logs. */
  readonly findings: readonly Finding[];
  readonly hasWriter: boolean;
  readonly storeId: Uint8Array | undefined;
}

/** Verifies a store's own files and then each of its logs; see `verifyLog`. */
export async function verifyStore(
  environment: LogEnvironment,
  directory: string,
  onBytes: (count: number) => void,
): Promise<StoreVerification> {
  const { fileSystem } = environment;
  const findings: Finding[] = [];
  const storeId = await checkMetadata(environment, directory, findings);
  const logs = new Map<string, LogVerification>();
  for (const name of await listKeyDirectories(fileSystem, directory)) {
    const key = decodeKey(name);
    const path = keyPath(directory, name);
    if (key === undefined) {
      findings.push(foreignDirectory(path, name));
      continue;
    }
    const log = await verifyKey(environment, path, onBytes);
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
  if (logs.size > 0 && [...logs.values()].every((log) => isForeign(log, storeId))) {
    const path = join(directory, STORE_METADATA_FILE);
    findings.push(finding("damage", path, "it is of another store than all of the logs", "none"));
  }
  const reader = new PublishedReader(fileSystem, directory, new Uint8Array(16));
  const hasWriter = (await reader.read()) !== undefined;
  if (storeId !== undefined) {
    findings.push(...(await checkCheckpoint(environment, directory, storeId, hasWriter, logs)));
  }
  return { directory, logs, findings, hasWriter, storeId };
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

async function verifyKey(
  environment: LogEnvironment,
  path: string,
  onBytes: (count: number) => void,
): Promise<LogVerification | undefined> {
  try {
    return await verifyLog(environment, path, onBytes);
  } catch (error) {
    if (error instanceof SeglogError && error.code === "NOT_A_LOG") return undefined;
    throw error;
  }
}

/** The file of committed offsets, by itself and against the ends of the logs. */
async function checkCheckpoint(
  { fileSystem }: LogEnvironment,
  directory: string,
  storeId: Uint8Array,
  hasWriter: boolean,
  logs: ReadonlyMap<string, LogVerification>,
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
      } else if (!hasWriter && next > log.endOffset) {
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
