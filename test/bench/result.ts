import type { Run } from "./run.js";
import { isLessBetter } from "./unit.js";
import type { Workload } from "./workload.js";

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
 * How many times as good one contender is as another, so that above 1 it is the better one whatever
 * the unit. Taken round by round, for the machine drifts: what was measured in the same round was
 * measured in the same minute. `undefined` if one of them did not run, or a figure is 0.
 */
export function ratioOf(
  { workload, contenders }: WorkloadResult,
  name: string,
  over: string,
): Spread | undefined {
  const [one, other] = [name, over].map((each) =>
    contenders.find((contender) => contender.name === each),
  );
  const ratios = (one?.runs ?? []).flatMap(({ measured }, round) => {
    const reference = other?.runs[round]?.measured;
    if (reference === undefined) return [];
    return [isLessBetter(workload.unit) ? reference / measured : measured / reference];
  });
  const isMeasured =
    ratios.length > 0 && ratios.every((ratio) => Number.isFinite(ratio) && ratio > 0);
  return isMeasured ? spreadOf(ratios) : undefined;
}
