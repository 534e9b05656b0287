/** What a log was found to hold. */
export interface FoundLog {
  readonly startOffset: number;
  readonly endOffset: number;
  readonly epoch: number;
  /** Of the offsets from `startOffset` to `endOffset`, exclusive. */
  readonly values: readonly string[];
}

/**
 * What came of something that was asked of a log. `refused`: told that it was not done, so it
 * counts only if a crash brings it back. `unknown`: failed without that being told. `rejected`, for
 * a `gap` or otherwise: it was judged, and nothing of it may ever be there by this step.
 */
export type Outcome = "pending" | "done" | "refused" | "unknown" | "rejected" | "gap";

interface Step {
  readonly kind: "append" | "truncate";
  readonly values: readonly string[];
  readonly offset: number;
  outcome: Outcome;
}

/** How far a history had come at one moment. */
export interface HistoryMark {
  /** Steps that were accepted by then. */
  readonly accepted: number;
  /** Steps up to the last one that was acknowledged. */
  readonly acknowledged: number;
  /** Steps up to the last one that a power cut must not undo. */
  readonly durable: number;
  /** What readers could see. */
  readonly endOffset: number;
  readonly epoch: number;
  readonly startIndex: number;
}

/**
 * The model of one log: what it held to begin with, and what was asked of it since, in order. After
 * a crash the log must be what some first part of these steps makes, and of that part all that was
 * acknowledged.
 */
export class LogHistory {
  readonly #base: FoundLog;
  readonly #steps: Step[] = [];
  /** Start offsets in the order in which they came to hold. */
  readonly #starts: number[];
  /** Start offsets that were asked for and may have come to hold. */
  readonly #startsInDoubt = new Set<number>();
  #acknowledged = 0;
  #durable = 0;
  #endOffset: number;
  #epoch: number;
  /** Whether a start that is not known may hold: retention was at work when something failed. */
  mayLoseOldest = false;

  constructor(base: FoundLog) {
    this.#base = base;
    this.#starts = [base.startOffset];
    this.#endOffset = base.endOffset;
    this.#epoch = base.epoch;
  }

  /** A batch is about to be appended. */
  append(values: readonly string[]): (outcome: Outcome) => void {
    return this.#step({ kind: "append", values, offset: 0, outcome: "pending" });
  }

  truncate(offset: number): (outcome: Outcome) => void {
    return this.#step({ kind: "truncate", values: [], offset, outcome: "pending" });
  }

  deleteBefore(offset: number): (outcome: Outcome) => void {
    this.#startsInDoubt.add(offset);
    return (outcome) => {
      if (outcome === "done") this.#startsInDoubt.delete(offset);
    };
  }

