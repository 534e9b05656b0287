import { ratioOf, type Spread, spreadOf, type WorkloadResult } from "./result.js";
import type { Unit } from "./unit.js";

/** What seglog is to reach in one run. */
export type Target = RatioTarget | FigureTarget | DelayTarget;

/** How many times as good as another contender's its figure is to be. */
export interface RatioTarget {
  readonly contender: string;
  readonly over: string;
  readonly atLeast: number;
}

/** A bound on its own figure, in the workload's unit. */
export interface FigureTarget {
  readonly contender: string;
  readonly atLeast?: number;
  readonly atMost?: number;
}

/** A bound on the p99 of how late the event loop comes to its timers meanwhile. */
export interface DelayTarget {
  readonly contender: string;
  readonly delayAtMostMs: number;
}

/** What a run came to, beside a target. */
export interface Verdict {
  readonly found: Spread;
  readonly isReached: boolean;
}

/** Judges a target by the middle of all rounds; `undefined` if that was not measured. */
export function judge(result: WorkloadResult, target: Target): Verdict | undefined {
  const found = find(result, target);
  if (found === undefined) return undefined;
  const { atLeast, atMost } = boundsOf(target);
  return { found, isReached: found.median >= atLeast && found.median <= atMost };
}

/** A target in words, and the unit of what it bounds; a ratio has none. */
export function describeTarget(target: Target, unit: Unit): { text: string; unit: string } {
  const { contender } = target;
  if ("over" in target) {
    const text = `${contender} / ${target.over} at least ${target.atLeast.toFixed(2)}`;
    return { text, unit: "x" };
  }
  if ("delayAtMostMs" in target) {
    return { text: `${contender}, loop p99 at most ${target.delayAtMostMs} ms`, unit: " ms" };
  }
  const { atLeast, atMost } = target;
  const bound = atMost === undefined ? `at least ${atLeast}` : `at most ${atMost}`;
  return { text: `${contender} ${bound} ${unit}`, unit: ` ${unit}` };
}

function find(result: WorkloadResult, target: Target): Spread | undefined {
  if ("over" in target) return ratioOf(result, target.contender, target.over);
  const { runs } = result.contenders.find(({ name }) => name === target.contender)!;
  if (runs.length === 0) return undefined;
  return spreadOf(
    runs.map(({ measured, delayP99Ms }) => ("delayAtMostMs" in target ? delayP99Ms : measured)),
  );
}

function boundsOf(target: Target): { atLeast: number; atMost: number } {
  if ("delayAtMostMs" in target) return { atLeast: 0, atMost: target.delayAtMostMs };
  const atMost = "over" in target ? undefined : target.atMost;
  return { atLeast: target.atLeast ?? 0, atMost: atMost ?? Number.POSITIVE_INFINITY };
}
