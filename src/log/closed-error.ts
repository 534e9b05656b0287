import { SeglogError } from "../errors.js";

/** What everything fails with that is asked of a log after it was closed. */
export function closedError(directory: string): SeglogError {
  return new SeglogError("CLOSED", `${directory} is closed. Open it again.`);
}
