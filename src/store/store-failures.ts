import { SeglogError } from "../errors.js";
import { describe } from "../format/record-codec.js";

/** For whoever comes after the close of a store, or waits for something when it is closed. */
export function storeClosed(directory: string): SeglogError {
  return new SeglogError("CLOSED", `${directory} is closed. Open it again.`);
}

/** For what a store that is open for reading only does not do. */
export function storeReadOnly(directory: string): SeglogError {
  return new SeglogError(
    "READ_ONLY",
    `${directory} is open for reading only. Open it without { readOnly: true }.`,
  );
}

/** For what needs a key, and makes none. */
export function noKey(directory: string, key: string): SeglogError {
  return new SeglogError("KEY_NOT_FOUND", `${directory} has no key ${describe(key)}.`);
}
