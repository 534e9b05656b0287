import { SeglogError } from "../../errors.js";

/** What was looked for in the journal is in the log's segments by now: look there. */
export class TailMovedError extends SeglogError {
  constructor(options?: ErrorOptions) {
    super(
      "IO_ERROR",
      "The end of the log has moved since it was looked at last. Call refresh(), then read again.",
      options,
    );
  }
}
