import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { Durability } from "../../src/index.js";
import { Random } from "../support/random.js";
import { unexpectedCodes } from "./codes.js";
import {
  deletedKeys,
  keysThatFailedToSync,
  poisonedByLack,
  roomAgain,
  secondSyncs,
  wrongAfterPoison,
} from "./fault-checks.js";
import type { Phase, PhaseContext, PhaseResult } from "./phase.js";
import { awaitRoom } from "./room.js";
import { SCENARIOS } from "./scenario.js";
import { StoreHistory } from "./store-history.js";
import { type Injection, ONE_THREAD, readTrace, straceCommand } from "./strace.js";
import { showViolations, Tally } from "./tally.js";
import { VictimProcess } from "./victim-process.js";
import type { Violation } from "./violation.js";

const CYCLES_PER_STORE = 6;
/** How long a victim may live with a fault that does not show. */
const LIFE_MS = 1500;
const ACKNOWLEDGEMENTS = 150;
/** How many failures in a row make a disk that is full for a while. */
const LONGEST_LACK = 8;
const POLICIES: readonly Durability[] = ["always", "always", "interval", "os"];

interface Fault {
  readonly name: string;
  inject(random: Random): Injection[];
  /** Whether only room is lacking, for a while: then no log may be given up. */
  readonly isLack?: boolean;
  /** Whether reading may fail, too. */
  readonly hitsReads?: boolean;
}

const FAULTS: readonly Fault[] = [
  { name: "a sync fails", inject: (random) => [once("fdatasync", "EIO", random, 25)] },
  {
    name: "all syncs fail from some moment on",
    inject: (random) => [
      { ...once("fdatasync", "EIO", random, 25), last: Number.POSITIVE_INFINITY },
    ],
  },
  { name: "a sync of a directory fails", inject: (random) => [once("fsync", "EIO", random, 25)] },
  {
    name: "the disk is full for a while",
    inject: (random) => [forAWhile("pwrite64", "ENOSPC", random)],
    isLack: true,
  },
  {
    name: "the disk is full, and what was half written cannot be cut off",
    inject: (random) => [
      forAWhile("pwrite64", "ENOSPC", random),
      { call: "ftruncate", error: "EIO", first: 1, last: Number.POSITIVE_INFINITY },
    ],
  },
  { name: "a write fails", inject: (random) => [once("pwrite64", "EIO", random, 80)] },
  { name: "a file cannot be renamed", inject: (random) => [once("rename", "EIO", random, 20)] },
  { name: "a file cannot be removed", inject: (random) => [once("unlink", "EIO", random, 20)] },
  {
    name: "a read fails",
    // Node itself reads its modules so when it starts, less often than this.
    inject: (random) => [once("pread64", "EIO", random, 40, 40)],
    hitsReads: true,
  },
];

function once(call: string, error: string, random: Random, most: number, least = 1): Injection {
  const first = least + random.below(most);
  return { call, error, first, last: first };
}

function forAWhile(call: string, error: string, random: Random): Injection {
  const first = 1 + random.below(80);
  return { call, error, first, last: first + random.below(LONGEST_LACK) };
}

/** System calls that fail, one by one, by strace. */
export const faultsPhase: Phase = {
  name: "faults",
  purpose: "fdatasync and fsync fail, the disk is full, writes and renames fail (by strace)",
  cycles: 90,
  run: (context) => new Faults(context).run(),
};

class Faults {
  readonly #context: PhaseContext;
  readonly #random: Random;
  readonly #tally = new Tally();
  /** How often a fault struck, by its name. */
  readonly #struck = new Map<string, number>();
  #poisoned = 0;
  #resumed = 0;

  constructor(context: PhaseContext) {
    this.#context = context;
    this.#random = new Random(context.seed);
  }

  async run(): Promise<PhaseResult> {
    while (this.#isGoingOn) await this.#useStore();
    for (const [name, count] of this.#struck) this.#tally.note(`${name}: ${count} times`);
    this.#tally.note(`${this.#poisoned} logs were poisoned; ${this.#resumed} had room again`);
    if (this.#poisoned === 0) this.#tally.fail("no log was poisoned: no fault has struck");
    if (this.#resumed === 0) this.#tally.fail("no log has found room again: no fault has struck");
    return this.#tally.result();
  }

  get #isGoingOn(): boolean {
    return this.#cycles < this.#context.cycles && !this.#tally.hasFailed;
  }

  get #cycles(): number {
    return this.#tally.result().cycles;
  }

  async #useStore(): Promise<void> {
    const scenario = this.#random.pick(SCENARIOS);
    const history = new StoreHistory(
      join(this.#context.directory, "store"),
      scenario,
      this.#random,
    );
    for (let cycle = 0; cycle < CYCLES_PER_STORE && this.#isGoingOn; cycle++) {
      const fault = FAULTS[this.#cycles % FAULTS.length]!;
      const violations = await this.#live(history, fault);
      violations.push(...(await history.judge()));
      this.#tally.cycle();
      this.#context.progress(this.#cycles);
      if (violations.length === 0) continue;
      this.#tally.found(violations);
      const journals = join(this.#context.directory, "journals");
      history.keepJournals(journals);
      this.#tally.fail(
        `cycle ${this.#cycles}, ${scenario.name}, ${fault.name}: the store is ` +
          `${history.directory}, the journals are in ${journals}, and ${this.#traceFile}`,
        ...showViolations(violations),
      );
    }
    this.#tally.add(history.counts);
    if (!this.#tally.hasFailed) history.remove();
  }

  get #traceFile(): string {
    return join(this.#context.directory, "strace.txt");
  }

  async #live(history: StoreHistory, fault: Fault): Promise<Violation[]> {
    const workload = history.nextLife(this.#random.pick(POLICIES));
    const wrapper = straceCommand(fault.inject(this.#random), this.#traceFile);
    const victim = new VictimProcess(workload, { wrapper, environment: ONE_THREAD });
    const patience = new AbortController();
    await Promise.race([
      victim.acknowledged(ACKNOWLEDGEMENTS),
      delay(LIFE_MS, undefined, { signal: patience.signal }).catch(() => undefined),
    ]).finally(() => patience.abort());
    if (fault.isLack === true) await awaitRoom(victim);
    victim.close();
    await victim.ended();
    history.lived(workload, victim, "process gone");
    return this.#check(fault, victim);
  }

  #check(fault: Fault, victim: VictimProcess): Violation[] {
    const { journal } = victim;
    const trace = readTrace(this.#traceFile);
    if (trace.some(({ isInjected }) => isInjected)) {
      this.#struck.set(fault.name, (this.#struck.get(fault.name) ?? 0) + 1);
    }
    this.#poisoned += journal.filter(
      ({ entry }) => entry.type === "probed" && entry.code === "LOG_POISONED",
    ).length;
    const deleted = deletedKeys(journal);
    const violations = [...unexpectedCodes(journal, "any"), ...secondSyncs(trace, deleted)];
    if (fault.hitsReads !== true) {
      const keys = keysThatFailedToSync(trace).filter((key) => !deleted.has(key));
      violations.push(...wrongAfterPoison(journal, keys));
    }
    if (fault.isLack === true) {
      const room = roomAgain(journal);
      this.#resumed += room.size;
      violations.push(...poisonedByLack(journal));
    }
    if (victim.exitCode !== 0 && victim.exitCode !== 2) {
      const message = `the victim ended with ${victim.exitCode}: ${victim.errors}`;
      violations.push({ kind: "wrong", message });
    }
    return violations;
  }
}
