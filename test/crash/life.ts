import { SeglogError } from "../../src/errors.js";
import type { Outcome } from "./log-history.js";
import { Producers } from "./producing.js";
import { GROUPS } from "./subject.js";
import { Violation, type World } from "./world.js";

/** Longest value; some are longer than a block. */
const MAX_VALUE_LENGTH = 300;
/** Commits that together outgrow what a checkpoint may have before it is rewritten. */
const STORM_COMMITS = 1100;
/** How often an open is tried that fails because a change of the disk was made to fail. */
const MAX_OPENS = 3;

/** Calls that stand under the model, each with what it came to. */
export class Life {
  readonly #world: World;
  /** Makes values distinct; of one world alone. */
  readonly #name: string;
  #values = 0;
  /** What is on its way. */
  #inFlight: Promise<void>[] = [];
  /** Set when it is not known what the open files hold. */
  #mustReopen = false;
  readonly #advanceTimers: (milliseconds: number) => void;
  #producers: Producers;

  constructor(world: World, name: string, advanceTimers: (milliseconds: number) => void) {
    this.#world = world;
    this.#name = name;
    this.#advanceTimers = advanceTimers;
    this.#producers = this.#newProducers();
  }

  /** Opens, lives through so many steps of chance, and closes. */
  async live(steps: number): Promise<void> {
    const { random } = this.#world;
    await this.#open();
    for (let step = 0; step < steps; step++) {
      await this.#step(random.below(140));
      if (random.below(3) > 0) await this.#settle();
      if (this.#mustReopen) {
        await this.#settle();
        await this.#reopen();
      }
      if (this.#world.isWatched && random.below(3) === 0) await this.#look();
    }
    await this.#settle();
    if (this.#mustReopen) await this.#reopen();
    await this.#world.endLooking();
    await this.#world.close();
  }

  async #open(): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      try {
        await this.#world.open();
        this.#producers = this.#newProducers();
        return;
      } catch (error) {
        const isMeant = error instanceof SeglogError && this.#world.hasFailed;
        if (!isMeant || attempt === MAX_OPENS) throw error;
      }
    }
  }

  async #reopen(): Promise<void> {
    await this.#world.close();
    await this.#open();
    this.#mustReopen = false;
  }

  /**
   * Lets another process look. Beside a writer whose disk fails it may see less, and retention goes
   * on by itself while it reads.
   */
  async #look(): Promise<void> {
    await this.#settle();
    const { hasFailed, setting } = this.#world;
    if (this.#mustReopen || hasFailed || setting.options.retention !== undefined) return;
    await this.#world.look();
  }

  async #step(choice: number): Promise<void> {
    const { random, setting } = this.#world;
    const key = random.pick(setting.keys);
    if (choice < 25) return this.#append(key, 1);
    if (choice < 40) return this.#append(key, 2 + random.below(5));
    if (choice < 50) {
      // More than one group, and more than one log, at a time.
      const appends = Array.from({ length: 6 }, () =>
        this.#append(random.pick(setting.keys), random.pick([1, 1, 3])),
      );
      await Promise.all(appends);
      return;
    }
    if (choice < 54) return this.#flush();
    if (choice < 60) return this.#truncate(key);
    if (choice < 67) return this.#deleteBefore(key);
    if (choice < 82) return this.#commit(key, choice < 78 ? "commit" : "seek");
    if (choice < 86) return this.#deleteKey(key);
    if (choice < 91) {
      await this.#settle();
      return this.#reopen();
    }
    if (choice < 100) {
      this.#world.passTime(random.pick([10, 50, 200]));
      this.#advanceTimers(random.pick([10, 60, 200]));
      return;
    }
    if (choice < 122) return this.#send(key);
    if (choice < 127) {
      for (let count = 0; count < 5; count++) await this.#send(random.pick(setting.keys));
      return;
    }
    if (choice < 136) return this.#sendAgain(key);
    const { store } = this.#world.subject;
    if (store !== undefined) this.#producers.open(store);
  }

  /** A producer sends a batch. */
  async #send(key: string): Promise<void> {
    const log = await this.#log(key);
    if (log !== undefined && !this.#mustReopen) await this.#producers.send(key, log);
  }

  /** A producer sends a batch that it sent before. */
  async #sendAgain(key: string): Promise<void> {
    await this.#settle();
    const log = await this.#log(key);
    if (log !== undefined && !this.#mustReopen) await this.#producers.sendAgain(key, log);
    await this.#settle();
  }

  #newProducers(): Producers {
    return new Producers(this.#world, {
      go: (call) => this.#begin(call()),
      judge: (error) => this.#judge(error),
      value: () => this.#value(),
    });
  }

  /** Begins to append a single record, or a batch. */
  async #append(key: string, count: number): Promise<void> {
    const { random, model } = this.#world;
    const log = await this.#log(key);
    if (log === undefined) return;
    const values = Array.from({ length: count }, () => this.#value());
    const settle = model.log(key).append(values);
    this.#go(settle, async () => {
      if (count > 1) await log.appendBatch(values);
      else await log.append(random.below(2) === 0 ? values[0]! : Buffer.from(values[0]!));
    });
  }

  #flush(): void {
    const settle = this.#world.model.beginFlush();
    this.#go(
      (outcome) => {
        if (outcome === "done") settle();
      },
      () => this.#world.subject.flush(),
    );
  }

  async #truncate(key: string): Promise<void> {
    // What comes after the appends before it is known only when they are done.
    await this.#settle();
    const { random, model, subject } = this.#world;
    const log = await this.#log(key);
    if (log === undefined || this.#mustReopen) return;
    const { startOffset, endOffset } = log;
    const offset = endOffset - random.below(Math.min(endOffset - startOffset, 12) + 1);
    if (offset === endOffset) return;
    const settle = model.log(key).truncate(offset);
    const clamps =
      subject.store === undefined
        ? []
        : GROUPS.map((group) => model.commits(group, key).clamp(offset));
    this.#go(
      (outcome) => {
        settle(outcome);
        for (const clamp of clamps) clamp(outcome);
        if (outcome === "done") model.log(key).hold(model.log(key).accepted);
        if (outcome === "done") model.sent(key).cut(offset, startOffset);
        this.#producers.forget(key);
      },
      () => log.truncateTo(offset),
    );
    await this.#settle();
  }

  async #deleteBefore(key: string): Promise<void> {
    await this.#settle();
    const { random, model } = this.#world;
    const log = await this.#log(key);
    if (log === undefined || this.#mustReopen) return;
    const { startOffset, endOffset } = log;
    const offset = startOffset + random.below(endOffset - startOffset + 1);
    const settle = model.log(key).deleteBefore(offset);
    this.#go(settle, async () => {
      await log.deleteBefore(offset);
      if (log.startOffset < offset) throw new Violation("deleteBefore did not move the start");
    });
  }

  async #commit(key: string, how: "commit" | "seek"): Promise<void> {
    await this.#settle();
    const { random, model, setting, subject } = this.#world;
    const log = await this.#log(key);
    if (log === undefined || subject.store === undefined || this.#mustReopen) return;
    const name = random.pick(GROUPS);
    const group = subject.store.group(name);
    const next = random.below(log.endOffset + 1);
    // A commit that changes nothing is not written down; a seek is.
    const times = setting.hasStorms && how === "seek" ? STORM_COMMITS : 1;
    for (let time = 0; time < times; time++) {
      const settle = model.commits(name, key)[how](next);
      this.#go(settle, () => group[how]({ [key]: next }));
    }
    // Beside what else is asked of the store, now and then.
    if (random.below(2) === 0) await this.#settle();
  }

  async #deleteKey(key: string): Promise<void> {
    await this.#settle();
    const { model, subject } = this.#world;
    const { store } = subject;
    if (store === undefined || this.#mustReopen || !store.keys().includes(key)) return;
    const settle = model.remove(key);
    this.#go(
      (outcome) => {
        this.#world.forget(key);
        this.#producers.forget(key);
        settle(outcome);
        if (outcome !== "done") this.#mustReopen = true;
      },
      () => store.deleteKey(key),
    );
    await this.#settle();
    // What a reader has open of it is of a log that is no more.
    await this.#world.endLooking();
  }

  async #log(key: string) {
    try {
      return await this.#world.log(key);
    } catch (error) {
      this.#judge(error);
      return undefined;
    }
  }

  #value(): string {
    const { random } = this.#world;
    const number = `${this.#name}:${this.#values++}.`;
    const length = random.below(4) === 0 ? random.below(MAX_VALUE_LENGTH) : random.below(40);
    return number + String.fromCharCode(97 + random.below(26)).repeat(length);
  }

  /** Starts a call, and tells the model what it comes to. */
  #go(settle: (outcome: Outcome) => void, call: () => Promise<unknown>): void {
    const run = call().then(
      () => settle("done"),
      (error: unknown) => settle(this.#judge(error)),
    );
    this.#begin(run);
  }

  /** Whoever settles gets to know how it went; until then it is nobody's. */
  #begin(run: Promise<void>): void {
    run.catch(() => undefined);
    this.#inFlight.push(run);
  }

  async #settle(): Promise<void> {
    const inFlight = this.#inFlight;
    this.#inFlight = [];
    await Promise.all(inFlight);
  }

  /** What a failure means for the model; one that nothing caused is a violation. */
  #judge(error: unknown): Outcome {
    if (!(error instanceof SeglogError)) throw error;
    // Retention may have moved the start since it was looked at.
    const { retention } = this.#world.setting.options;
    if (error.code === "OFFSET_OUT_OF_RANGE" && retention !== undefined) return "refused";
    if (!this.#world.hasFailed) {
      throw new Violation(`it fails, though the disk does not: ${error.message}`, { cause: error });
    }
    if (error.code === "NO_SPACE" || error.code === "TOO_MANY_OPEN_FILES") return "refused";
    this.#mustReopen = true;
    return "unknown";
  }
}
