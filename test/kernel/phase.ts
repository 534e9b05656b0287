import type { Counts } from "./store-model.js";
import type { Violation } from "./violation.js";

/** What a phase is given. */
export interface PhaseContext {
  readonly seed: number;
  readonly cycles: number;
  /** A directory for its stores and images. */
  readonly directory: string;
  /** Shows how far it is. */
  progress(done: number): void;
}

/** How a phase went. */
export interface PhaseResult {
  readonly cycles: number;
  readonly counts: Readonly<Counts>;
  /** What the judge found: none, except in a control. */
  readonly violations: readonly Violation[];
  /** Why the phase has failed, a sentence each. */
  readonly failures: readonly string[];
  /** What else is worth knowing. */
  readonly notes: readonly string[];
}

/** A way to make a store's writer die, over and over. */
export interface Phase {
  readonly name: string;
  /** One sentence for the person who waits. */
  readonly purpose: string;
  /** How many cycles by default. */
  readonly cycles: number;
  run(context: PhaseContext): Promise<PhaseResult>;
}
