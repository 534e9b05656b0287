import type { Durability, StoreOptions } from "../../src/index.js";
import type { ValueShape } from "./values.js";

/**
 * What happens to a key besides appends. One actor of the victim does it, one step after the other,
 * and commits for a group of its own, so that the order of these steps is known.
 *
 * - `plain`: nothing; groups commit several of these keys together.
 * - `truncated`: `truncateTo`, `seek` and `commit` beside concurrent appends.
 * - `trimmed`: `deleteBefore` and `commit` beside concurrent appends.
 * - `deleted`: the actor itself appends, commits, deletes the key, and makes it anew.
 */
export type Role = "plain" | "truncated" | "trimmed" | "deleted";

/** A key of a workload. */
export interface KeyPlan {
  readonly key: string;
  readonly role: Role;
  /** How many appenders write to it at the same time. */
  readonly appenders: number;
}

/** All that one life of the victim does; goes to it as JSON. */
export interface Workload {
  readonly directory: string;
  /** Counts the processes that have written to a store, from 1. Part of every value. */
  readonly life: number;
  readonly durability: Durability;
  readonly options: Omit<StoreOptions, "onError" | "durability">;
  readonly shape: ValueShape;
  readonly keys: readonly KeyPlan[];
  /** How many operations of an appender may be on their way at the same time. */
  readonly window: number;
  /** Groups that commit offsets of the plain keys. */
  readonly groups: readonly string[];
  /** Whether it opens every log, and reports its bounds, before it does anything else. */
  readonly greets: boolean;
}

/** Appends the single record by which the victim tries a log that has just failed. */
export const PROBE_APPENDER = 1000;

/** The group that the actor of a key commits for. */
export function ownGroup(key: string): string {
  return `own of ${key}`;
}
