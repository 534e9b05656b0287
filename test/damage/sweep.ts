import { examineReading, examineVerify, examineWriting } from "./examine.js";
import { examineCommand } from "./examine-commands.js";
import { examineStore, examineStoreVerify } from "./examine-store.js";
import { withFile } from "./image.js";
import { keyOf } from "./layout.js";
import { type Damage, outcomeOf } from "./outcomes.js";
import type { Moment } from "./sample.js";
import { outcomeOfStore } from "./store-outcomes.js";

/** Whether every damage meets every operation, and all bits are turned; it takes hours. */
const IS_COMPLETE = process.env.SEGLOG_DAMAGE === "complete";
/** Otherwise one bit of each byte is turned, which one the seed shifts. */
const TURNS_ALL_BITS = IS_COMPLETE || process.env.SEGLOG_DAMAGE === "bits";

/** Of how many damages one meets an operation, unless the sweep is complete. */
const EVERY = { each: 2, thorough: 30, verify: 5, write: 20, command: 30 } as const;

/** What a sweep did. */
export interface SweepReport {
  damages: number;
  operations: number;
  /** Each with what reproduces it; those with the same message are counted, not repeated. */
  readonly violations: string[];
}

/**
 * Damages each file of a store in every way of one kind, and has the outcome judged. Every damage
 * is read; the costlier operations meet some of them, in an order that the seed shifts.
 */
export class Sweep {
  readonly #moment: Moment;
  readonly #report: SweepReport = { damages: 0, operations: 0, violations: [] };
  readonly #known = new Set<string>();
  readonly #seed: number;
  #turn: number;

  constructor(moment: Moment, seed: number) {
    this.#moment = moment;
    this.#seed = seed;
    this.#turn = seed % 1000;
    // Most of the time would go into where failures come from, which nobody looks at.
    Error.stackTraceLimit = 0;
  }

  /** Turns bits of every byte of every file, one at a time. */
  async flip(): Promise<SweepReport> {
    for (const [path, bytes] of this.#moment.image) {
      for (let position = 0; position < bytes.length; position++) {
        for (let bit = 0; bit < 8; bit++) {
          if (!TURNS_ALL_BITS && (position + this.#seed) % 8 !== bit) continue;
          const copy = bytes.slice();
          copy[position]! ^= 1 << bit;
          await this.#examine(path, copy, { kind: "flip", position, bit });
        }
      }
    }
    return this.#report;
  }

  /** Cuts every file to every length. */
  async cut(): Promise<SweepReport> {
    for (const [path, bytes] of this.#moment.image) {
      for (let length = 0; length < bytes.length; length++) {
        await this.#examine(path, bytes.slice(0, length), { kind: "cut", length });
      }
    }
    return this.#report;
  }

  async #examine(path: string, bytes: Uint8Array, damage: Damage): Promise<void> {
    this.#report.damages++;
    this.#turn++;
    const key = keyOf(path);
    const image = withFile(this.#moment.image, path, bytes);
    if (key === undefined) await this.#examineStore(path, image, damage);
    else await this.#examineLog(path, key, image, damage);
  }

  async #examineLog(
    path: string,
    key: string,
    image: Moment["image"],
    damage: Damage,
  ): Promise<void> {
    const one = { image, key, path, truth: this.#moment.logs.get(key)! };
    const outcome = outcomeOf(this.#moment, path, damage);
    const place = `${path} ${JSON.stringify(damage)}`;
    const isMore = this.#isTurn("each");
    const thoroughness = this.#isTurn("thorough") ? "thorough" : isMore ? "each" : "once";
    await this.#run(place, () => examineReading(one, outcome, thoroughness));
    if (this.#isTurn("verify")) await this.#run(place, () => examineVerify(one, outcome));
    if (this.#isTurn("write")) {
      await this.#run(place, () => examineWriting(one, outcome, thoroughness));
    }
    if (!this.#isTurn("command")) return;
    const isDamaged = outcome.verify === "damage";
    await this.#run(place, () => examineCommand(one, key, isDamaged, this.#turn));
  }

  async #examineStore(path: string, image: Moment["image"], damage: Damage): Promise<void> {
    const one = { image, path, moment: this.#moment };
    const outcome = outcomeOfStore(this.#moment, path, damage);
    const keys = [...this.#moment.logs.keys()];
    const key = keys[this.#turn % keys.length]!;
    const place = `${path} ${JSON.stringify(damage)}`;
    await this.#run(place, () => examineStore(one, outcome, key, true));
    if (this.#isTurn("verify")) await this.#run(place, () => examineStoreVerify(one, outcome));
    if (this.#isTurn("write")) await this.#run(place, () => examineStore(one, outcome, key, false));
    if (!this.#isTurn("command")) return;
    const isDamaged = outcome.verify === "damage";
    await this.#run(place, () => examineCommand(one, key, isDamaged, this.#turn));
  }

  #isTurn(operation: keyof typeof EVERY): boolean {
    return IS_COMPLETE || this.#turn % EVERY[operation] === 0;
  }

  async #run(place: string, operation: () => Promise<void>): Promise<void> {
    this.#report.operations++;
    try {
      await operation();
    } catch (error) {
      // Whatever it is: what a damaged store leads to must be said with the damage.
      const message = error instanceof Error ? error.message : String(error);
      const kind = `${place.split(" ")[0]} ${message}`;
      if (this.#known.has(kind)) return;
      this.#known.add(kind);
      this.#report.violations.push(`${place}: ${message}`);
    }
  }
}
