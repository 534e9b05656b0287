import { fork } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { LoopDelay } from "./loop-delay.js";
import { isInstalled } from "./peers.js";
import { programPath } from "./program-path.js";
import type { Contender, Measured, Place, Workload } from "./workload.js";

/** How much of a whole run a tiny one does. */
const TINY = 1 / 1000;
/** What is done before the run that counts, so that the code is compiled when it begins. */
const WARM_UP = 1 / 4;

/** One run of one contender, in a process of its own. */
export interface Run {
  readonly measured: Measured;
  /**
   * How late the event loop came to its timers, p99 and at most, while what was measured ran, in
   * the contender's own process.
   */
  readonly delayP99Ms: number;
  readonly delayMaxMs: number;
}

/** Says why a contender cannot run here, if it cannot. */
export function missing({ peer, program }: Contender): string | undefined {
  if (peer !== undefined && !isInstalled(peer)) return `${peer} is not installed`;
  if (program !== undefined && programPath(program) === undefined) {
    return `${program} is not installed`;
  }
  return undefined;
}

/** Runs a contender once in this process, with as little as shows that it works. */
export function runTiny(contender: Contender, parent: string): Promise<Run> {
  return runIn(contender, parent, TINY);
}

/** Runs a contender in this process: first to warm up, then to be measured. */
export async function runHere(contender: Contender, parent: string): Promise<Run> {
  await runIn(contender, parent, WARM_UP);
  return runIn(contender, parent, 1);
}

async function runIn(contender: Contender, parent: string, share: number): Promise<Run> {
  const directory = mkdtempSync(join(parent, "seglog-bench-"));
  const delay = new LoopDelay();
  const place: Place = {
    directory,
    amount: (full, multipleOf = 1) =>
      Math.max(1, Math.ceil((full * share) / multipleOf)) * multipleOf,
    rate: async (count, work) => (count * 1000) / (await delay.during(work)),
    elapsed: (work) => delay.during(work),
  };
  try {
    const measured = await contender.run(place);
    return { measured, delayP99Ms: delay.p99Ms, delayMaxMs: delay.maxMs };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** What a child is told to run, by name. */
export interface Order {
  readonly workload: string;
  readonly contender: string;
  readonly parent: string;
}

/** Runs a contender in a process of its own, so that none finds what another one has left. */
export function runApart(
  program: string,
  workload: Workload,
  contender: Contender,
  parent: string,
): Promise<Run> {
  const order: Order = { workload: workload.name, contender: contender.name, parent };
  return new Promise((resolve, reject) => {
    const child = fork(program, ["--child", JSON.stringify(order)]);
    let run: Run | undefined;
    child.on("message", (message: Run) => {
      run = message;
    });
    child.once("error", reject);
    // Not "exit", which may come before the last message.
    child.once("close", (code, signal) => {
      if (run !== undefined && code === 0) resolve(run);
      else reject(new Error(`${workload.name}, ${contender.name}: ended with ${signal ?? code}`));
    });
  });
}
