import { SeglogError, type SeglogErrorCode } from "../errors.js";

/** What may be gone when the same is tried again. */
const TRANSIENT: ReadonlySet<SeglogErrorCode> = new Set<SeglogErrorCode>([
  "IO_ERROR",
  "LIMIT_EXCEEDED",
  "LOG_POISONED",
  "NO_SPACE",
  "TIMEOUT",
  "TOO_MANY_OPEN_FILES",
  "UNAVAILABLE",
]);

/** What leaves open whether an append was stored. After any other failure it was not. */
const UNCERTAIN: ReadonlySet<SeglogErrorCode> = new Set<SeglogErrorCode>([
  "CORRUPTION",
  "IO_ERROR",
  "LOG_POISONED",
  "TIMEOUT",
  "UNAVAILABLE",
]);

/** Whether the server may do later what it refused, or did not answer, now. */
export function isTransient(error: unknown): boolean {
  return error instanceof SeglogError && TRANSIENT.has(error.code);
}

/** Whether an append that failed so may be stored all the same. */
export function isUncertain(error: unknown): boolean {
  return error instanceof SeglogError && UNCERTAIN.has(error.code);
}

/** Whether `error` is a `SeglogError` with this code. */
export function hasCode(error: unknown, code: SeglogErrorCode): boolean {
  return error instanceof SeglogError && error.code === code;
}
