import assert from "node:assert/strict";
import type { CommitLog } from "../../src/log/commit-log.js";
import { LogStore, type StoreOptions } from "../../src/store/log-store.js";
import { CommittedModel } from "./committed-model.js";
import { LogModel, type Remains } from "./log-model.js";
import type { Outcome, World } from "./world.js";

/** Uses a store in a world in which anything may fail, and keeps count of what was promised. */
export class StoreActor {
  readonly #world: World;
  readonly #directory: string;
  readonly #options: StoreOptions;
  readonly #logs = new Map<string, LogModel>();
  /** What a key held whose deletion may not have come to pass. */
  readonly #ghosts = new Map<string, LogModel>();
  #committed = new CommittedModel();
  #incarnations = 0;
  #store: LogStore | undefined;

  constructor(world: World, directory: string, options: StoreOptions) {
    this.#world = world;
    this.#directory = directory;
    this.#options = { ...options, onError: (error) => world.onError(error) };
  }

  /** The same, in a world that goes on from here by itself. */
  in(world: World): StoreActor {
    const copy = new StoreActor(world, this.#directory, this.#options);
    for (const [key, model] of this.#logs) copy.#logs.set(key, model.copy());
    copy.#committed = this.#committed.copy();
    copy.#incarnations = this.#incarnations;
    return copy;
  }

  get isOpen(): boolean {
    return this.#store !== undefined;
  }

  get #isDurable(): boolean {
    return (this.#options.durability ?? "always") === "always";
  }

  /** Opens it, at last on a sound disk, and looks at all that is there. */
  async open(): Promise<void> {
    for (let attempt = 0; this.#store === undefined; attempt++) {
      if (attempt > 1) this.#world.heal();
      const wasHurt = this.#world.isHurt;
      const outcome = await this.#world.call("open store", this.#directory, () =>
        LogStore.openOn(this.#world.process(), this.#directory, this.#options),
      );
      if (outcome.ok) this.#store = outcome.value;
      else assert(wasHurt, "opening fails on a sound disk");
    }
    this.#world.reopened(this.#directory);
    this.#committed.reopened();
    for (let attempt = 0; ; attempt++) {
      if (attempt > 1) this.#world.heal();
      const outcome = await this.#world.call("read key", this.#directory, () => this.#adopt());
      if (outcome.ok) return;
    }
  }

  /** Its process was killed. */
  died(): void {
    this.#store = undefined;
  }

  async append(key: string, count = 1, bytes = 0): Promise<void> {
    const batch = this.#log(key).try(count, bytes);
    const values = batch.map(({ value }) => value);
    const model = this.#log(key);
    const outcome = await this.#world.call("append to key", this.#path(key), async () => {
      if (count === 1) return this.#store!.append(key, values[0]!);
      return (await this.#store!.appendBatch(key, values)).baseOffset;
    });
    if (outcome.ok) model.acknowledge(batch, outcome.value, this.#isDurable);
    else if (outcome.code !== "LOG_POISONED") model.refuse(batch);
  }

  /** Reads a key as its consumers do. */
  async read(key: string): Promise<void> {
    await this.#world.call("read key", this.#path(key), () => this.#store!.read(key, 0));
  }

  /** @param wanted - Less is committed where the log has less. */
  async commit(group: string, key: string, wanted: number, mode: "commit" | "seek" = "commit") {
    if (!this.#store!.keys().includes(key)) return;
    const next = Math.min(wanted, this.#log(key).endOffset);
    const outcome = await this.#call("commit", () =>
      this.#store!.group(group)[mode]({ [key]: next }),
    );
    if (outcome.ok) this.#committed.set(group, key, next, mode);
    else if (outcome.code === "LOG_POISONED") this.#committed.maySet(group, key, next);
  }

  async dropLast(key: string, count: number): Promise<void> {
    const found = await this.#world.call("read key", this.#path(key), () => this.#store!.log(key));
    if (!found.ok) return;
    const log = found.value;
    const offset = Math.max(log.endOffset - count, log.startOffset);
    if (offset === log.endOffset) return;
    const takeBack = this.#log(key).mayBeTruncated(offset);
    const outcome = await this.#world.call("truncateTo", this.#path(key), () =>
      log.truncateTo(offset),
    );
    const isRefused = !outcome.ok && outcome.code !== "LOG_POISONED";
    if (outcome.ok || isRefused) takeBack();
    if (outcome.ok) this.#log(key).truncated(offset);
    if (outcome.ok) this.#committed.truncated(key, offset);
    else if (!isRefused) this.#committed.mayBeTruncated(key, offset);
  }

  async deleteKey(key: string): Promise<void> {
    const outcome = await this.#call("deleteKey", () => this.#store!.deleteKey(key));
    // Its log was closed for that, also where it then was not deleted.
    this.#world.closed(this.#path(key));
    if (this.#store!.keys().includes(key)) return assert(!outcome.ok, "a deleted key is there");
    if (!outcome.ok) this.#ghosts.set(key, this.#log(key));
    this.#logs.delete(key);
    this.#committed.deleted(key, outcome.ok);
  }

  async flush(): Promise<void> {
    const outcome = await this.#call("flush store", () => this.#store!.flush());
    if (!outcome.ok) return;
    for (const model of this.#logs.values()) model.flushed();
  }

  async checkCommitted(): Promise<void> {
    await this.#call("committed", () => this.#committed.check(this.#store!, "session"));
  }

  async close(): Promise<void> {
    const store = this.#store!;
    await this.#call("close", () => store.close());
    this.#store = undefined;
    assert.deepEqual(this.#world.system.openPaths, [], "files left open");
  }

  /** Looks at the store on what is left of the disk after something else than a close. */
  async checkOn(world: World, remains: Remains): Promise<void> {
    const opened = await world.call("open store", this.#directory, () =>
      LogStore.openOn(world.process(), this.#directory, this.#options),
    );
    if (!opened.ok) throw new Error("unreachable: a world without faults lets no failure pass");
    const store = opened.value;
    await world.call("read key", this.#directory, async () => {
      for (const [key, model] of this.#logs) await this.#checkKey(store, key, model, remains);
      const isLoose = remains === "power" && !this.#isDurable;
      await this.#committed.check(store, isLoose ? "prefix" : "session");
    });
    await world.call("close", this.#directory, () => store.close());
    await world.end();
  }

  async #checkKey(store: LogStore, key: string, model: LogModel, remains: Remains): Promise<void> {
    if (!store.keys().includes(key)) {
      assert(!model.mustBeThere(remains), `the key ${key} is lost`);
      return;
    }
    const log = await store.log(key);
    const ghost = this.#ghosts.get(key);
    try {
      await model.check(log, remains);
    } catch (error) {
      if (ghost === undefined || model.mustBeThere(remains)) throw error;
      await ghost.check(log, remains);
    }
  }

  async #adopt(): Promise<void> {
    const store = this.#store!;
    for (const [key, model] of this.#logs) {
      if (store.keys().includes(key)) continue;
      assert(!model.mustBeThere("process"), `the key ${key} is lost`);
    }
    const adopted = new Map<string, CommitLog>();
    for (const key of store.keys()) adopted.set(key, await store.log(key));
    for (const [key, log] of adopted) await this.#log(key).adopt(log);
    await this.#committed.check(store, "session");
  }

  #log(key: string): LogModel {
    const known = this.#logs.get(key);
    if (known !== undefined) return known;
    const model = new LogModel(`${key}${this.#incarnations++}:`);
    this.#logs.set(key, model);
    return model;
  }

  #path(key: string): string {
    return `${this.#directory}/logs/${key}`;
  }

  #call<T>(kind: Parameters<World["call"]>[0], run: () => Promise<T>): Promise<Outcome<T>> {
    return this.#world.call(kind, this.#directory, run);
  }
}
