import type { Random } from "../random.js";

/** How latencies are spread around their mean, as Maelstrom's `--latency-dist` has it. */
export const LATENCY_DISTRIBUTIONS = ["constant", "uniform", "exponential"] as const;

export type LatencyDistribution = (typeof LATENCY_DISTRIBUTIONS)[number];

/** Draws the latency of one message, in whole milliseconds. */
export function drawLatencyMs(
  meanMs: number,
  distribution: LatencyDistribution,
  random: Random,
): number {
  if (distribution === "constant") return meanMs;
  if (distribution === "uniform") return random.below(2 * meanMs);
  return Math.floor(-meanMs * Math.log(1 - random.next()));
}
