import assert from "node:assert/strict";
import type { SeglogError } from "../../src/errors.js";
import { CommitLog, type OpenLogOptions } from "../../src/log/commit-log.js";
import { verifyLog } from "../../src/log/inspect/verify.js";
import { LogModel, type Remains } from "./log-model.js";
import type { Outcome, World } from "./world.js";

/** Uses one log in a world in which anything may fail, and keeps count of what was promised. */
export class LogActor {
  readonly #world: World;
  readonly directory: string;
  readonly #options: OpenLogOptions;
  readonly #model: LogModel;
  #log: CommitLog | undefined;

  constructor(world: World, directory: string, options: OpenLogOptions, model = new LogModel("r")) {
    this.#world = world;
    this.directory = directory;
    this.#options = { ...options, onError: (error) => world.onError(error) };
    this.#model = model;
    if (options.retention !== undefined) model.retain();
  }

  /** The same, in a world that goes on from here by itself. */
  in(world: World): LogActor {
    return new LogActor(world, this.directory, this.#options, this.#model.copy());
  }

  get log(): CommitLog {
    return this.#log!;
  }

  get #isDurable(): boolean {
    return (this.#options.durability ?? "always") === "always";
  }

  /**
   * Opens it; a failure is tried again, at last on a sound disk. What is there by then is what will
   * stay.
   */
  async open(): Promise<void> {
    for (let attempt = 0; ; attempt++) {
      if (attempt > 1) this.#world.heal();
      const wasHurt = this.#world.isHurt;
      const outcome = await this.#world.call("open", this.directory, () =>
        CommitLog.openOn(this.#world.process(), this.directory, this.#options),
      );
      if (outcome.ok) {
        this.#log = outcome.value;
        break;
      }
      assert(wasHurt, "opening fails on a sound disk");
    }
    this.#world.reopened(this.directory);
    await this.read("adopt");
  }

  /** Whether it was opened, and not closed since. */
  get isOpen(): boolean {
    return this.#log?.isOpen === true;
  }

  /** Reads all. */
  async read(how: "adopt" | "compare" = "compare"): Promise<void> {
    for (let attempt = 0; ; attempt++) {
      if (attempt > 1) this.#world.heal();
      const wasHurt = this.#world.isHurt;
      const outcome = await this.#world.call("read", this.directory, async () => {
        if (how === "adopt") await this.#model.adopt(this.log);
        else await this.#model.check(this.log, "session");
      });
      if (outcome.ok) return;
      assert(wasHurt, "reading fails on a sound disk");
      if (how === "compare") return;
    }
  }

  async append(count = 1, bytes = 0): Promise<void> {
    const batch = this.#model.try(count, bytes);
    const values = batch.map(({ value }) => value);
    const outcome = await this.#call("append", async () => {
      if (count === 1) return this.log.append(values[0]!);
      const { baseOffset, lastOffset } = await this.log.appendBatch(values);
      assert.equal(lastOffset - baseOffset, count - 1);
      return baseOffset;
    });
    if (outcome.ok) this.#model.acknowledge(batch, outcome.value, this.#isDurable);
    else if (outcome.code !== "LOG_POISONED") this.#model.refuse(batch);
  }

  async flush(): Promise<void> {
    const outcome = await this.#call("flush", () => this.log.flush());
    if (outcome.ok) this.#model.flushed();
  }

  /** Drops the last records, so many if there are. */
  async dropLast(count: number): Promise<void> {
    const offset = Math.max(this.log.endOffset - count, this.log.startOffset);
    if (offset === this.log.endOffset) return;
    const takeBack = this.#model.mayBeTruncated(offset);
    const outcome = await this.#call("truncateTo", () => this.log.truncateTo(offset));
    if (outcome.ok || outcome.code !== "LOG_POISONED") takeBack();
    if (outcome.ok) this.#model.truncated(offset);
  }

  /** Deletes the first records, so many if there are. */
  async dropFirst(count: number): Promise<void> {
    const offset = Math.min(this.log.startOffset + count, this.log.endOffset);
    if (offset === this.log.startOffset) return;
    const outcome = await this.#call("deleteBefore", () => this.log.deleteBefore(offset));
    if (outcome.ok) this.#model.deletedBefore(offset);
    // Without a handle to sync its name with, the new bound may hold after a crash.
    else if (outcome.code !== "NO_SPACE") this.#model.mayBeDeletedBefore(offset);
  }

  /** Points reads, searches, and what tools ask. */
  async look(): Promise<void> {
    const { log } = this;
    const { startOffset, endOffset } = log;
    if (startOffset === endOffset) return;
    await this.#call("read", () => log.read(startOffset));
    await this.#call("read", async () => log.readSync(endOffset - 1));
    await this.#call("read", () => log.readFrom(startOffset, { maxRecords: 2 }));
    const found = await this.#call("read", () => log.offsetForTimestamp(0));
    if (found.ok) assert.equal(found.value, startOffset);
    await this.#call("read", async () => log.segments());
  }

  /** Another process looks at the log beside its writer. */
  async follow(): Promise<void> {
    const environment = this.#world.process();
    const options = { readOnly: true } as const;
    const outcome = await this.#world.call("follow", `follower of ${this.directory}`, () =>
      CommitLog.openOn(environment, this.directory, options),
    );
    if (!outcome.ok) return;
    const reader = outcome.value;
    // One that was given up amid a truncation shows others what was there before, as far as its
    // files are still there. One that could not publish has told so, and others lag behind.
    const isGivenUp = this.#world.isPoisoned(this.directory) && reader.epoch < this.log.epoch;
    await this.#call("follow", async () => {
      try {
        for await (const { offset, value } of reader.records()) {
          if (isGivenUp || this.#world.told.length > 0) continue;
          const { value: own } = await this.log.read(offset);
          assert.deepEqual(value, own, `what another process reads at ${offset}`);
        }
      } catch (error) {
        const isBehind = isGivenUp || this.#world.told.length > 0;
        if (!isBehind || (error as SeglogError).code !== "LOG_TRUNCATED") throw error;
      }
    });
    await this.#world.call("close", `follower of ${this.directory}`, () => reader.close());
  }

  async close(): Promise<void> {
    const wasPoisoned = this.#world.isPoisoned(this.directory);
    const outcome = await this.#call("close", () => this.log.close());
    if (outcome.ok) {
      this.#model.flushed();
      assert(!wasPoisoned, "a log that was given up says so when it is closed");
    }
    assert.deepEqual(this.#world.system.openPaths, [], "files left open");
  }

  /** Looks at the log on what is left of the disk after something else than a close. */
  async checkOn(world: World, remains: Remains): Promise<void> {
    const log = await world.call("open", this.directory, () =>
      CommitLog.openOn(world.process(), this.directory, this.#options),
    );
    if (!log.ok) throw new Error("unreachable: a world without faults lets no failure pass");
    await world.call("read", this.directory, () => this.#model.check(log.value, remains));
    await world.call("close", this.directory, () => log.value.close());
    await world.end();
  }

  /** The disk is sound, and so is what is on it. */
  async verify(): Promise<void> {
    const { findings } = await verifyLog(this.#world.process(), this.directory);
    assert.deepEqual(
      // An index that could not be saved is built anew when it is needed.
      findings.filter(({ level, remedy }) => level !== "note" && remedy !== "index"),
      [],
    );
  }

  #call<T>(kind: Parameters<World["call"]>[0], run: () => Promise<T>): Promise<Outcome<T>> {
    return this.#world.call(kind, this.directory, run);
  }
}
