import { setTimeout as delay } from "node:timers/promises";
import type { LogStore } from "../../src/index.js";
import { Random } from "../support/random.js";
import { isLack } from "./codes.js";
import type { Change } from "./journal.js";
import { KeyProgress } from "./key-progress.js";
import { codeOf, tell } from "./telling.js";
import { makeValue, recordCount } from "./values.js";
import { type KeyPlan, ownGroup, PROBE_APPENDER, type Workload } from "./workload.js";

/** After what is lacking an application looks again so much later. */
const RETRY_MS = 10;

/** Everything that goes on in the victim at the same time. */
export class Actors {
  readonly #store: LogStore;
  readonly #workload: Workload;
  readonly #closing: AbortSignal;
  readonly #random: Random;
  readonly #progress: ReadonlyMap<string, KeyProgress>;
  #lastId = 0;

  constructor(store: LogStore, workload: Workload, closing: AbortSignal) {
    this.#store = store;
    this.#workload = workload;
    this.#closing = closing;
    this.#random = new Random(workload.shape.seed + workload.life);
    this.#progress = new Map(workload.keys.map(({ key }) => [key, new KeyProgress(closing)]));
  }

  /** Runs until it is asked to close, or until no log takes anything any more. */
  async run(): Promise<void> {
    const { keys, groups, durability } = this.#workload;
    const plain = keys.filter(({ role }) => role === "plain").map(({ key }) => key);
    const work = keys.flatMap((plan) => [...this.#appenders(plan), this.#actor(plan)]);
    if (plain.length > 0) work.push(...groups.map((group) => this.#commitPlain(group, plain)));
    if (durability !== "always" && plain.length > 0) work.push(this.#flushNowAndThen(plain));
    await Promise.all(work);
  }

  /** Announces a change, makes it, and tells how it went. */
  async change(change: Change, run: () => Promise<unknown>): Promise<boolean> {
    const id = ++this.#lastId;
    tell({ type: "asked", id, change });
    try {
      await run();
      tell({ type: "done", id });
      return true;
    } catch (error) {
      const code = codeOf(error);
      tell({ type: "failed", id, code });
      if (isLack(code)) await delay(RETRY_MS);
      return false;
    }
  }

  #appenders({ key, role, appenders }: KeyPlan): Promise<void>[] {
    if (role === "deleted") return [];
    return Array.from({ length: appenders }, (_, appender) => this.#appendMany(key, appender));
  }

  async #appendMany(key: string, appender: number): Promise<void> {
    const progress = this.#progress.get(key)!;
    const onTheirWay = new Set<Promise<void>>();
    for (let op = 0; !this.#closing.aborted && !progress.isDead; op++) {
      const append = this.#append(key, appender, op).then(() => void onTheirWay.delete(append));
      onTheirWay.add(append);
      if (onTheirWay.size >= this.#workload.window) await Promise.race(onTheirWay);
    }
    await Promise.all(onTheirWay);
  }

  async #append(key: string, appender: number, op: number): Promise<void> {
    const { shape, life } = this.#workload;
    const count = recordCount(shape, key, { life, appender, op });
    const values = Array.from({ length: count }, (_, index) =>
      makeValue(shape, key, { life, appender, op, index }),
    );
    try {
      const baseOffset =
        count === 1
          ? await this.#store.append(key, values[0]!)
          : (await this.#store.appendBatch(key, values)).baseOffset;
      tell({ type: "appended", key, appender, op, baseOffset });
      this.#progress.get(key)!.reached(baseOffset + count);
    } catch (error) {
      const code = codeOf(error);
      tell({ type: "refused", key, appender, op, code });
      if (isLack(code)) await delay(RETRY_MS);
      else await this.#bury(key, code);
    }
  }

  /** A log that takes no more appends: can it still be read, and does it stay that way? */
  async #bury(key: string, code: string): Promise<void> {
    const progress = this.#progress.get(key)!;
    if (progress.isDead) return;
    progress.die();
    const { shape, life } = this.#workload;
    const name = { life, appender: PROBE_APPENDER, op: 0, index: 0 };
    const appendCode = await this.#store
      .append(key, makeValue(shape, key, name))
      .then((baseOffset) => {
        tell({ type: "appended", key, appender: PROBE_APPENDER, op: 0, baseOffset });
        return "none";
      }, codeOf);
    let readable = 0;
    let expected = 0;
    try {
      const log = await this.#store.log(key);
      expected = log.endOffset - log.startOffset;
      for await (const _ of log.records()) readable++;
    } catch (error) {
      tell({ type: "told", code: codeOf(error) });
    }
    tell({ type: "probed", key, code, appendCode, readable, expected });
  }

  async #actor(plan: KeyPlan): Promise<void> {
    const progress = this.#progress.get(plan.key)!;
    if (plan.role === "deleted") return this.#makeAndDelete(plan.key);
    if (plan.role === "plain") return;
    while (await progress.more(1 + this.#random.below(12))) {
      const { key } = plan;
      if (this.#random.next() < 0.5) await this.#commitOwn(key, progress.end);
      else if (plan.role === "truncated") await this.#truncate(key, progress);
      else await this.#trim(key, progress.end);
    }
  }

  async #truncate(key: string, progress: KeyProgress): Promise<void> {
    const offset = Math.max(0, progress.end - this.#random.below(40));
    await this.change({ kind: "truncate", key, offset }, async () => {
      const log = await this.#store.log(key);
      await log.truncateTo(offset);
      progress.cut(offset);
    });
  }

  async #trim(key: string, end: number): Promise<void> {
    const offset = this.#random.below(end + 1);
    await this.change({ kind: "trim", key, offset }, async () => {
      await (await this.#store.log(key)).deleteBefore(offset);
    });
  }

  async #commitOwn(key: string, end: number): Promise<void> {
    const group = ownGroup(key);
    const offsets = [[key, this.#random.below(end + 1)]] as const;
    const kind = this.#random.next() < 0.3 ? "seek" : "commit";
    await this.change({ kind, group, offsets }, () => this.#store.group(group)[kind](offsets));
  }

  async #makeAndDelete(key: string): Promise<void> {
    const progress = this.#progress.get(key)!;
    for (let op = 0; !this.#closing.aborted && !progress.isDead; ) {
      const until = op + 1 + this.#random.below(12);
      while (op < until && !this.#closing.aborted && !progress.isDead) {
        await this.#append(key, 0, op++);
        if (this.#random.next() < 0.3) await this.#commitOwn(key, progress.end);
      }
      if (progress.isDead) return;
      const deleted = await this.change({ kind: "delete", key }, () => this.#store.deleteKey(key));
      if (deleted) progress.cut(0);
    }
  }

  async #commitPlain(group: string, keys: readonly string[]): Promise<void> {
    for (;;) {
      const key = this.#random.pick(keys);
      if (!(await this.#progress.get(key)!.more(1 + this.#random.below(5)))) {
        if (keys.every((each) => this.#progress.get(each)!.isOver)) return;
        // The others may go on for long; a turn of the event loop lets them.
        await delay(1);
        continue;
      }
      const others = this.#random.some(keys, 3 / keys.length);
      const offsets = [...new Set([key, ...others])].map((each) => {
        const { end } = this.#progress.get(each)!;
        return [each, Math.max(0, end - this.#random.below(8))] as const;
      });
      const known = offsets.filter(([, next]) => next > 0);
      await this.change({ kind: "commit", group, offsets: known }, () =>
        this.#store.group(group).commit(known),
      );
    }
  }

  async #flushNowAndThen(keys: readonly string[]): Promise<void> {
    const progress = this.#progress.get(keys[0]!)!;
    while (await progress.more(10 + this.#random.below(60))) {
      await this.change({ kind: "flush" }, () => this.#store.flush());
    }
  }
}
