import { OffsetOutOfRangeError } from "../../index.js";
import type { CommittedOffsets } from "../kafka-workload.js";
import { MaelstromError } from "../runtime/maelstrom-error.js";
import type { KvEnvironment } from "./environment.js";
import type { KvLogs } from "./kv-logs.js";

/** Of how many keys the committed offset is kept in memory. */
const MAX_KEPT = 100_000;

/**
 * Committed offsets in a linearizable key-value store, one value for each key, which only ever
 * grows: it is changed by compare-and-swap, and never to a lower one. Unlike those of a `LogStore`,
 * offsets that are committed together are committed one by one: a failure may leave some of them.
 */
export class KvGroup implements CommittedOffsets {
  readonly #environment: KvEnvironment;
  readonly #logs: KvLogs;
  readonly #prefix: string;
  /** By key, as they were seen last. They never go back, so by now they are these or higher. */
  readonly #seen = new Map<string, number>();

  /** @param name - Groups of the same name share their committed offsets. */
  constructor(environment: KvEnvironment, logs: KvLogs, name: string) {
    this.#environment = environment;
    this.#logs = logs;
    this.#prefix = `committed/${encodeURIComponent(name)}/`;
  }

  /**
   * Commits the next offset to read of each key; a lower one than there is changes nothing.
   *
   * @throws MaelstromError, OffsetOutOfRangeError, the latter before anything is committed.
   */
  async commit(offsets: ReadonlyMap<string, number>): Promise<void> {
    const commits = [...offsets];
    await Promise.all(commits.map(([key, next]) => this.#assertThere(key, next)));
    // All of them come to an end before anybody is told about one that failed.
    const ends = commits.map(([key, next]) => this.#advance(key, next));
    await Promise.allSettled(ends);
    await Promise.all(ends);
  }

  /** The next offset to read of each of the keys that has one, as the store has it now. */
  async committed(keys: Iterable<string>): Promise<ReadonlyMap<string, number>> {
    const found = await Promise.all(
      Array.from(keys, async (key) => [key, await this.#read(key)] as const),
    );
    return new Map(found.filter(([, next]) => next > 0));
  }

  async #assertThere(key: string, next: number): Promise<void> {
    const endOffset = await this.#logs.endOffset(key, next);
    if (next <= endOffset) return;
    if (endOffset === 0) {
      const text = `There is no key ${JSON.stringify(key)}. Nothing was committed.`;
      throw new MaelstromError("keyDoesNotExist", text);
    }
    throw new OffsetOutOfRangeError(next, 0, endOffset);
  }

  async #advance(key: string, next: number): Promise<void> {
    let from = this.#seen.get(key) ?? 0;
    while (from < next) {
      if (await this.#change(key, from, next)) from = this.#see(key, next);
      else from = await this.#read(key);
    }
  }

  /** @param from - 0 if there is none yet. */
  async #change(key: string, from: number, next: number): Promise<boolean> {
    const { ordered } = this.#environment;
    const name = this.#prefix + key;
    return from === 0 ? ordered.create(name, next) : ordered.compareAndSwap(name, from, next);
  }

  async #read(key: string): Promise<number> {
    const value = (await this.#environment.ordered.read(this.#prefix + key)) ?? 0;
    if (!Number.isSafeInteger(value) || Number(value) < 0) {
      const text = `What stands at ${this.#prefix}${key} is no committed offset.`;
      throw new MaelstromError("crash", text);
    }
    return this.#see(key, Number(value));
  }

  /** @returns The highest that was ever seen. */
  #see(key: string, next: number): number {
    const highest = Math.max(this.#seen.get(key) ?? 0, next);
    this.#seen.delete(key);
    this.#seen.set(key, highest);
    if (this.#seen.size > MAX_KEPT) {
      const [oldest] = this.#seen.keys();
      if (oldest !== undefined) this.#seen.delete(oldest);
    }
    return highest;
  }
}
