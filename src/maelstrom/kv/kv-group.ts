import { OffsetOutOfRangeError } from "../../index.js";
import type { CommittedOffsets } from "../kafka-workload.js";
import { errorOfParts } from "../partly-done.js";
import { asMaelstromError, MaelstromError } from "../runtime/maelstrom-error.js";
import { slotOf } from "../slot.js";
import { CommittedSlot } from "./committed-slot.js";
import type { KvEnvironment } from "./environment.js";
import type { KvLogs } from "./kv-logs.js";

/**
 * Committed offsets in a linearizable key-value store, those of each slot's keys together. Unlike
 * those of a `LogStore`, offsets of several slots are committed one by one: a failure may leave
 * some of them.
 */
export class KvGroup implements CommittedOffsets {
  readonly #environment: KvEnvironment;
  readonly #logs: KvLogs;
  readonly #prefix: string;
  readonly #slots = new Map<number, CommittedSlot>();

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
    await Promise.all(Array.from(offsets, ([key, next]) => this.#assertThere(key, next)));
    const parts = new Map<CommittedSlot, Map<string, number>>();
    for (const [key, next] of offsets) {
      const slot = this.#slotOf(key);
      parts.set(slot, (parts.get(slot) ?? new Map()).set(key, next));
    }
    const ends = await Promise.allSettled(Array.from(parts, ([slot, part]) => slot.commit(part)));
    const errors = ends.flatMap((end) =>
      end.status === "rejected" ? [asMaelstromError(end.reason)] : [],
    );
    if (errors.length > 0) throw errorOfParts(ends.length - errors.length, errors);
  }

  /** The next offset to read of each of the keys that has one. */
  async committed(keys: Iterable<string>): Promise<ReadonlyMap<string, number>> {
    const asked = Array.from(keys, (key) => [key, this.#slotOf(key)] as const);
    const isOld = ([key, slot]: (typeof asked)[number]) =>
      !this.#environment.trustIn(key).covers(slot.seenAtMs);
    const old = new Set(asked.filter(isOld).map(([, slot]) => slot));
    await Promise.all(Array.from(old, (slot) => slot.refresh()));
    const found = asked.map(([key, slot]) => [key, slot.next(key)] as const);
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

  #slotOf(key: string): CommittedSlot {
    const number = slotOf(key);
    const known = this.#slots.get(number);
    if (known !== undefined) return known;
    const slot = new CommittedSlot(this.#environment.ordered, `${this.#prefix}${number}`);
    this.#slots.set(number, slot);
    return slot;
  }
}
