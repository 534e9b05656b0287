import { SeglogError, type SeglogErrorCode } from "../../src/errors.js";
import type { Operation } from "../support/faulty-file-system.js";
import type { FaultKind } from "./faults.js";

/** What a test asks of seglog. */
export type CallKind = keyof typeof CONTRACT;

/** How a call may fail when the disk does, by what befell the operations that it made. */
interface Clause {
  /** Codes that tell what befell it, nothing else being wrong. */
  readonly plain: readonly SeglogErrorCode[];
  /** Whether it may tell that the log, or the file of committed offsets, takes no more. */
  readonly poisoned: boolean;
}

const RETRYABLE = ["NO_SPACE", "TOO_MANY_OPEN_FILES"] as const;
const ANY = ["IO_ERROR", ...RETRYABLE] as const;
const change: Clause = { plain: RETRYABLE, poisoned: true };
const reading: Clause = { plain: ["IO_ERROR", "TOO_MANY_OPEN_FILES"], poisoned: false };

/**
 * The contract of `docs/errors.md` for each call. A change of an open log never says `IO_ERROR`:
 * either nothing happened and it can be tried again, or the log is poisoned. Reading is never
 * refused for that. The calls of a store open logs, with what opening may say, and bring committed
 * offsets back in doing so.
 */
const CONTRACT = {
  open: { plain: ANY, poisoned: false },
  append: change,
  flush: change,
  // It reads before it changes anything, and says what failed in that.
  truncateTo: { plain: ANY, poisoned: true },
  deleteBefore: change,
  read: reading,
  follow: reading,
  // A handle that cannot be closed is told, too; all the same everything is given back.
  close: { plain: ANY, poisoned: true },
  "open store": { plain: ANY, poisoned: true },
  "append to key": { plain: ANY, poisoned: true },
  "read key": { plain: ANY, poisoned: true },
  commit: { plain: ANY, poisoned: true },
  committed: { plain: ANY, poisoned: true },
  "flush store": change,
  deleteKey: { plain: ANY, poisoned: true },
} as const satisfies Record<string, Clause>;

/** A fault that befell an operation. */
export interface Hit {
  readonly operation: Operation;
  /** The calls that were in flight. */
  readonly during: readonly CallKind[];
}

/** Files whose loss costs time and nothing else, and those that hold a lock or a note for others. */
function isHint(path: string): boolean {
  return /\.(index|timeindex)$|\/published(\.tmp)?$|\/LOCK$/.test(path);
}

/**
 * Whether a log, or the file of committed offsets, may be given up for a fault: nobody knows what
 * the disk holds, or a change is half done.
 */
function poisons({ operation: { kind, path, fault }, during }: Hit): boolean {
  if (isHint(path) && kind !== "unlink") return false;
  if (fault?.errno === "EIO" || during.includes("truncateTo")) return true;
  // Content under a temporary name can be thrown away.
  if (kind === "datasync") return !path.endsWith(".tmp");
  return kind === "truncate" || kind === "syncDirectory";
}

/** What is wrong with the way in which a call failed; `undefined` if it is as promised. */
export function objection(
  call: CallKind,
  error: unknown,
  { code }: FaultKind,
  hits: { readonly sinceOpen: readonly Hit[]; readonly sinceCall: readonly Hit[] },
): string | undefined {
  const clause: Clause = CONTRACT[call];
  if (!(error instanceof SeglogError)) return `not a typed error: ${String(error)}`;
  if (error.code === "LOG_POISONED") {
    if (!clause.poisoned) return "LOG_POISONED is not for this call";
    const grounds = hits.sinceOpen.filter(poisons);
    if (grounds.some((hit) => isCausedBy(error, hit))) return undefined;
    return `poisoned without grounds: ${error.message}`;
  }
  if (!clause.plain.includes(error.code)) return `${error.code} is not for this call`;
  if (error.code !== code) return `${error.code} is not what befell it`;
  if (hits.sinceCall.some((hit) => isCausedBy(error, hit))) return undefined;
  return `${error.code}, but nothing befell it: ${error.message}`;
}

/** Whether a fault is the reason of an error, or the reason of its reason, and so on. */
export function isCausedBy(error: unknown, { operation }: Hit): boolean {
  for (let each = error; each instanceof Error; each = each.cause) {
    if (each === operation.failure) return true;
    // A write that makes no progress has no error of the system's to pass on.
    const isNoProgress = operation.fault?.shortBytes === 0 && operation.fault.errno === undefined;
    if (isNoProgress && each.message.startsWith(`Cannot write to ${operation.path}:`)) return true;
  }
  return false;
}

/** Whether somebody has to be told of a fault: it may not pass in silence. */
export function mustBeTold({ operation, during }: Hit): boolean {
  const { kind, path, fault } = operation;
  // How the log of a key that is being deleted closes is of no interest.
  if (during.includes("deleteKey")) return false;
  // The rest of a short write may have found room.
  if (fault?.errno === undefined) return false;
  // Without space for room, all goes on without.
  if (operation.isZeros === true && fault.errno !== "EIO") return false;
  if (/\/published(\.tmp)?$/.test(path)) return kind === "write";
  if (isHint(path) || path.endsWith(".tmp")) return false;
  return ["write", "truncate", "datasync", "rename", "syncDirectory", "unlink"].includes(kind);
}
