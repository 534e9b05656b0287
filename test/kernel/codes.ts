import type { Entry, JournalLine } from "./journal.js";
import type { Violation } from "./violation.js";

/** Codes that the changes of a workload may meet at any time, such as a start that has moved. */
const USUAL = ["OFFSET_OUT_OF_RANGE", "none"];

/**
 * Finds errors in a journal that have no place there.
 *
 * @param allowed - Codes that what was done to the victim explains; `"any"` for every typed error.
 */
export function unexpectedCodes(
  journal: readonly JournalLine[],
  allowed: readonly string[] | "any",
): Violation[] {
  const isExpected = (code: string) =>
    allowed === "any"
      ? !code.startsWith("untyped")
      : USUAL.includes(code) || allowed.includes(code);
  return journal.flatMap(({ entry }) =>
    codesOf(entry)
      .filter((code) => !isExpected(code))
      .map(
        (code): Violation => ({ kind: "wrong", message: `${code} in ${JSON.stringify(entry)}` }),
      ),
  );
}

/** Whether something is lacking that may be there again later: then it is worth to try again. */
export function isLack(code: string): boolean {
  return code === "NO_SPACE" || code === "TOO_MANY_OPEN_FILES";
}

/** The error codes in an entry. */
function codesOf(entry: Entry): string[] {
  if (entry.type === "probed") return [entry.code, entry.appendCode];
  return "code" in entry && entry.code !== undefined ? [entry.code] : [];
}
