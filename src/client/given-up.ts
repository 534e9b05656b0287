import { SeglogError } from "../errors.js";
import { isUncertain } from "./failures.js";
import type { OutgoingBatch } from "./outgoing-batch.js";

/** Of a batch that may be stored: any other code would say that it is not. */
export function leftOpen(failure: Error): SeglogError {
  if (isUncertain(failure)) return failure as SeglogError;
  return new SeglogError(
    "UNAVAILABLE",
    `An earlier attempt may have stored the records; the latest one failed: ${failure.message}`,
    { cause: failure },
  );
}

/** Of a batch that was sent behind one of those. */
export function followed(failure: Error): SeglogError {
  return new SeglogError(
    "UNAVAILABLE",
    "A record before this one was given up, and the outcome of both is not known: each may be " +
      "stored or not.",
    { cause: failure },
  );
}

/** Of a batch whose time is up. @param failure - Of its latest attempt, or the latest of all. */
export function expiryOf(
  batch: OutgoingBatch,
  failure: Error | undefined,
  mayBeStored: boolean,
): SeglogError {
  const options = failure === undefined ? {} : { cause: failure };
  const last = failure === undefined ? "" : ` The latest failure: ${failure.message}`;
  if (mayBeStored) {
    const text = `The server did not confirm records for ${JSON.stringify(batch.key)} in time.`;
    return new SeglogError("TIMEOUT", `${text} They may be stored or not.${last}`, options);
  }
  const code = failure instanceof SeglogError ? failure.code : "TIMEOUT";
  const text = `Records for ${JSON.stringify(batch.key)} could not be delivered in time.`;
  return new SeglogError(code, `${text} They are not stored.${last}`, options);
}
