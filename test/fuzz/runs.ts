import { seeds } from "../support/random.js";

/** One seed for the properties of a file; put it into a test's name, so that it is printed. */
export const [SEED = 0] = seeds(1);

/**
 * How often a property is tried, and from which seed. A failure prints the smallest case that
 * fast-check found; `SEGLOG_SEED=` with the seed in the test's name finds it again.
 *
 * @param usual - Tries in a usual run of the tests. `SEGLOG_FUZZ_RUNS`, a number, multiplies it.
 */
export function tries(usual: number): { readonly numRuns: number; readonly seed: number } {
  const times = Number(process.env.SEGLOG_FUZZ_RUNS ?? 1);
  return { numRuns: Math.ceil(usual * times), seed: SEED };
}

/** A time limit for a test that takes so many milliseconds in a usual run, with room to spare. */
export function timeLimit(usualMs: number): number {
  return Math.max(30_000, usualMs * 20 * Number(process.env.SEGLOG_FUZZ_RUNS ?? 1));
}
