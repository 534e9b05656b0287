import type { Outcome } from "./log-history.js";

interface Change {
  readonly kind: "advance" | "set" | "clamp";
  readonly next: number;
  outcome: Outcome;
}

/** How far the commits of one group and key had come at one moment. */
export interface CommitMark {
  readonly accepted: number;
  readonly acknowledged: number;
  readonly durable: number;
  /** Changes up to the last clamp that was done: it holds whatever else is lost. */
  readonly clamped: number;
}

/** The model of what one group has committed of one key, with all its changes, in order. */
export class CommitHistory {
  readonly #base: number | undefined;
  readonly #changes: Change[] = [];
  #acknowledged = 0;
  #durable = 0;
  #clamped = 0;

  constructor(base: number | undefined) {
    this.#base = base;
  }

  commit(next: number): (outcome: Outcome) => void {
    return this.#change({ kind: "advance", next, outcome: "pending" });
  }

  seek(next: number): (outcome: Outcome) => void {
    return this.#change({ kind: "set", next, outcome: "pending" });
  }

  /**
   * The log is about to end at `next`. When that is done, no offset past it may ever come back,
   * whatever the policy: the log gives those offsets out again.
   */
  clamp(next: number): (outcome: Outcome) => void {
    const settle = this.#change({ kind: "clamp", next, outcome: "pending" });
    const number = this.#changes.length;
    return (outcome) => {
      settle(outcome);
      if (outcome === "done") this.#clamped = Math.max(this.#clamped, number);
    };
  }

  /** The first `count` changes are on stable storage. */
  hold(count: number): void {
    this.#durable = Math.max(this.#durable, count);
  }

  mark(): CommitMark {
    const { length: accepted } = this.#changes;
    return {
      accepted,
      acknowledged: this.#acknowledged,
      durable: this.#durable,
      clamped: this.#clamped,
    };
  }

  /**
   * Whether an offset that was found after a crash may come of what was committed until `mark`.
   *
   * @param required - Changes that must have been done.
   * @param endOffset - Of the log; nothing is committed past it.
   * @returns What is wrong, if anything is.
   */
  judge(
    found: number | undefined,
    mark: CommitMark,
    required: number,
    endOffset: number,
  ): string | undefined {
    const allowed = this.#allowed(mark, required, endOffset);
    if (allowed.has(found)) return undefined;
    return `${found} is committed, not one of ${[...allowed].join(", ")}`;
  }

  /** The history of a store that was opened again: what was found, and what may yet come of it. */
  after(
    found: number | undefined,
    mark: CommitMark,
    required: number,
    endOffset: number,
  ): CommitHistory {
    const history = new CommitHistory(this.#base);
    // The first place at which it is as found: what is behind it may be lost without a trace.
    const at = this.#values(mark).findIndex(
      (values, index) => index >= required && has(values, found, endOffset),
    );
    for (const change of this.#changes.slice(0, at)) history.#changes.push({ ...change });
    history.#acknowledged = at;
    history.#durable = Math.min(mark.durable, at);
    history.#clamped = Math.min(mark.clamped, at);
    // Opening the log has brought back what lay past its end.
    history.clamp(endOffset)("done");
    return history;
  }

  #allowed(mark: CommitMark, required: number, endOffset: number): Set<number | undefined> {
    const allowed = new Set<number | undefined>();
    for (const values of this.#values(mark).slice(required)) {
      for (const value of values) allowed.add(clamped(value, endOffset));
    }
    return allowed;
  }

  /** The offsets that may hold if all but the first so many changes are lost, for each number. */
  #values({ accepted, clamped }: CommitMark): Set<number | undefined>[] {
    let values = new Set([this.#base]);
    const all = [values];
    for (const change of this.#changes.slice(0, accepted)) {
      const after = new Set<number | undefined>();
      for (const value of values) {
        after.add(changed(value, change));
        // Told that it was not done: it counts only if a crash brings it back.
        if (change.outcome === "refused") after.add(value);
      }
      values = after;
      all.push(values);
    }
    const clamps = [...this.#changes.slice(0, clamped).entries()].filter(
      ([, { kind, outcome }]) => kind === "clamp" && outcome === "done",
    );
    return all.map((each, count) => {
      const later = clamps.filter(([index]) => index >= count).map(([, change]) => change);
      return new Set([...each].map((value) => later.reduce(changed, value)));
    });
  }

  #change(change: Change): (outcome: Outcome) => void {
    this.#changes.push(change);
    const number = this.#changes.length;
    return (outcome) => {
      change.outcome = outcome;
      if (outcome === "done") this.#acknowledged = Math.max(this.#acknowledged, number);
    };
  }
}

function changed(value: number | undefined, { kind, next }: Change): number | undefined {
  if (kind === "set") return next;
  if (kind === "advance") return Math.max(value ?? 0, next);
  return clamped(value, next);
}

function clamped(value: number | undefined, endOffset: number): number | undefined {
  return value === undefined ? undefined : Math.min(value, endOffset);
}

function has(
  values: ReadonlySet<number | undefined>,
  found: number | undefined,
  endOffset: number,
): boolean {
  return [...values].some((value) => clamped(value, endOffset) === found);
}
