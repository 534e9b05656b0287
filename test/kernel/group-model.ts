import type { Violation } from "./violation.js";

/** What a group has committed, by key. */
export type GroupState = ReadonlyMap<string, number>;

/** What may be committed for a group: one of the states that it went through. */
export class GroupModel {
  readonly #group: string;
  /**
   * In their order; the last ones may not have come to be. More than one state at a time where a
   * change may have happened or not.
   */
  #steps: (readonly GroupState[])[] = [[new Map()]];
  /** Index of the earliest step that a power cut may bring back. */
  #durable = 0;
  /** Index of the earliest step that there may be if only the process dies. */
  #held = 0;

  constructor(group: string) {
    this.#group = group;
  }

  /**
   * Adds a step.
   *
   * @param isCertain - Whether the change has happened.
   */
  change(apply: (state: GroupState) => GroupState, isCertain: boolean): void {
    const before = this.#steps[this.#steps.length - 1]!;
    const after = before.map(apply);
    this.#steps.push(distinct(isCertain ? after : [...before, ...after]));
  }

  /** The last step was acknowledged. */
  hold(isDurable: boolean): void {
    this.#held = this.#steps.length - 1;
    if (isDurable) this.#durable = this.#held;
  }

  /** The step with this index is durable. */
  flushed(index: number): void {
    this.#durable = Math.max(this.#durable, index);
  }

  /** Index of the last acknowledged step. */
  get held(): number {
    return this.#held;
  }

  powerCut(): void {
    this.#held = this.#durable;
  }

  /** The log of a key ends at `endOffset` after recovery, which brings back what is past it. */
  clamp(key: string, endOffset: number): void {
    this.#steps = this.#steps.map((states) =>
      states.map((state) => clamped(state, key, endOffset)),
    );
  }

  /**
   * Whether `observed` is a state that may be there, given where the logs end.
   *
   * @returns The index of the step, or what is wrong.
   */
  find(observed: GroupState, ends: ReadonlyMap<string, number>): number | Violation {
    for (let index = this.#steps.length - 1; index >= this.#held; index--) {
      const isThere = (state: GroupState) => isSame(atMost(state, ends), observed);
      if (this.#steps[index]!.some(isThere)) return index;
    }
    return this.#complaint(observed);
  }

  /** Goes on from what was read. */
  adopt(observed: GroupState, index: number): void {
    // What was brought back to the end of a log was brought back durably.
    const isClamped = !this.#steps[index]!.some((state) => isSame(state, observed));
    const earlier = isClamped ? [] : this.#steps.slice(this.#durable, index);
    this.#steps = [...earlier, [observed]];
    this.#durable = 0;
    this.#held = this.#steps.length - 1;
  }

  #complaint(observed: GroupState): Violation {
    const allowed = this.#steps.slice(this.#held);
    const isBehind = allowed[0]!.every((state) =>
      [...state].some(([key, next]) => (observed.get(key) ?? -1) < next),
    );
    const shown = distinct(allowed.flat()).slice(-5).map(show).join(" or ");
    const message = `group ${JSON.stringify(this.#group)}: ${show(observed)}, not ${shown}`;
    return { kind: isBehind ? "lost" : "made up", message };
  }
}

/** `state` with the offset of `key` brought back to `endOffset` if it lies past it. */
export function clamped(state: GroupState, key: string, endOffset: number): GroupState {
  const next = state.get(key);
  return next === undefined || next <= endOffset ? state : new Map(state).set(key, endOffset);
}

function distinct(states: readonly GroupState[]): GroupState[] {
  return states.filter((state, index) => states.findIndex((each) => isSame(each, state)) === index);
}

function atMost(state: GroupState, ends: ReadonlyMap<string, number>) {
  return new Map([...state].map(([key, next]) => [key, Math.min(next, ends.get(key) ?? next)]));
}

function isSame(one: GroupState, other: GroupState): boolean {
  return one.size === other.size && [...one].every(([key, next]) => other.get(key) === next);
}

function show(state: GroupState): string {
  return JSON.stringify([...state]);
}
