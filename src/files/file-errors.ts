import { SeglogError, type SeglogErrorCode } from "../errors.js";

interface Meaning {
  readonly code: SeglogErrorCode;
  readonly advice: string;
}

const NO_SPACE: Meaning = {
  code: "NO_SPACE",
  advice: "Make room, or raise the quota or the limit on file sizes, then try again.",
};
const NO_ACCESS: Meaning = {
  code: "FILE_ACCESS",
  advice: "Give this user access, or open with { readOnly: true } if reading is enough.",
};
const NOT_A_FILE: Meaning = {
  code: "UNSAFE_PATH",
  advice: "A file belongs there. Put the real one in its place.",
};
const NOT_THERE: Meaning = { code: "IO_ERROR", advice: "Check the path: there is no such file." };
const TOO_MANY: Meaning = {
  code: "TOO_MANY_OPEN_FILES",
  advice: "Lower maxOpenFiles, or raise the process's limit on open files (ulimit -n).",
};

/** The one place that knows what the operating system's error codes mean for a log. */
const MEANINGS: ReadonlyMap<string, Meaning> = new Map([
  ["ENOSPC", NO_SPACE],
  ["EDQUOT", NO_SPACE],
  ["EFBIG", NO_SPACE],
  ["EACCES", NO_ACCESS],
  ["EPERM", NO_ACCESS],
  ["EROFS", NO_ACCESS],
  ["EMFILE", TOO_MANY],
  ["ENFILE", TOO_MANY],
  ["ENOENT", NOT_THERE],
  ["EISDIR", NOT_A_FILE],
  ["ENXIO", NOT_A_FILE],
  [
    "ELOOP",
    { code: "UNSAFE_PATH", advice: "Symbolic links inside of a data directory are refused." },
  ],
]);

const OTHER: Meaning = {
  code: "IO_ERROR",
  advice: "See the cause, and the state of the disk.",
};

/**
 * Turns an error of the operating system into a `SeglogError` that has it as its cause.
 *
 * @param action - What was tried, as in "write to".
 */
export function systemFailure(error: unknown, action: string, path: string): SeglogError {
  const cause = error as NodeJS.ErrnoException;
  const { code, advice } = MEANINGS.get(cause.code ?? "") ?? OTHER;
  return new SeglogError(
    code,
    `Cannot ${action} ${path}: ${cause.code ?? cause.message}. ${advice}`,
    { cause },
  );
}

/** Whether `error` came from a system call that failed with `systemCode`, such as "ENOENT". */
export function hasSystemCode(error: unknown, systemCode: string): boolean {
  if (!(error instanceof SeglogError)) return false;
  const cause = error.cause as NodeJS.ErrnoException | undefined;
  return cause?.code === systemCode;
}

/** Whether a file or directory was not there. */
export function isMissing(error: unknown): boolean {
  return hasSystemCode(error, "ENOENT");
}

/** Whether there was no handle to open something with; then nothing of it was done. */
export function isHandleShortage(error: unknown): boolean {
  return error instanceof SeglogError && error.code === "TOO_MANY_OPEN_FILES";
}

/** The file system took fewer bytes than it was given and gave no reason: it is full. */
export function noProgress(path: string): SeglogError {
  return new SeglogError("NO_SPACE", `Cannot write to ${path}: no progress. ${NO_SPACE.advice}`);
}
