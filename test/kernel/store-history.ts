import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { verifyStore } from "../../src/cli/verify-store.js";
import { CHECKPOINT_FILE } from "../../src/format/file-names.js";
import type { Durability } from "../../src/index.js";
import { createEnvironment } from "../../src/log/environment.js";
import type { Random } from "../support/random.js";
import type { JournalLine } from "./journal.js";
import { observeStore } from "./observe.js";
import { makeWorkload, type Scenario } from "./scenario.js";
import { type Counts, type LifeEnd, type ObservedStore, StoreModel } from "./store-model.js";
import type { VictimProcess } from "./victim-process.js";
import type { Violation } from "./violation.js";
import type { Workload } from "./workload.js";

/** A store over many lives of its writer, and what is known of it. */
export class StoreHistory {
  readonly directory: string;
  readonly scenario: Scenario;
  readonly #seed: number;
  readonly #random: Random;
  readonly #model: StoreModel;
  readonly #lives: { workload: Workload; end: LifeEnd; journal: readonly JournalLine[] }[] = [];

  /** @param directory - Where the store is, or will be. */
  constructor(directory: string, scenario: Scenario, random: Random) {
    this.directory = directory;
    this.scenario = scenario;
    this.#random = random;
    this.#seed = random.below(2 ** 31);
    this.#model = new StoreModel({ ...scenario.shape, seed: this.#seed });
  }

  get counts(): Readonly<Counts> {
    return this.#model.counts;
  }

  /** Whether another life may follow without a look at what the last one left. */
  get isCertain(): boolean {
    return this.#model.isCertain;
  }

  /**
   * What the next life is to do.
   *
   * @param mustGreet - Whether it must look at every log before it writes: if records may have been
   *   lost, their offsets are given out again, and the journal has to say so.
   */
  nextLife(durability: Durability, mustGreet = false): Workload {
    const { directory } = this;
    const life = this.#lives.length + 1;
    const given = { directory, seed: this.#seed, life, durability, mustGreet };
    return makeWorkload(this.scenario, this.#random, given);
  }

  /** Takes over the journal of a victim that is gone. */
  lived(workload: Workload, { journal }: VictimProcess, end: LifeEnd): void {
    this.#lives.push({ workload, end, journal });
    this.#model.begin(workload);
    for (const line of journal) this.#model.take(line);
    this.#model.end(end);
  }

  /** Opens the store, reads all of it, and says what is wrong. */
  async judge(): Promise<Violation[]> {
    // A store that nobody came to make is none to a reader.
    if (this.#random.next() < 0.3 && this.counts.acknowledged > 0) {
      const wrong = await this.judgeReadOnly();
      if (wrong.length > 0) return wrong;
    }
    return this.#look({}, (seen) => this.#model.judge(seen));
  }

  /** As {@link judge}, for reading only: nothing is changed, and the next judge is told the same. */
  async judgeReadOnly(): Promise<Violation[]> {
    const violations = await this.#look({ readOnly: true }, (seen) => this.#model.check(seen));
    return violations.map(({ kind, message }) => ({
      kind,
      message: `opened for reading only: ${message}`,
    }));
  }

  /**
   * Has the logs verified to the last bit; nobody may have the store open. Indexes may be incomplete
   * after a crash: they are never synced. Behind the last commit a cut may leave zeros until the next
   * commit; what is committed has been judged already.
   */
  async verify(): Promise<Violation[]> {
    const { findings } = await verifyStore(createEnvironment(), this.directory, () => undefined);
    return findings
      .filter(({ level, file }) => level === "damage" && basename(file) !== CHECKPOINT_FILE)
      .map(({ file, message }) => ({ kind: "wrong", message: `verify: ${file}: ${message}` }));
  }

  async #look(
    options: { readonly readOnly?: true },
    judge: (seen: ObservedStore) => Violation[],
  ): Promise<Violation[]> {
    let seen: ObservedStore;
    try {
      seen = await observeStore(this.directory, options, this.#random);
    } catch (error) {
      return [{ kind: "wrong", message: `the store cannot be read: ${String(error)}` }];
    }
    return judge(seen);
  }

  /** Writes all journals, and the store if `keepsStore`, to `directory` to be looked at. */
  keepJournals(directory: string): void {
    mkdirSync(directory, { recursive: true });
    this.#lives.forEach(({ workload, end, journal }, index) => {
      const lines = journal.map(({ entry, isLate }) => JSON.stringify({ ...entry, isLate }));
      const text = [JSON.stringify({ workload, end }), ...lines, ""].join("\n");
      writeFileSync(join(directory, `life-${index + 1}.ndjson`), text);
    });
  }

  /** Removes the store. */
  remove(): void {
    rmSync(this.directory, { recursive: true, force: true });
  }
}
