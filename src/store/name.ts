import { SeglogError } from "../errors.js";
import { describe } from "../format/record-codec.js";

/** Longest name of a group or a producer, in UTF-8. */
const MAX_NAME_BYTES = 255;

/**
 * Checks a name that goes into the checkpoint file.
 *
 * @param what - Of what it is the name: "a group".
 * @throws TypeError, SeglogError `INVALID_KEY`.
 */
export function checkName(name: string, what: string): string {
  if (typeof name !== "string") {
    throw new TypeError(`The name of ${what} must be a string, not ${describe(name)}`);
  }
  const isValid = name !== "" && name.isWellFormed() && Buffer.byteLength(name) <= MAX_NAME_BYTES;
  if (isValid) return name;
  throw new SeglogError(
    "INVALID_KEY",
    `The name of ${what} must be well-formed text of 1 to ${MAX_NAME_BYTES} bytes, ` +
      `not ${describe(name)}`,
  );
}
