import { SharedRounds } from "../../log/shared-rounds.js";
import { MaelstromError } from "../runtime/maelstrom-error.js";
import type { KvEnvironment } from "./environment.js";

/** What stood in the store at some time. */
interface State {
  /** Rises with every change; 0 if there was nothing. */
  readonly version: number;
  /** The next offset to read, by key. */
  readonly offsets: ReadonlyMap<string, number>;
  /** As it stands there. A text, so that what is swapped is compared letter by letter. */
  readonly text: string;
}

const NOTHING: State = { version: 0, offsets: new Map(), text: "" };

/**
 * The committed offsets of the keys of one slot: one value of a linearizable key-value store, which
 * is changed by compare-and-swap only, and never to a lower offset. Those that are committed while
 * a change is on its way are committed together by the next one.
 */
export class CommittedSlot {
  readonly #store: KvEnvironment["ordered"];
  readonly #name: string;
  readonly #changes = new SharedRounds(() => this.#change());
  readonly #reads = new SharedRounds(() => this.#read());
  /** What the next change is to commit. */
  #wanted = new Map<string, number>();
  /** The newest that was seen; what stands there is this or higher. */
  #state = NOTHING;
  #seenAtMs = Number.NEGATIVE_INFINITY;

  /** @param name - The key in the store. */
  constructor(store: KvEnvironment["ordered"], name: string) {
    this.#store = store;
    this.#name = name;
  }

  /** When the state was seen that is known here, by `performance.now()`. */
  get seenAtMs(): number {
    return this.#seenAtMs;
  }

  /** The committed offset of a key as it was seen; 0 if there was none. */
  next(key: string): number {
    return this.#state.offsets.get(key) ?? 0;
  }

  /** Learns of everything that was committed before this call. */
  async refresh(): Promise<void> {
    await this.#reads.run();
  }

  /**
   * Commits the offsets of some keys, all or none; a lower one than there is changes nothing.
   *
   * @throws MaelstromError `timeout` if they may be committed or not; another one if they are not.
   */
  async commit(offsets: ReadonlyMap<string, number>): Promise<void> {
    for (const [key, next] of offsets) {
      this.#wanted.set(key, Math.max(next, this.#wanted.get(key) ?? 0));
    }
    await this.#changes.run();
  }

  async #change(): Promise<void> {
    const wanted = [...this.#wanted];
    this.#wanted = new Map();
    for (;;) {
      const higher = wanted.filter(([key, next]) => next > this.next(key));
      if (higher.length === 0) return;
      const from = this.#state;
      const to = stateOf(from.version + 1, new Map([...from.offsets, ...higher]));
      const askedAtMs = performance.now();
      if (await this.#swap(from, to)) return this.#see(to, askedAtMs);
      await this.refresh();
    }
  }

  async #swap(from: State, to: State): Promise<boolean> {
    if (from.version === 0) return await this.#store.create(this.#name, to.text);
    return await this.#store.compareAndSwap(this.#name, from.text, to.text);
  }

  async #read(): Promise<void> {
    const askedAtMs = performance.now();
    const value = await this.#store.read(this.#name);
    this.#see(value === undefined ? NOTHING : readState(value, this.#name), askedAtMs);
  }

  /** Answers may overtake each other: what is older is not taken for what is there. */
  #see(state: State, askedAtMs: number): void {
    if (state.version > this.#state.version) this.#state = state;
    this.#seenAtMs = Math.max(this.#seenAtMs, askedAtMs);
  }
}

function stateOf(version: number, offsets: ReadonlyMap<string, number>): State {
  return { version, offsets, text: JSON.stringify({ version, offsets: [...offsets] }) };
}

/** @throws MaelstromError `crash` if it is nothing that `stateOf` has made. */
function readState(value: unknown, name: string): State {
  try {
    const text = String(value);
    const { version, offsets } = JSON.parse(text);
    const state = stateOf(version, new Map(offsets));
    const isState = Number.isSafeInteger(version) && [...state.offsets].every(isCommitted);
    if (typeof value === "string" && isState && state.text === text) return state;
  } catch {
    // Told below.
  }
  throw new MaelstromError("crash", `What stands at ${name} are no committed offsets.`);
}

function isCommitted([key, next]: readonly [unknown, unknown]): boolean {
  return typeof key === "string" && Number.isSafeInteger(next) && Number(next) > 0;
}
