import { join } from "node:path";
import type { Durability } from "../../src/index.js";
import { Random } from "../support/random.js";
import { unexpectedCodes } from "./codes.js";
import { awaitMoment, pickMoment } from "./death.js";
import type { Phase, PhaseContext, PhaseResult } from "./phase.js";
import { SCENARIOS } from "./scenario.js";
import { StoreHistory } from "./store-history.js";
import { showViolations, Tally } from "./tally.js";
import { VictimProcess } from "./victim-process.js";
import type { Violation } from "./violation.js";

/** Cycles after which a new store is begun: the judge reads all of it every time. */
const CYCLES_PER_STORE = 12;
const POLICIES: readonly Durability[] = ["always", "interval", "os"];

/** SIGKILL, at any moment: while it opens (and recovers from the last time), writes, or closes. */
export const killPhase: Phase = {
  name: "kill",
  purpose: "kill -9 of the writer at random moments, all policies; nothing acknowledged may go",
  cycles: 200,
  run,
};

async function run(context: PhaseContext): Promise<PhaseResult> {
  const random = new Random(context.seed);
  const tally = new Tally();
  while (tally.result().cycles < context.cycles && !tally.hasFailed) {
    const scenario = random.pick(SCENARIOS);
    const history = new StoreHistory(join(context.directory, "store"), scenario, random);
    await liveAndDie(history, context, random, tally);
    tally.add(history.counts);
    if (!tally.hasFailed) history.remove();
  }
  return tally.result();
}

async function liveAndDie(
  history: StoreHistory,
  context: PhaseContext,
  random: Random,
  tally: Tally,
): Promise<void> {
  for (let cycle = 1; cycle <= CYCLES_PER_STORE; cycle++) {
    const violations = await killOnce(history, random);
    tally.cycle();
    const { cycles } = tally.result();
    context.progress(cycles);
    const isLast = cycle === CYCLES_PER_STORE || cycles === context.cycles;
    // Else the next life finds what this one left, and its own death comes on top of that.
    if (isLast || !history.isCertain || random.next() < 0.6) {
      violations.push(...(await history.judge()));
      if (isLast && violations.length === 0) violations.push(...(await history.verify()));
    }
    if (violations.length > 0) {
      tally.found(violations);
      const journals = join(context.directory, "journals");
      history.keepJournals(journals);
      tally.fail(
        `cycle ${cycles}, ${history.scenario.name}: the store is in ${history.directory}, ` +
          `the journals are in ${journals}`,
        ...showViolations(violations),
      );
    }
    if (violations.length > 0 || cycles === context.cycles) return;
  }
}

async function killOnce(history: StoreHistory, random: Random): Promise<Violation[]> {
  const workload = history.nextLife(random.pick(POLICIES));
  const victim = new VictimProcess(workload);
  const moment = pickMoment(random);
  await awaitMoment(victim, moment, random);
  await victim.kill();
  history.lived(workload, victim, "process gone");
  const violations = unexpectedCodes(victim.journal, []);
  if (victim.exitCode === null || (victim.exitCode === 0 && moment === "closing"))
    return violations;
  const message = `the victim ended by itself with ${victim.exitCode}: ${victim.errors}`;
  return [...violations, { kind: "wrong", message }];
}
