import { ERROR_CODES, MaelstromError } from "./runtime/maelstrom-error.js";

/**
 * The error that is true of something whose parts ended differently, some of them with errors.
 *
 * @param done - How many of them were done.
 * @param errors - At least one.
 */
export function errorOfParts(done: number, errors: readonly MaelstromError[]): MaelstromError {
  const [first] = errors;
  if (first === undefined) throw new RangeError("There must be an error");
  const indefinite = errors.find(({ isDefinite }) => !isDefinite);
  if (indefinite !== undefined) return indefinite;
  if (done === 0) return first;
  return new MaelstromError("crash", `Done for some of the keys only: ${first.message}`);
}

/** Whether an error is of the moment: it says nothing about what was asked for, only about when. */
export function isUnavailable({ code }: MaelstromError): boolean {
  return code === ERROR_CODES.timeout || code === ERROR_CODES.temporarilyUnavailable;
}
