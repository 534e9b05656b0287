import type { Run } from "./run.js";
import type { Target, Workload } from "./workload.js";

/** All runs of one contender. */
export interface ContenderResult {
  readonly name: string;
  readonly runs: readonly Run[];
  /** Why it did not run. */
  readonly missing: string | undefined;
}

export interface WorkloadResult {
  readonly workload: Workload;
  readonly contenders: readonly ContenderResult[];
}

/** Middle, least and greatest of some numbers. */
export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

/** @param values - At least one. */
export function spreadOf(values: readonly number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const median =
    sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
  return { median, min: sorted[0]!, max: sorted[sorted.length - 1]! };
}

/**
 * The ratio of two contenders, round by round, for the machine drifts: what was measured in the
 * same round was measured in the same minute. `undefined` if one of them did not run.
 */
export function ratioOf(
  { contenders }: WorkloadResult,
  name: string,
  over: string,
): Spread | undefined {
  const [one, other] = [name, over].map((each) =>
    contenders.find((contender) => contender.name === each),
  );
  const ratios = (one?.runs ?? []).flatMap(({ measured }, round) => {
    const reference = other?.runs[round]?.measured;
    return reference === undefined ? [] : [measured / reference];
  });
  return ratios.length === 0 ? undefined : spreadOf(ratios);
}

/** Whether a ratio is what a target asks for. */
export function isReached({ atLeast, atMost }: Target, { median }: Spread): boolean {
  return median >= (atLeast ?? 0) && median <= (atMost ?? Number.POSITIVE_INFINITY);
}
