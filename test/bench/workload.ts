/** What a contender is given for one run. */
export interface Place {
  /** Empty, and removed after the run. */
  readonly directory: string;
  /** How much to do, of what a whole run does: a tiny run shows only that it works. */
  amount(full: number, multipleOf?: number): number;
}

/** One measured number of a run; which number it is, its {@link Workload} says. */
export type Measured = number;

/** Somebody who does the work of a workload. */
export interface Contender {
  readonly name: string;
  /** Packages that it needs, beside seglog's own. */
  readonly peer?: string;
  /**
   * Does the work once and checks that it is done right; what is not to be measured included.
   *
   * @throws Error if it stored or read something else than it should.
   */
  run(place: Place): Promise<Measured>;
}

/** What seglog is to reach in one run, as a ratio of its figure to another contender's. */
export interface Target {
  readonly contender: string;
  readonly over: string;
  /** For figures of which more is better. */
  readonly atLeast?: number;
  /** For figures of which less is better. */
  readonly atMost?: number;
}

/** The same work for several contenders. */
export interface Workload {
  /** For `--only`. */
  readonly name: string;
  readonly title: string;
  readonly unit: "records/s" | "reads/s" | "µs" | "ms";
  readonly contenders: readonly Contender[];
  readonly targets: readonly Target[];
}

/** Runs `work` and tells how many of `count` things it did in a second. */
export async function rateOf(count: number, work: () => unknown): Promise<Measured> {
  const startedAt = performance.now();
  await work();
  return (count * 1000) / (performance.now() - startedAt);
}

/** Runs callers that each begin the next call when theirs is answered, `count` calls in all. */
export async function closedLoop(
  count: number,
  callers: number,
  call: (index: number) => Promise<unknown>,
): Promise<void> {
  let next = 0;
  const caller = async () => {
    while (next < count) await call(next++);
  };
  await Promise.all(Array.from({ length: Math.min(callers, count) }, caller));
}
