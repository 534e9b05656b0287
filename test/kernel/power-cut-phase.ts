import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { Durability } from "../../src/index.js";
import { Random } from "../support/random.js";
import { unexpectedCodes } from "./codes.js";
import { awaitMoment, type Moment, pickMoment } from "./death.js";
import { type FileSystemKind, MountedImage } from "./mounted-image.js";
import type { Phase, PhaseContext, PhaseResult } from "./phase.js";
import { SCENARIOS } from "./scenario.js";
import { StoreHistory } from "./store-history.js";
import { showViolations, Tally } from "./tally.js";
import { VictimProcess } from "./victim-process.js";
import type { Violation } from "./violation.js";

/** Cycles after which a new store is begun: the judge reads all of it every time. */
const CYCLES_PER_STORE = 8;
/** How long the victim may go on, at most, on a file system that fails every call. */
const AFTERLIFE_MS = 30;
const SECOND_CUT_PROBABILITY = 0.25;
/** How often only the process dies first, and the power after its successor has opened the store. */
const KILL_FIRST_PROBABILITY = 0.25;

/** What a phase of power cuts is to show. */
interface PowerCutSettings {
  readonly kind: FileSystemKind;
  readonly policies: readonly Durability[];
  /** Runs the victim, such as without any sync. */
  readonly wrapper?: readonly string[];
  /**
   * - `nothing lost`: the contract of `"always"`.
   * - `lost as allowed`: no more than the policy allows; and something at least once, or the cut is
   *   no cut.
   * - `caught`: the judge must find losses, or it proves nothing.
   */
  readonly expected: "nothing lost" | "lost as allowed" | "caught";
}

/** Makes a phase that cuts a file system off while the victim writes to it. */
export function powerCutPhase(about: Omit<Phase, "run">, settings: PowerCutSettings): Phase {
  return { ...about, run: (context) => new PowerCuts(settings, context).run() };
}

class PowerCuts {
  readonly #settings: PowerCutSettings;
  readonly #context: PhaseContext;
  readonly #random: Random;
  readonly #tally = new Tally();
  readonly #image: MountedImage;

  constructor(settings: PowerCutSettings, context: PhaseContext) {
    this.#settings = settings;
    this.#context = context;
    this.#random = new Random(context.seed);
    this.#image = new MountedImage(settings.kind, context.directory);
  }

  async run(): Promise<PhaseResult> {
    let isKept = true;
    try {
      for (let stores = 1; this.#isGoingOn; stores++) await this.#useStore(stores);
      isKept = this.#tally.hasFailed;
    } finally {
      const image = this.#image.remove(isKept);
      if (isKept) this.#tally.fail(`the image is ${image}`);
    }
    const { expected } = this.#settings;
    if (expected === "lost as allowed" && this.#tally.lostAsAllowed === 0) {
      this.#tally.fail("no cut took anything that was not synced: that is no power cut");
    }
    if (expected === "caught" && this.#tally.count("lost") === 0) {
      this.#tally.fail("without any sync nothing was found lost: the judge sees nothing");
    }
    return this.#tally.result();
  }

  get #isGoingOn(): boolean {
    return this.#cycles < this.#context.cycles && !this.#tally.hasFailed;
  }

  get #cycles(): number {
    return this.#tally.result().cycles;
  }

  async #useStore(number: number): Promise<void> {
    const scenario = this.#random.pick(SCENARIOS);
    const directory = join(this.#image.directory, `store-${number}`);
    const history = new StoreHistory(directory, scenario, this.#random);
    for (let cycle = 0; cycle < CYCLES_PER_STORE && this.#isGoingOn; cycle++) {
      const violations = await this.#cycle(history);
      this.#tally.cycle();
      this.#context.progress(this.#cycles);
      if (violations.length === 0) continue;
      this.#tally.found(violations);
      if (this.#settings.expected !== "caught") this.#fail(history, violations);
      // What is left is no store to go on with.
      break;
    }
    this.#tally.add(history.counts);
    if (!this.#tally.hasFailed) history.remove();
  }

  async #cycle(history: StoreHistory): Promise<Violation[]> {
    const isKilledFirst = this.#random.next() < KILL_FIRST_PROBABILITY;
    if (isKilledFirst) await this.#lifeAndKill(history);
    const violations = history.isCertain ? [] : await history.judge();
    const moment = pickMoment(this.#random);
    violations.push(...(await this.#lifeAndCut(history, moment, isKilledFirst)));
    const isCutAgain = history.isCertain && this.#random.next() < SECOND_CUT_PROBABILITY;
    if (isCutAgain) violations.push(...(await this.#lifeAndCut(history, "opening", true)));
    violations.push(...(await history.judge()));
    return violations.length > 0 ? violations : history.verify();
  }

  async #lifeAndKill(history: StoreHistory): Promise<void> {
    const { policies, wrapper = [] } = this.#settings;
    const workload = history.nextLife(this.#random.pick(policies));
    const victim = new VictimProcess(workload, { wrapper });
    try {
      await awaitMoment(victim, "running", this.#random);
    } finally {
      await victim.kill();
    }
    history.lived(workload, victim, "process gone");
  }

  async #lifeAndCut(
    history: StoreHistory,
    moment: Moment,
    isSecond: boolean,
  ): Promise<Violation[]> {
    const { policies, wrapper = [] } = this.#settings;
    const workload = history.nextLife(this.#random.pick(policies), isSecond);
    const victim = new VictimProcess(workload, { wrapper });
    try {
      await awaitMoment(victim, moment, this.#random);
      victim.powerIsCut();
      this.#image.cutPower(this.#random.next() < 0.3);
      await delay(this.#random.next() * AFTERLIFE_MS);
    } finally {
      await victim.kill();
    }
    this.#image.remount();
    history.lived(workload, victim, "power cut");
    const before = victim.journal.filter(({ isLate }) => !isLate);
    return [...unexpectedCodes(before, []), ...unexpectedCodes(victim.journal, "any")];
  }

  #fail(history: StoreHistory, violations: readonly Violation[]): void {
    const journals = join(this.#context.directory, "journals");
    history.keepJournals(journals);
    this.#tally.fail(
      `cycle ${this.#cycles}, ${history.scenario.name}: the store is ${history.directory} on the ` +
        `image, the journals are in ${journals}`,
      ...showViolations(violations),
    );
  }
}