  /** What the log shows now. */
  observe(startOffset: number, endOffset: number, epoch: number): void {
    if (startOffset !== this.#starts.at(-1)) this.#starts.push(startOffset);
    this.#endOffset = endOffset;
    this.#epoch = epoch;
  }

  /** A sync of the active segment is done: all that was acknowledged by now is on stable storage. */
  syncDone(): void {
    this.hold(this.#acknowledged);
  }

  /** How many steps there are; given to {@link LogHistory.hold} when a flush of them is done. */
  get accepted(): number {
    return this.#steps.length;
  }

  /** The first `count` steps are on stable storage. */
  hold(count: number): void {
    this.#durable = Math.max(this.#durable, count);
  }

  mark(): HistoryMark {
    return {
      accepted: this.#steps.length,
      acknowledged: this.#acknowledged,
      durable: this.#durable,
      endOffset: this.#endOffset,
      epoch: this.#epoch,
      startIndex: this.#starts.length - 1,
    };
  }

  /**
   * Whether a log that was found after a crash may come of what was asked until `mark`.
   *
   * @param required - Steps that must have been done.
   * @param mustShow - Whether all that readers could see must be there.
   * @returns What is wrong, if anything is.
   */
  judge(
    found: FoundLog,
    mark: HistoryMark,
    required: number,
    mustShow: boolean,
  ): string | undefined {
    const start = this.#judgeStart(found, mark);
    if (start !== undefined) return start;
    if (new Set(found.values).size < found.values.length) {
      return `it has records twice: ${found.values.map((value) => value.slice(0, 12)).join(" ")}`;
    }
    if (found.values.length !== found.endOffset - found.startOffset) {
      return `it has ${found.values.length} records from ${found.startOffset} to ${found.endOffset}`;
    }
    if (found.epoch < mark.epoch) return `epoch ${found.epoch}, after ${mark.epoch}`;
    const isShorter = found.endOffset < mark.endOffset;
    if (isShorter && found.epoch === mark.epoch) {
      return `it ends at ${found.endOffset}, not ${mark.endOffset}, with the same epoch`;
    }
    const hasTruncation = this.#steps
      .slice(mark.acknowledged, mark.accepted)
      .some(({ kind }) => kind === "truncate");
    if (mustShow && isShorter && !hasTruncation) {
      return `readers saw records up to ${mark.endOffset}, now it ends at ${found.endOffset}`;
    }
    if (this.#explains(found, mark, required, 0, this.#base.values)) return undefined;
    return this.#describe(found, mark, required);
  }

  #judgeStart(found: FoundLog, mark: HistoryMark): string | undefined {
    const { startOffset } = found;
    const held = this.#starts[mark.startIndex]!;
    const next = this.#starts[mark.startIndex + 1];
    if (startOffset === held || startOffset === next) return undefined;
    if (startOffset > held && this.#startsInDoubt.has(startOffset)) return undefined;
    if (startOffset > held && this.mayLoseOldest) return undefined;
    return `it starts at ${startOffset}, not at ${held}${next === undefined ? "" : ` or ${next}`}`;
  }

  /** Whether some continuation from step `at` on makes `found`, with `values` made so far. */
  #explains(
    found: FoundLog,
    mark: HistoryMark,
    required: number,
    at: number,
    values: readonly string[],
  ): boolean {
    if (at >= required && this.#isSame(found, values)) return true;
    const step = at < mark.accepted ? this.#steps[at] : undefined;
    if (step === undefined) return false;
    if (step.outcome === "rejected" || step.outcome === "gap") {
      return this.#explains(found, mark, required, at + 1, values);
    }
    const after =
      step.kind === "append"
        ? [...values, ...step.values]
        : values.slice(0, step.offset - this.#base.startOffset);
    if (this.#explains(found, mark, required, at + 1, after)) return true;
    return step.outcome === "refused" && this.#explains(found, mark, required, at + 1, values);
  }

  #isSame(found: FoundLog, values: readonly string[]): boolean {
    const first = found.startOffset - this.#base.startOffset;
    if (found.endOffset !== this.#base.startOffset + values.length) return false;
    return found.values.every((value, index) => values[first + index] === value);
  }

  #describe(found: FoundLog, mark: HistoryMark, required: number): string {
    const steps = this.#steps.slice(0, mark.accepted).map((step, index) => {
      const what =
        step.kind === "append"
          ? step.values.map((value) => value.slice(0, 12)).join("+")
          : `truncate to ${step.offset}`;
      return `${index < required ? "!" : ""}${what} (${step.outcome})`;
    });
    const values = found.values.map((value) => value.slice(0, 12));
    return (
      `it holds ${found.startOffset}: [${values.join(" ")}], which no first part of these steps ` +
      `makes ("!" must be in it) from ${this.#base.startOffset}: ` +
      `[${this.#base.values.map((value) => value.slice(0, 12)).join(" ")}]:\n  ${steps.join("\n  ")}`
    );
  }

  #step(step: Step): (outcome: Outcome) => void {
    this.#steps.push(step);
    const number = this.#steps.length;
    return (outcome) => {
      step.outcome = outcome;
      if (outcome === "done") this.#acknowledged = Math.max(this.#acknowledged, number);
    };
  }
}
