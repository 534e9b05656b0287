import { SeglogError, type SeglogErrorCode } from "../index.js";
import { asMaelstromError, type ErrorKind, MaelstromError } from "./runtime/maelstrom-error.js";

/**
 * The errors of a store that say for certain that nothing has happened. All others become `crash`,
 * which leaves open whether a message was stored.
 */
const DEFINITE: Partial<Record<SeglogErrorCode, ErrorKind>> = {
  NO_SPACE: "temporarilyUnavailable",
  TOO_MANY_OPEN_FILES: "temporarilyUnavailable",
  INVALID_KEY: "malformedRequest",
  OFFSET_OUT_OF_RANGE: "malformedRequest",
  RECORD_TOO_LARGE: "malformedRequest",
  KEY_NOT_FOUND: "keyDoesNotExist",
};

/** What the sender of a request is told when handling it failed with `error`. */
export function toMaelstromError(error: unknown): MaelstromError {
  if (error instanceof SeglogError) {
    const text = `${error.code}: ${error.message}`;
    return new MaelstromError(DEFINITE[error.code] ?? "crash", text, { cause: error });
  }
  return asMaelstromError(error);
}
