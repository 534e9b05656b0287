import { join } from "node:path";
import { Random } from "../support/random.js";
import { unexpectedCodes } from "./codes.js";
import { command } from "./command.js";
import { poisonedByLack, roomAgain } from "./fault-checks.js";
import type { Phase, PhaseContext, PhaseResult } from "./phase.js";
import { awaitLack, awaitRoom } from "./room.js";
import { SCENARIOS, type Scenario } from "./scenario.js";
import { StoreHistory } from "./store-history.js";
import { showViolations, Tally } from "./tally.js";
import { VictimProcess } from "./victim-process.js";
import type { Violation } from "./violation.js";

/** A limit of a process that is met, and raised while the process runs. */
interface Limit {
  readonly name: string;
  readonly scenario: Scenario;
  /** The options of prlimit that set the soft limit alone. */
  readonly tight: string;
  readonly wide: string;
  readonly code: string;
}

const KIB = 1024;

const LIMITS: readonly Limit[] = [
  {
    name: "the length of files",
    scenario: { ...SCENARIOS[0]!, options: {} },
    // A write across it is cut short without an error, and the next one fails.
    tight: `--fsize=${48 * KIB}:`,
    wide: "--fsize=unlimited:",
    code: "NO_SPACE",
  },
  {
    name: "the number of open files",
    scenario: { ...SCENARIOS[2]!, options: { segmentBytes: 16 * KIB } },
    tight: "--nofile=40:",
    wide: "--nofile=1024:",
    code: "TOO_MANY_OPEN_FILES",
  },
];

/** Limits on a process, met and then raised: typed errors, and it goes on by itself. */
export const limitsPhase: Phase = {
  name: "limits",
  purpose: "limits on file lengths and descriptors are met, and raised while the writer runs",
  cycles: 20,
  run,
};

async function run(context: PhaseContext): Promise<PhaseResult> {
  const random = new Random(context.seed);
  const tally = new Tally();
  while (tally.result().cycles < context.cycles && !tally.hasFailed) {
    const limit = LIMITS[tally.result().cycles % LIMITS.length]!;
    const history = new StoreHistory(join(context.directory, "store"), limit.scenario, random);
    await liveInPeace(history);
    const violations = [...(await meet(limit, history, random)), ...(await history.judge())];
    tally.cycle();
    tally.add(history.counts);
    context.progress(tally.result().cycles);
    tally.found(violations);
    if (violations.length > 0) {
      const journals = join(context.directory, "journals");
      history.keepJournals(journals);
      const where = `the store is ${history.directory}, the journals are in ${journals}`;
      tally.fail(`${limit.name}: ${where}`, ...showViolations(violations));
    } else {
      history.remove();
    }
  }
  return tally.result();
}

/** Leaves a store that was closed properly: its next writer begins by saying that it is not. */
async function liveInPeace(history: StoreHistory): Promise<void> {
  const workload = history.nextLife("always");
  const victim = new VictimProcess(workload);
  await victim.acknowledged(100);
  victim.close();
  await victim.ended();
  history.lived(workload, victim, "process gone");
}

async function meet(limit: Limit, history: StoreHistory, random: Random): Promise<Violation[]> {
  const workload = history.nextLife(random.pick(["always", "interval", "os"]));
  const victim = new VictimProcess(workload);
  // Not from its start on: Node raises its limits then.
  await victim.acknowledged(1);
  command("prlimit", `--pid=${victim.pid}`, limit.tight);
  await awaitLack(victim);
  const isEndedEarly = victim.isOver;
  if (!isEndedEarly) {
    command("prlimit", `--pid=${victim.pid}`, limit.wide);
    await awaitRoom(victim);
    victim.close();
  }
  await victim.ended();
  history.lived(workload, victim, "process gone");
  const { journal } = victim;
  // A deletion that fails half-way has taken the key away.
  const explained = [limit.code, "LOG_POISONED", "KEY_NOT_FOUND"];
  const violations = unexpectedCodes(journal, explained);
  violations.push(...poisonedByLack(journal));
  if (isEndedEarly || roomAgain(journal).size === 0) {
    violations.push({ kind: "wrong", message: `the limit was not met: ${victim.errors}` });
  }
  return violations;
}
