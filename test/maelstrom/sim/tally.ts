/** What became of a request: answered, refused for certain, or nobody knows. */
export type Outcome = "ok" | "failed" | "unknown";

/** What became of the requests of one type. */
export interface Outcomes {
  ok: number;
  failed: number;
  unknown: number;
  /** Of those that were not answered well, the ones that no partition was in the way of. */
  unexcused: number;
  /** How long those that were answered well took, in ms, in the order in which they ended. */
  readonly latenciesMs: number[];
}

/** Counts what clients did and what became of it. */
export class Tally {
  readonly #byType = new Map<string, Outcomes>();
  /** Requests that were made so far. */
  requests = 0;
  /** Keys that polls have asked for so far, and how many polls that were. */
  polledKeys = 0;
  polls = 0;
  /** What Maelstrom calls operations: sends, assignments, crashes, and polls with their commits. */
  operations = 0;

  /** By type of request. */
  get byType(): ReadonlyMap<string, Outcomes> {
    return this.#byType;
  }

  /** @param excused - Whether a partition was there while the request was under way. */
  record(type: string, outcome: Outcome, latencyMs: number, excused: boolean): void {
    const outcomes = this.#byType.get(type) ?? {
      ok: 0,
      failed: 0,
      unknown: 0,
      unexcused: 0,
      latenciesMs: [],
    };
    this.#byType.set(type, outcomes);
    outcomes[outcome]++;
    if (outcome === "ok") outcomes.latenciesMs.push(latencyMs);
    else if (!excused) outcomes.unexcused++;
  }
}
