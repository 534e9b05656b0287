import type { Target } from "./target.js";
import type { Unit } from "./unit.js";

/** What a contender is given for one run. */
export interface Place {
  /** Empty, and removed after the run. */
  readonly directory: string;
  /** How much to do, of what a whole run does: a tiny run shows only that it works. */
  amount(full: number, multipleOf?: number): number;
  /** Runs `work`, which is measured, and tells how many of `count` things it did in a second. */
  rate(count: number, work: () => unknown): Promise<Measured>;
  /** Runs `work`, which is measured, and tells how many milliseconds it took. */
  elapsed(work: () => unknown): Promise<Measured>;
}

/** One measured number of a run; which number it is, its {@link Workload} says. */
export type Measured = number;

/** Whether somebody is what is measured, what bounds it, or what one would pick instead. */
export type ContenderKind = "seglog" | "limit" | "peer";

/** Somebody who does the work of a workload. */
export interface Contender {
  readonly name: string;
  readonly kind: ContenderKind;
  /** The package, or module of Node's, that a peer is. */
  readonly peer?: string;
  /** A program of the system that it needs beside that. */
  readonly program?: string;
  /**
   * Does the work once and checks that it is done right; what is not to be measured included.
   *
   * @throws Error if it stored or read something else than it should.
   */
  run(place: Place): Promise<Measured>;
}

/** The same work for several contenders. */
export interface Workload {
  /** For `--only`. */
  readonly name: string;
  readonly title: string;
  readonly unit: Unit;
  /** Whether it waits for stable storage, so that it says nothing where there is none. */
  readonly isSynced?: boolean;
  readonly contenders: readonly Contender[];
  readonly targets: readonly Target[];
}
