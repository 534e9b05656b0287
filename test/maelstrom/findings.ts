import type { Operation } from "./history.js";
import type { Anomaly, AnomalyKind } from "./verdict.js";

/** What is known of one key. */
export class KeyFacts {
  /** What answers have said, and of several things the last one. */
  readonly messageAt = new Map<number, string>();
  readonly offsetOf = new Map<string, number>();
  readonly sentBy = new Map<string, Operation>();
  /** By message that was acknowledged, the offset that it was given. */
  readonly acknowledged = new Map<string, number>();
  readonly polled = new Set<string>();
  /** The highest offset that was polled; -1 for none. */
  polledTo = -1;
  /** All offsets at which there is a message, in their order. */
  offsets: readonly number[] = [];
}

/** What is known of all keys, and what is wrong with it. */
export class Findings {
  readonly anomalies: Anomaly[] = [];
  readonly #keys = new Map<string, KeyFacts>();

  /** What is known of a key. */
  of(key: string): KeyFacts {
    const facts = this.#keys.get(key) ?? new KeyFacts();
    this.#keys.set(key, facts);
    return facts;
  }

  get keys(): ReadonlyMap<string, KeyFacts> {
    return this.#keys;
  }

  report(kind: AnomalyKind, key: string, detail: string): void {
    this.anomalies.push({ kind, key, detail });
  }
}

/** The highest of the offsets that something holds by name; -1 where it holds none. */
export class HighWater {
  readonly #offsets = new Map<string, number>();

  at(...name: readonly string[]): number {
    return this.#offsets.get(JSON.stringify(name)) ?? -1;
  }

  raise(offset: number, ...name: readonly string[]): void {
    this.#offsets.set(JSON.stringify(name), Math.max(this.at(...name), offset));
  }
}
