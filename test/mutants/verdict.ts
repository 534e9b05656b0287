import type { Mutant } from "./mutant.js";
import { isNotice, type Report } from "./report.js";

/** What became of a bug. */
export type Verdict =
  | { readonly isCaught: true; readonly test: string; readonly how: string }
  | { readonly isCaught: false; readonly reason: string };

/**
 * Why a suite cannot judge a bug, as a clause: it fails without one, or runs no test. `undefined`
 * if it can.
 */
export function flawOfBaseline({ tests, fileErrors }: Report): string | undefined {
  if (fileErrors.length > 0) return fileErrors[0];
  const failed = tests.find(({ state }) => state === "failed");
  if (failed !== undefined) {
    return `${failed.id} fails without a bug: ${failed.failures[0]?.message}`;
  }
  return tests.some(({ state }) => state === "passed") ? undefined : "it runs no test";
}

/**
 * Whether a suite has caught a bug: a test that passes without it notices something.
 *
 * @param wasLoaded - Whether the module with the bug was evaluated.
 * @param baseline - What the suite reports without the bug.
 */
export function judge(
  { tests, fileErrors }: Report,
  { hangs }: Pick<Mutant, "hangs">,
  wasLoaded: boolean,
  baseline: Report,
): Verdict {
  const missed = (reason: string): Verdict => ({ isCaught: false, reason });
  if (fileErrors.length > 0) return missed(`it cannot be run: ${fileErrors[0]}`);
  if (!wasLoaded) return missed("no test loads the module with the bug");
  if (tests.every(({ state }) => state === "skipped")) return missed("none of its tests is run");
  const passing = new Set(
    baseline.tests.flatMap(({ id, state }) => (state === "passed" ? [id] : [])),
  );
  let accident: string | undefined;
  for (const { id, state, failures } of tests) {
    if (state !== "failed") continue;
    if (!passing.has(id)) return missed(`${id} does not run without the bug`);
    const [failure] = failures;
    const how = `${failure?.name}: ${failure?.message.split("\n")[0]}`;
    if (failures.some((each) => isNotice(each, hangs ?? false)))
      return { isCaught: true, test: id, how };
    accident ??= `${id}: ${how}`;
  }
  return missed(
    accident === undefined ? "no test fails" : `tests fail, but only by accident: ${accident}`,
  );
}
