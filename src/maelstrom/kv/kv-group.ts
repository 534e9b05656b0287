import { OffsetOutOfRangeError } from "../../index.js";
import { BoundedMap } from "../bounded-map.js";
import type { CommittedOffsets } from "../kafka-workload.js";
import { errorOfParts } from "../partly-done.js";
import { asMaelstromError, MaelstromError } from "../runtime/maelstrom-error.js";
import type { KvEnvironment } from "./environment.js";
import type { KvLogs } from "./kv-logs.js";

/** Of how many keys the committed offset is kept in memory. */
const MAX_KEPT = 100_000;

/** A committed offset as it was seen. It never goes back, so by now it is this or a higher one. */
interface Seen {
  readonly next: number;
  readonly atMs: number;
}

/**
 * Committed offsets in a linearizable key-value store, one value for each key, which only ever
 * grows: it is changed by compare-and-swap, and never to a lower one. Unlike those of a `LogStore`,
 * offsets that are committed together are committed one by one: a failure may leave some of them.
 */
export class KvGroup implements CommittedOffsets {
  readonly #environment: KvEnvironment;
  readonly #logs: KvLogs;
  readonly #prefix: string;
  readonly #seen = new BoundedMap<string, Seen>(MAX_KEPT);

  /** @param name - Groups of the same name share their committed offsets. */
  constructor(environment: KvEnvironment, logs: KvLogs, name: string) {
    this.#environment = environment;
    this.#logs = logs;
    this.#prefix = `committed/${encodeURIComponent(name)}/`;
  }

  /**
   * Commits the next offset to read of each key; a lower one than there is changes nothing.
   *
   * @throws OffsetOutOfRangeError before anything is committed; MaelstromError, see `errorOfParts`.
   */
  async commit(offsets: ReadonlyMap<string, number>): Promise<void> {
    const commits = [...offsets];
    await Promise.all(commits.map(([key, next]) => this.#assertThere(key, next)));
    const ends = await Promise.allSettled(commits.map(([key, next]) => this.#advance(key, next)));
    const errors = ends.flatMap((end) =>
      end.status === "rejected" ? [asMaelstromError(end.reason)] : [],
    );
    if (errors.length > 0) throw errorOfParts(ends.length - errors.length, errors);
  }

  /** The next offset to read of each of the keys that has one. */
  async committed(keys: Iterable<string>): Promise<ReadonlyMap<string, number>> {
    const found = await Promise.all(
      Array.from(keys, async (key) => [key, await this.#committedOf(key)] as const),
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
    let from = this.#seen.get(key)?.next ?? 0;
    while (from < next) {
      const askedAtMs = performance.now();
      if (await this.#change(key, from, next)) from = this.#see(key, next, askedAtMs);
      else from = await this.#read(key);
    }
  }

  /** @param from - 0 if there is none yet. */
  async #change(key: string, from: number, next: number): Promise<boolean> {
    const { ordered } = this.#environment;
    const name = this.#prefix + key;
    return from === 0 ? ordered.create(name, next) : ordered.compareAndSwap(name, from, next);
  }

  async #committedOf(key: string): Promise<number> {
    const seen = this.#seen.get(key);
    const isEnough = seen !== undefined && this.#environment.trustIn(key).covers(seen.atMs);
    return isEnough ? seen.next : await this.#read(key);
  }

  async #read(key: string): Promise<number> {
    const askedAtMs = performance.now();
    const value = (await this.#environment.ordered.read(this.#prefix + key)) ?? 0;
    if (!Number.isSafeInteger(value) || Number(value) < 0) {
      const text = `What stands at ${this.#prefix}${key} is no committed offset.`;
      throw new MaelstromError("crash", text);
    }
    return this.#see(key, Number(value), askedAtMs);
  }

  /** @returns The highest that was ever seen. */
  #see(key: string, next: number, atMs: number): number {
    const known = this.#seen.get(key);
    const highest = Math.max(known?.next ?? 0, next);
    this.#seen.set(key, { next: highest, atMs: Math.max(known?.atMs ?? atMs, atMs) });
    return highest;
  }
}
