import { CorruptionError, OffsetOutOfRangeError, SeglogError } from "../../errors.js";
import { MAX_ATTEMPTS } from "../directory/polling.js";
import type { LogView } from "../log-view.js";
import { TailMovedError } from "./tail-moved-error.js";

/**
 * Runs a read of `offset`. One that fails because a truncation or retention took the files away
 * under it is told so: that is no damage.
 */
export async function unlessOvertaken<T>(
  view: LogView,
  offset: number,
  read: () => Promise<T>,
): Promise<T> {
  const { epoch } = view;
  let hasLookedAgain = false;
  for (let attempt = 1; ; attempt++) {
    try {
      return await read();
    } catch (error) {
      if (error instanceof TailMovedError && attempt < MAX_ATTEMPTS) {
        await view.refresh();
        continue;
      }
      if (!(error instanceof CorruptionError)) throw error;
      if (view.tail !== undefined && !hasLookedAgain) {
        hasLookedAgain = true;
        // The journal's writer may have removed files of it: the segments have that by now.
        await view.refresh();
        continue;
      }
      throw (await view.overtaken(offset, epoch)) ?? error;
    }
  }
}

/** The error for a reader that meets another epoch than the one it began in. */
export function logTruncated(directory: string, before: number, now: number): SeglogError {
  return new SeglogError(
    "LOG_TRUNCATED",
    `${directory} went from epoch ${before} to ${now}: it was truncated, or lost records in a ` +
      "crash, so offsets may name other records than before. Compare what you have with the log, " +
      "then read on.",
  );
}

/** The answer of `LogView.overtaken`, from the bounds that hold now. */
export function judgeOvertaken(
  view: Pick<LogView, "directory" | "endOffset" | "epoch" | "startOffset">,
  offset: number,
  epoch: number,
): SeglogError | undefined {
  if (view.epoch !== epoch) return logTruncated(view.directory, epoch, view.epoch);
  if (offset >= view.startOffset) return undefined;
  return new OffsetOutOfRangeError(offset, view.startOffset, view.endOffset);
}
