import { BoundedMap } from "../bounded-map.js";
import { isObject } from "../runtime/json.js";

/** For how long a key stays quiet. */
const QUIET_MS = 50;

/** Of how many keys it is known. */
const MAX_KEYS = 10_000;

interface Quiet {
  /** From here on there was nothing. */
  readonly offset: number | undefined;
  readonly untilMs: number;
  /** When something was sent from here. What was seen before says nothing. */
  readonly sentAtMs: number;
}

/**
 * Keys of which an owner has said a moment ago that there is nothing from an offset on. Consumers
 * that have read everything ask again and again, and most of the time nothing has come.
 */
export class QuietKeys {
  readonly #keys = new BoundedMap<string, Quiet>(MAX_KEYS);

  /** Whether there was nothing from this offset on a moment ago. */
  has(key: string, offset: unknown): boolean {
    const quiet = this.#keys.get(key);
    return quiet !== undefined && quiet.offset === offset && performance.now() < quiet.untilMs;
  }

  /**
   * Notes what an owner has answered to a poll.
   *
   * @param offsets - What it was asked for.
   * @param messages - What it has answered, by key.
   * @param askedAtMs - When, by `performance.now()`.
   */
  note(offsets: ReadonlyMap<string, unknown>, messages: unknown, askedAtMs: number): void {
    if (!isObject(messages)) return;
    for (const [key, offset] of offsets) {
      const found = messages[key];
      const isEmpty = Array.isArray(found) && found.length === 0;
      const sentAtMs = this.#keys.get(key)?.sentAtMs ?? Number.NEGATIVE_INFINITY;
      if (!isEmpty || sentAtMs >= askedAtMs) continue;
      this.#keys.set(key, { offset: Number(offset), untilMs: askedAtMs + QUIET_MS, sentAtMs });
    }
  }

  /** Notes that something was sent to a key from here, so that its sender sees it at once. */
  sent(key: string): void {
    this.#keys.set(key, { offset: undefined, untilMs: 0, sentAtMs: performance.now() });
  }
}
