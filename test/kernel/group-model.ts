import type { Violation } from "./violation.js";

/** What may be committed for a group: one of the states that it went through. */
export class GroupModel {
  readonly #group: string;
  /** In their order; the last ones may not have come to be. */
  #states: ReadonlyMap<string, number>[] = [new Map()];
  /** Index of the earliest state that a power cut may bring back. */
  #durable = 0;
  /** Index of the earliest state that there may be if only the process dies. */
  #held = 0;

  constructor(group: string) {
    this.#group = group;
  }

  /** The last state that is known of. */
  get latest(): ReadonlyMap<string, number> {
    return this.#states[this.#states.length - 1]!;
  }

  /** Adds a state: what the offsets are after a change. */
  change(state: ReadonlyMap<string, number>): void {
    this.#states.push(state);
  }

  /** The last state was acknowledged. */
  hold(isDurable: boolean): void {
    this.#held = this.#states.length - 1;
    if (isDurable) this.#durable = this.#held;
  }

  /** Marks the last acknowledged state as durable. */
  flushed(index: number): void {
    this.#durable = Math.max(this.#durable, index);
  }

  /** Index of the last acknowledged state. */
  get held(): number {
    return this.#held;
  }

  powerCut(): void {
    this.#held = this.#durable;
  }

  /** The log of a key ends at `endOffset` after recovery, which brings back what is past it. */
  clamp(key: string, endOffset: number): void {
    this.#states = this.#states.map((state) => clamped(state, key, endOffset));
  }

  /**
   * Whether `observed` is a state that may be there, given where the logs end.
   *
   * @returns The index of the state, or what is wrong.
   */
  find(observed: ReadonlyMap<string, number>, ends: ReadonlyMap<string, number>) {
    for (let index = this.#states.length - 1; index >= this.#held; index--) {
      if (isSame(atMost(this.#states[index]!, ends), observed)) return index;
    }
    return this.#complaint(observed);
  }

  /** Goes on from what was read. */
  adopt(observed: ReadonlyMap<string, number>, index: number): void {
    // What was brought back to the end of a log was brought back durably.
    const isClamped = !isSame(this.#states[index]!, observed);
    this.#states = isClamped ? [observed] : this.#states.slice(this.#durable, index + 1);
    this.#durable = 0;
    this.#held = this.#states.length - 1;
  }

  #complaint(observed: ReadonlyMap<string, number>): Violation {
    const held = this.#states[this.#held]!;
    const isBehind = [...held].some(([key, next]) => (observed.get(key) ?? -1) < next);
    const allowed = this.#states.slice(this.#held).map(show).slice(-5).join(" or ");
    const message = `group ${JSON.stringify(this.#group)}: ${show(observed)}, not ${allowed}`;
    return { kind: isBehind ? "lost" : "made up", message };
  }
}

/** `state` with the offset of `key` brought back to `endOffset` if it lies past it. */
export function clamped(
  state: ReadonlyMap<string, number>,
  key: string,
  endOffset: number,
): ReadonlyMap<string, number> {
  const next = state.get(key);
  return next === undefined || next <= endOffset ? state : new Map(state).set(key, endOffset);
}

function atMost(state: ReadonlyMap<string, number>, ends: ReadonlyMap<string, number>) {
  return new Map([...state].map(([key, next]) => [key, Math.min(next, ends.get(key) ?? next)]));
}

function isSame(one: ReadonlyMap<string, number>, other: ReadonlyMap<string, number>): boolean {
  return one.size === other.size && [...one].every(([key, next]) => other.get(key) === next);
}

function show(state: ReadonlyMap<string, number>): string {
  return JSON.stringify([...state]);
}
