import { basename, dirname } from "node:path";
import { CHECKPOINT_FILE } from "../../src/format/file-names.js";
import { decodeKey } from "../../src/store/key-directory.js";
import { isLack } from "./codes.js";
import type { Change, JournalLine } from "./journal.js";
import type { TracedCall } from "./strace.js";
import type { Violation } from "./violation.js";

const DATA_FILE = /^\d{20}\.log$/;

/** Keys that the victim has deleted: a file of theirs may be made anew, and none of it counts. */
export function deletedKeys(journal: readonly JournalLine[]): Set<string> {
  const keys = journal.flatMap(({ entry }) =>
    entry.type === "asked" && entry.change.kind === "delete" ? [entry.change.key] : [],
  );
  return new Set(keys);
}

/** A file that has failed to sync must never be synced again: it would say that all is well. */
export function secondSyncs(
  trace: readonly TracedCall[],
  deleted: ReadonlySet<string>,
): Violation[] {
  const failed = new Set<string>();
  const violations: Violation[] = [];
  for (const { name, path, isInjected } of trace) {
    if (path === undefined || (name !== "fdatasync" && name !== "fsync")) continue;
    if (failed.has(path)) {
      violations.push(wrong(`${path} was synced again after a sync of it had failed`));
    }
    // Other files are made anew under the same name, as are those of a key that never came to be.
    const key = keyOf(path);
    const isOfLog = key !== undefined && !deleted.has(key);
    if (isInjected && (isOfLog || basename(path) === CHECKPOINT_FILE)) failed.add(path);
  }
  return violations;
}

/** Keys of which a data file failed to sync. */
export function keysThatFailedToSync(trace: readonly TracedCall[]): string[] {
  const keys = trace.flatMap(({ name, path, isInjected }) => {
    const isFailure = isInjected && name === "fdatasync" && path !== undefined;
    return isFailure ? [keyOf(path)].filter((key) => key !== undefined) : [];
  });
  return [...new Set(keys)];
}

/** The key whose data file stands at `path`. */
function keyOf(path: string): string | undefined {
  return DATA_FILE.test(basename(path)) ? decodeKey(basename(dirname(path))) : undefined;
}

/** A poisoned log takes nothing more, can be read as before, and is not closed as if all was well. */
export function wrongAfterPoison(
  journal: readonly JournalLine[],
  failedKeys: readonly string[],
): Violation[] {
  const violations: Violation[] = [];
  const poisoned = new Set<string>();
  let closeCode: string | undefined;
  let closeId: number | undefined;
  for (const { entry } of journal) {
    if (entry.type === "appended" && poisoned.has(entry.key)) {
      violations.push(wrong(`${JSON.stringify(entry)}, though that log is poisoned`));
    }
    if (entry.type === "probed" && entry.code === "LOG_POISONED") {
      poisoned.add(entry.key);
      const isRight = entry.appendCode === "LOG_POISONED" && entry.readable === entry.expected;
      if (!isRight) violations.push(wrong(`a poisoned log: ${JSON.stringify(entry)}`));
    }
    if (entry.type === "asked" && entry.change.kind === "close") closeId = entry.id;
    if (entry.type === "failed" && entry.id === closeId) closeCode = entry.code;
  }
  if (closeId === undefined) return violations;
  if (poisoned.size > 0 && closeCode !== "LOG_POISONED") {
    violations.push(wrong(`close() came to ${closeCode ?? "an end"} with poisoned logs`));
  }
  for (const key of failedKeys) {
    if (poisoned.has(key) || closeCode === "LOG_POISONED") continue;
    violations.push(wrong(`a sync of ${JSON.stringify(key)} failed, and nobody was told`));
  }
  return violations;
}

/** Keys that were refused an append for lack of room, and whether they took one after that. */
export function roomAgain(journal: readonly JournalLine[]): Map<string, boolean> {
  const keys = new Map<string, boolean>();
  for (const { entry } of journal) {
    if (entry.type === "refused" && isLack(entry.code)) keys.set(entry.key, false);
    if (entry.type === "appended" && keys.has(entry.key)) keys.set(entry.key, true);
  }
  return keys;
}

/**
 * Lack of room or of descriptors poisons nothing, but a log that was being truncated: once the new
 * bound may be on disk, a log that went on without it would lose what is appended to the next crash.
 */
export function poisonedByLack(journal: readonly JournalLine[]): Violation[] {
  const asked = new Map<number, Change>();
  const truncated = new Set<string>();
  const violations: Violation[] = [];
  for (const { entry } of journal) {
    if (entry.type === "asked") asked.set(entry.id, entry.change);
    if (entry.type === "failed" && entry.code === "LOG_POISONED") {
      const change = asked.get(entry.id)!;
      if (change.kind === "truncate") truncated.add(change.key);
      if (change.kind === "commit" || change.kind === "seek") {
        violations.push(wrong(`commits are poisoned by a lack: ${JSON.stringify(change)}`));
      }
    }
    if (entry.type !== "probed" || entry.code !== "LOG_POISONED") continue;
    if (truncated.has(entry.key)) continue;
    violations.push(wrong(`a log is poisoned by a lack: ${JSON.stringify(entry)}`));
  }
  return violations;
}

/** Whether a truncation has poisoned its log. */
export function hasPoisonedTruncation(journal: readonly JournalLine[]): boolean {
  const truncations = new Set<number>();
  return journal.some(({ entry }) => {
    if (entry.type === "asked" && entry.change.kind === "truncate") truncations.add(entry.id);
    return entry.type === "failed" && entry.code === "LOG_POISONED" && truncations.has(entry.id);
  });
}

function wrong(message: string): Violation {
  return { kind: "wrong", message };
}
