import type { KeyedGroup, OffsetsByKey } from "../store/keyed-log.js";
import { checkName } from "../store/name.js";
import { toOffsetPairs } from "../store/offset-pairs.js";
import { toSafeInteger } from "../wire/integers.js";
import type { Connection } from "./connection.js";

/**
 * Keys in one call: with their generations they are less than the elements that a server takes in a
 * message.
 */
const KEYS_PER_CALL = 20_000;

/** A consumer group of a server's store. Get one with {@link SeglogClient.group}. */
export class RemoteGroup implements KeyedGroup {
  /** Groups of the same name share their committed offsets. */
  readonly name: string;
  readonly #connection: Connection;

  /** @internal */
  constructor(name: string, connection: Connection) {
    this.name = checkName(name, "a group");
    this.#connection = connection;
  }

  /**
   * Commits the next offset to read of each key. An offset below the committed one changes nothing,
   * so it is safe to try again, which this does for `timeoutMs`.
   *
   * All keys or none, up to 20,000 of them. More are committed in parts of so many, one after the
   * other in the order given; the first part that fails ends it, and those before it stay.
   *
   * @throws OffsetOutOfRangeError past the end of a key's log, SeglogError `KEY_NOT_FOUND`,
   *   `UNAVAILABLE`, `TIMEOUT`, `PERMISSION_DENIED`, `CLOSED`. Then no key of the part is changed,
   *   except that this is not known after `UNAVAILABLE` and `TIMEOUT`.
   */
  commit(offsets: OffsetsByKey): Promise<void> {
    return this.commitIn(new Map(), offsets);
  }

  /**
   * @internal {@link commit}, of offsets that were told in these generations.
   *
   * @throws SeglogError `LOG_TRUNCATED` if one of them may name another record by now.
   */
  async commitIn(
    generations: ReadonlyMap<string, Uint8Array>,
    offsets: OffsetsByKey,
  ): Promise<void> {
    for (const part of this.#partsOf(offsets)) {
      const told = part.flatMap(([key]) => {
        const generation = generations.get(key);
        return generation === undefined ? [] : [[key, generation] as const];
      });
      const request = {
        group: this.name,
        offsets: toMessage(part),
        generations: Object.fromEntries(told),
      };
      await this.#connection.call((calls, options) => calls.commit(request, options));
    }
  }

  /**
   * Sets the next offset to read of each key, back or forth, on purpose. It is tried once. More than
   * 20,000 keys go in parts, as those of {@link commit}.
   *
   * @throws As {@link commit}.
   */
  async seek(offsets: OffsetsByKey): Promise<void> {
    for (const part of this.#partsOf(offsets)) {
      const request = { group: this.name, offsets: toMessage(part) };
      await this.#connection.once((calls, options) => calls.seek(request, options));
    }
  }

  /**
   * The next offset to read of each key that has one.
   *
   * @param keys - Default: all keys that this group has committed and the token may read.
   * @throws SeglogError `UNAVAILABLE`, `TIMEOUT`, `CLOSED`.
   */
  async committed(keys?: Iterable<string>): Promise<Map<string, number>> {
    this.#connection.closing.throwIfAborted();
    if (keys === undefined) return this.#committed([]);
    const committed = new Map<string, number>();
    for (const part of partsOf([...keys])) {
      for (const [key, next] of await this.#committed(part)) committed.set(key, next);
    }
    return committed;
  }

  #partsOf(offsets: OffsetsByKey): (readonly [key: string, next: number])[][] {
    // The last offset of a key counts, in whichever parts they would be.
    const pairs = [...new Map(toOffsetPairs(offsets))];
    this.#connection.closing.throwIfAborted();
    return partsOf(pairs);
  }

  /** @param keys - None stands for all. */
  async #committed(keys: string[]): Promise<Map<string, number>> {
    const request = { group: this.name, keys };
    const { offsets } = await this.#connection.call((calls, options) =>
      calls.committed(request, options),
    );
    const pairs = Object.entries(offsets);
    return new Map(pairs.map(([key, next]) => [key, toSafeInteger(next, "offset")]));
  }
}

/** In their order; none of nothing. */
function partsOf<T>(all: readonly T[]): T[][] {
  const parts: T[][] = [];
  for (let start = 0; start < all.length; start += KEYS_PER_CALL) {
    parts.push(all.slice(start, start + KEYS_PER_CALL));
  }
  return parts;
}

function toMessage(pairs: readonly (readonly [string, number])[]): Record<string, bigint> {
  return Object.fromEntries(pairs.map(([key, next]) => [key, BigInt(next)]));
}
