import type { NodeProgram } from "./cluster.js";
import { type SimulationOptions, type SimulationResult, simulate } from "./simulation.js";

/** Runs a program for about two seconds, with three nodes unless `options` says otherwise. */
export function shortRun(
  program: NodeProgram,
  seed: number,
  options: Partial<SimulationOptions> = {},
): Promise<SimulationResult> {
  return simulate({
    program,
    nodeCount: 3,
    partitions: false,
    nemesisIntervalMs: 300,
    latencyMs: 0,
    latencyDistribution: "exponential",
    rate: 1000,
    concurrency: 6,
    writesPerKey: 16,
    timeLimitMs: 2_000,
    recoveryMs: 0,
    // As long as it takes on a machine that has other things to do; it ends when all is there.
    finalMs: 20_000,
    clientTimeoutMs: 5_000,
    listsAfterCommit: false,
    seed,
    ...options,
  });
}
