import type { PhaseResult } from "./phase.js";
import type { Counts } from "./store-model.js";
import type { Violation } from "./violation.js";

/** Violations of one cycle that are shown; damage often shows in every record. */
const SHOWN = 8;

/** Adds up what a phase comes to. */
export class Tally {
  readonly #counts: Counts = { acknowledged: 0, commits: 0, lostAsAllowed: 0 };
  readonly #violations: Violation[] = [];
  readonly #failures: string[] = [];
  readonly #notes: string[] = [];
  #cycles = 0;

  cycle(): void {
    this.#cycles++;
  }

  /** Adds the counts of a store that is not used any more. */
  add({ acknowledged, commits, lostAsAllowed }: Readonly<Counts>): void {
    this.#counts.acknowledged += acknowledged;
    this.#counts.commits += commits;
    this.#counts.lostAsAllowed += lostAsAllowed;
  }

  found(violations: readonly Violation[]): void {
    this.#violations.push(...violations);
  }

  /** Something that fails the phase. */
  fail(...reasons: string[]): void {
    this.#failures.push(...reasons);
  }

  note(text: string): void {
    this.#notes.push(text);
  }

  get hasFailed(): boolean {
    return this.#failures.length > 0;
  }

  get lostAsAllowed(): number {
    return this.#counts.lostAsAllowed;
  }

  count(kind: Violation["kind"]): number {
    return this.#violations.filter((violation) => violation.kind === kind).length;
  }

  result(): PhaseResult {
    return {
      cycles: this.#cycles,
      counts: this.#counts,
      violations: this.#violations,
      failures: this.#failures,
      notes: this.#notes,
    };
  }
}

/** The first few of many, as text. */
export function showViolations(violations: readonly Violation[]): string[] {
  const shown = violations.slice(0, SHOWN).map(({ kind, message }) => `${kind}: ${message}`);
  const more = violations.length - shown.length;
  return more > 0 ? [...shown, `and ${more} more`] : shown;
}
