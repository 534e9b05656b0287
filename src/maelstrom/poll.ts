import type { LogRecord, ReadOptions } from "../index.js";
import { toMaelstromError } from "./failure.js";
import { isUnavailable } from "./partly-done.js";
import { TimeLimit } from "./time-limit.js";

/** The most messages of one key in one answer to a poll. */
const MESSAGES_PER_KEY = 20;

/**
 * About how many bytes of messages one answer to a poll holds. The message that goes beyond is
 * still in it, so that a long one does not stop its readers for ever.
 */
export const POLL_BYTES = 1024 * 1024;

/** How many keys of a poll are read at the same time. */
const KEYS_AT_A_TIME = 64;

/**
 * How long a poll reads, if it has found something by then. Less than a node waits for another one,
 * so that a busy owner is not taken for one that cannot be reached.
 */
const READ_MS = 1000;

/** What the workload needs to know of a record. */
export type Message = Pick<LogRecord, "offset" | "value">;

/** Reads messages of one key with offsets of at least `from`. */
export type ReadKey = (
  key: string,
  from: number,
  options: ReadOptions,
) => Promise<readonly Message[]>;

/**
 * Reads what a poll asks for, as far as there are time and room. A key for which there was none is
 * left out, and so is one that cannot be read at the moment, unless that leaves nothing.
 *
 * @param offsets - Where to begin, by key.
 * @param turn - How many polls there were before: each begins with another key, so that none is
 *   left out for ever.
 * @returns By key, in the order of `offsets`.
 * @throws The first error that is not of the moment; or, if nothing was read, the first.
 */
export async function readPolled(
  read: ReadKey,
  offsets: ReadonlyMap<string, number>,
  turn: number,
): Promise<ReadonlyMap<string, readonly Message[]>> {
  const poll = new Poll(read, offsets);
  const rest = rotate([...offsets.keys()], turn);
  using time = new TimeLimit(READ_MS);
  while (rest.length > 0 && poll.hasRoom && !time.isOver) {
    const reads = poll.begin(rest.splice(0, KEYS_AT_A_TIME));
    await Promise.race([Promise.all(reads), time.over]);
    if (poll.isEmpty) await Promise.race(reads);
    poll.take();
  }
  return poll.end();
}

/** What a poll has found so far. */
class Poll {
  readonly #read: ReadKey;
  readonly #offsets: ReadonlyMap<string, number>;
  /** Keys that are being read or were, in the order in which their messages are taken. */
  #begun: readonly string[] = [];
  readonly #found = new Map<string, readonly Message[]>();
  readonly #taken = new Map<string, readonly Message[]>();
  readonly #errors: unknown[] = [];
  #bytesLeft = POLL_BYTES;

  constructor(read: ReadKey, offsets: ReadonlyMap<string, number>) {
    this.#read = read;
    this.#offsets = offsets;
  }

  get hasRoom(): boolean {
    return this.#bytesLeft > 0;
  }

  /** Whether nothing has ended yet, well or badly. */
  get isEmpty(): boolean {
    return this.#found.size + this.#errors.length === 0;
  }

  /** Begins to read some of the keys; the promises never reject. */
  begin(keys: readonly string[]): Promise<void>[] {
    this.#begun = keys;
    const maxBytes = Math.ceil(this.#bytesLeft / keys.length);
    return keys.map((key) => this.#find(key, maxBytes));
  }

  /** Takes what was found of the keys that were begun last, as far as there is room. */
  take(): void {
    for (const key of this.#begun) {
      const messages = this.#found.get(key);
      if (messages === undefined) continue;
      const taken = messages.filter((message) => this.#hasTaken(message));
      if (taken.length > 0 || messages.length === 0) this.#taken.set(key, taken);
    }
  }

  async #find(key: string, maxBytes: number): Promise<void> {
    try {
      const limits = { maxRecords: MESSAGES_PER_KEY, maxBytes };
      this.#found.set(key, await this.#read(key, this.#offsets.get(key) ?? 0, limits));
    } catch (error) {
      this.#errors.push(error);
    }
  }

  #hasTaken({ value }: Message): boolean {
    if (!this.hasRoom) return false;
    this.#bytesLeft -= value.length;
    return true;
  }

  /** What was taken; what comes later does not change it. */
  end(): ReadonlyMap<string, readonly Message[]> {
    const isFatal = (error: unknown) =>
      this.#taken.size === 0 || !isUnavailable(toMaelstromError(error));
    const fatal = this.#errors.find(isFatal);
    if (fatal !== undefined) throw fatal;
    const keys = [...this.#offsets.keys()].filter((key) => this.#taken.has(key));
    return new Map(keys.map((key) => [key, this.#taken.get(key) ?? []]));
  }
}

/** The golden ratio's part behind the point. */
const GOLDEN = 0.618_033_988_749_895;

/**
 * Lets the keys begin somewhere else at each turn. No multiple of the step comes back to where it
 * was, so a consumer of every second poll, or third, gets to every key as well.
 */
function rotate(keys: readonly string[], turn: number): string[] {
  const first = Math.floor(((turn * GOLDEN) % 1) * keys.length);
  return [...keys.slice(first), ...keys.slice(0, first)];
}
