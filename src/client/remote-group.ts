import type { KeyedGroup, OffsetsByKey } from "../store/keyed-log.js";
import { checkName } from "../store/name.js";
import { toOffsetPairs } from "../store/offset-pairs.js";
import { toSafeInteger } from "../wire/integers.js";
import type { Connection } from "./connection.js";

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
   * @throws OffsetOutOfRangeError past the end of a key's log, SeglogError `KEY_NOT_FOUND`,
   *   `UNAVAILABLE`, `TIMEOUT`, `PERMISSION_DENIED`, `CLOSED`. Then no key is changed, except that
   *   this is not known after `UNAVAILABLE` and `TIMEOUT`.
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
    const told = Object.fromEntries(generations);
    const request = { group: this.name, offsets: toMessage(offsets), generations: told };
    await this.#connection.call((calls, options) => calls.commit(request, options));
  }

  /**
   * Sets the next offset to read of each key, back or forth, on purpose. It is tried once.
   *
   * @throws As {@link commit}.
   */
  async seek(offsets: OffsetsByKey): Promise<void> {
    const request = { group: this.name, offsets: toMessage(offsets) };
    await this.#connection.once((calls, options) => calls.seek(request, options));
  }

  /**
   * The next offset to read of each key that has one.
   *
   * @param keys - Default: all keys that this group has committed and the token may read.
   * @throws SeglogError `UNAVAILABLE`, `TIMEOUT`, `CLOSED`.
   */
  async committed(keys?: Iterable<string>): Promise<Map<string, number>> {
    const wanted = keys === undefined ? [] : [...keys];
    this.#connection.closing.throwIfAborted();
    if (keys !== undefined && wanted.length === 0) return new Map();
    const request = { group: this.name, keys: wanted };
    const { offsets } = await this.#connection.call((calls, options) =>
      calls.committed(request, options),
    );
    const pairs = Object.entries(offsets);
    return new Map(pairs.map(([key, next]) => [key, toSafeInteger(next, "offset")]));
  }
}

function toMessage(offsets: OffsetsByKey): Record<string, bigint> {
  return Object.fromEntries(toOffsetPairs(offsets).map(([key, next]) => [key, BigInt(next)]));
}
