import type { Random } from "../random.js";

/** Keys that are written to at the same time. */
const ACTIVE_KEYS = 10;

/** How often a client is given other keys instead of what it was to do. */
const ASSIGN_PROBABILITY = 1 / 64;

/** How often it is given the keys with messages that nobody has read yet, too. */
const UNSEEN_PROBABILITY = 1 / 3;

/** What a client is to do next. */
export type Task =
  | { readonly type: "send"; readonly key: string; readonly message: number }
  | { readonly type: "poll" }
  | { readonly type: "assign"; readonly keys: readonly string[] };

/**
 * Decides what clients do, as Maelstrom's `kafka` workload does: as many sends as polls, to keys of
 * which one is twice as likely as the one before it, and whose messages are 1, 2, 3, … The seed
 * determines all but the keys that nobody has read yet.
 */
export class Workload {
  readonly #random: Random;
  readonly #writesPerKey: number;
  readonly #activeKeys = Array.from({ length: ACTIVE_KEYS }, (_, key) => key);
  #nextKey = ACTIVE_KEYS;
  readonly #written = new Map<number, number>();
  /** By key, the highest offset that was given to a message, or read. */
  readonly #highest = new Map<string, number>();
  readonly #highestRead = new Map<string, number>();
  readonly #highestCommitted = new Map<string, number>();

  /** @param writesPerKey - How often a key is written to until another takes its place. */
  constructor(random: Random, writesPerKey: number) {
    this.#random = random;
    this.#writesPerKey = writesPerKey;
  }

  /** By key, the highest offset that is known to have a message. */
  get highestOffsets(): ReadonlyMap<string, number> {
    return this.#highest;
  }

  /** By key, the highest offset of a commit that was acknowledged. */
  get committedOffsets(): ReadonlyMap<string, number> {
    return this.#highestCommitted;
  }

  /** What the next client that is free has to do. */
  next(): Task {
    const sends = this.#random.next() < 0.5;
    const key = this.#chooseKey(sends);
    if (this.#random.next() < ASSIGN_PROBABILITY) return this.#assign(String(key));
    if (!sends) return { type: "poll" };
    const message = (this.#written.get(key) ?? 0) + 1;
    this.#written.set(key, message);
    return { type: "send", key: String(key), message };
  }

  /** A send was acknowledged. */
  sent(key: string, offset: number): void {
    raise(this.#highest, key, offset);
  }

  /** A poll came to `offset`. */
  read(key: string, offset: number): void {
    raise(this.#highest, key, offset);
    raise(this.#highestRead, key, offset);
  }

  /** A commit was acknowledged. */
  committed(key: string, offset: number): void {
    raise(this.#highestCommitted, key, offset);
  }

  #assign(key: string): Task {
    if (this.#random.next() >= UNSEEN_PROBABILITY) return { type: "assign", keys: [key] };
    const unseen = [...this.#highest].filter(
      ([other, offset]) => (this.#highestRead.get(other) ?? -1) < offset,
    );
    return { type: "assign", keys: [...new Set([...unseen.map(([other]) => other), key])] };
  }

  #chooseKey(writes: boolean): number {
    for (;;) {
      // The key with number i is 2^i times as likely as the one with number 0.
      const place = Math.floor(Math.log2(1 + this.#random.next() * (2 ** ACTIVE_KEYS - 1)));
      const key = this.#activeKeys[place] as number;
      if (!writes || (this.#written.get(key) ?? 0) < this.#writesPerKey) return key;
      this.#activeKeys[place] = this.#nextKey++;
    }
  }
}

function raise(offsets: Map<string, number>, key: string, offset: number): void {
  offsets.set(key, Math.max(offsets.get(key) ?? -1, offset));
}
