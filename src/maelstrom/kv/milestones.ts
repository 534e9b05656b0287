import { BoundedMap } from "../bounded-map.js";
import type { KeyValueStore } from "../runtime/key-value-store.js";
import type { Place } from "./place.js";

/** Of so many batches, the first one's base offset is written down. */
const INTERVAL_BATCHES = 64;

/** How many milestones of a log are kept at hand. */
const MAX_KEPT = 256;

/**
 * A sparse index over the batches of a log, so that nobody has to walk from its beginning: the base
 * offset of every 64th batch, each under a key of its own. A milestone never changes, so it may be
 * kept in a store whose reads are stale: one that is there but is not seen yet, or was never
 * written, makes a walk longer and nothing else.
 */
export class Milestones {
  readonly #store: KeyValueStore;
  readonly #prefix: string;
  readonly #known = new BoundedMap<number, number>(MAX_KEPT);

  /** @param prefix - What the keys of the milestones begin with. */
  constructor(store: KeyValueStore, prefix: string) {
    this.#store = store;
    this.#prefix = prefix;
  }

  /** Writes down where a batch is, if its place is a milestone and is not known to be there. */
  async reached({ baseOffset, number }: Place): Promise<void> {
    if (number === 0 || number % INTERVAL_BATCHES !== 0) return;
    const index = number / INTERVAL_BATCHES;
    if (this.#known.get(index) !== undefined) return;
    this.#known.set(index, baseOffset);
    await this.#store.write(`${this.#prefix}${index}`, baseOffset);
  }

  /**
   * The last milestone that can be found at or before an offset, or the beginning of the log; in
   * steps that are as many as its number has binary digits, twice.
   */
  async before(offset: number): Promise<Place> {
    let low = 0;
    let baseOffset = 0;
    const tryNext = async (index: number): Promise<boolean> => {
      const found = await this.#read(index);
      if (found === undefined || found > offset) return false;
      low = index;
      baseOffset = found;
      return true;
    };
    let high = 1;
    while (await tryNext(high)) high *= 2;
    while (high - low > 1) {
      const middle = Math.floor((low + high) / 2);
      if (!(await tryNext(middle))) high = middle;
    }
    return { baseOffset, number: low * INTERVAL_BATCHES };
  }

  async #read(index: number): Promise<number | undefined> {
    const known = this.#known.get(index);
    if (known !== undefined) return known;
    const value = await this.#store.read(`${this.#prefix}${index}`);
    if (!Number.isSafeInteger(value)) return undefined;
    this.#known.set(index, Number(value));
    return Number(value);
  }
}
