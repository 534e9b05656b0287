import { SharedRounds } from "../../log/shared-rounds.js";
import { MaelstromError } from "../runtime/maelstrom-error.js";
import { type Batch, decodeBatch, encodeBatch } from "./batch.js";
import type { KvEnvironment } from "./environment.js";
import { Milestones } from "./milestones.js";
import { OldBatches } from "./old-batches.js";
import { behind, contains, type Place, type PlacedBatch } from "./place.js";
import { RecentBatches } from "./recent-batches.js";
import type { Trust } from "./trust.js";

/** After how many batches of a log that is new here the rest is no longer gone along one by one. */
const WALKED_BATCHES = 16;

const BEGINNING: Place = { baseOffset: 0, number: 0 };

/**
 * One log in a linearizable key-value store: a chain of batches, each under a key that names its
 * base offset, and made by create-if-not-exists. What stands there never changes, and it says how
 * many messages it has, hence where the next batch must be. So there is one place at which the log
 * can grow, and the store lets one writer win it, whoever else believes in himself. A reader goes
 * along the chain to the place where there is nothing; a linearizable store says so only if nothing
 * behind it has been acknowledged.
 *
 * What is kept here is a copy of what cannot change any more, and how far the log goes at least.
 */
export class Chain {
  readonly #environment: KvEnvironment;
  readonly #trust: Trust;
  readonly #prefix: string;
  readonly #milestones: Milestones;
  readonly #rounds = new SharedRounds(() => this.#walkToEnd());
  #recent = new RecentBatches();
  #end = BEGINNING;
  #endSeenAtMs = Number.NEGATIVE_INFINITY;
  /** Whether the log may have been long before this node came to know it. */
  #isNew = true;
  readonly #old = new OldBatches();

  /** @param key - Of the log. */
  constructor(environment: KvEnvironment, key: string) {
    this.#environment = environment;
    this.#trust = environment.trustIn(key);
    // What follows the key has no `/` in it, so no two logs share a name.
    this.#prefix = `log/${key}/`;
    this.#milestones = new Milestones(environment.immutable, `milestone/${key}/`);
  }

  /** Behind all batches that are known here: the log goes so far at least. */
  get end(): Place {
    return this.#end;
  }

  /** How many characters of messages are kept here. */
  get characters(): number {
    return this.#recent.characters + this.#old.characters;
  }

  /**
   * Learns of everything that was acknowledged before this call, or, as far as that is trusted in,
   * a little earlier.
   */
  async refresh(): Promise<void> {
    if (!this.#trust.covers(this.#endSeenAtMs)) await this.refreshSurely();
  }

  /** Learns of everything that was acknowledged before this call. */
  async refreshSurely(): Promise<void> {
    await this.#rounds.run();
  }

  /**
   * Tries to be the one whose batch stands at a place.
   *
   * After a failure, it may stand there or may yet come to. Trying again with the same batch **at
   * the same place** finds out which: the place is taken once, whatever was on its way.
   *
   * @param place - One that was the end.
   * @returns Whether it stands there. If not, it never will, and {@link end} lies behind the place.
   */
  async claim(place: Place, id: string, messages: readonly string[]): Promise<boolean> {
    const batch = { id, number: place.number, messages };
    const askedAtMs = performance.now();
    if (await this.#environment.ordered.create(this.#keyOf(place), encodeBatch(batch))) {
      this.#learn(place, batch);
      this.#endSeenAtMs = askedAtMs;
      this.#isNew = false;
      return true;
    }
    const known = this.#recent.containing(place.baseOffset)?.batch;
    const winner = known ?? (await this.#readSurely(place));
    this.#learn(place, winner);
    if (winner.id === id) return true;
    this.#trust.suspend();
    // Else the rest of the chain would be gone along by trying to win place after place.
    if (this.#isNew) await this.refreshSurely();
    return false;
  }

  /** Messages from an offset on, without a gap, up to the end as it is known when it is reached. */
  async *messages(from: number): AsyncGenerator<readonly [offset: number, message: string]> {
    let next = from;
    while (next < this.#end.baseOffset) {
      const { baseOffset, batch } = this.#recent.containing(next) ?? (await this.#find(next));
      for (const message of batch.messages.slice(next - baseOffset)) yield [next++, message];
    }
  }

  /** The batch that has a message with this offset, which is not one of the recent ones. */
  async #find(offset: number): Promise<PlacedBatch> {
    const kept = this.#old.containing(offset);
    if (kept !== undefined) return kept;
    let place = this.#old.placeAt(offset) ?? (await this.#milestones.before(offset));
    for (;;) {
      const placed = { baseOffset: place.baseOffset, batch: await this.#readSurely(place) };
      if (contains(placed, offset)) {
        this.#old.add(placed);
        return placed;
      }
      place = behind(placed);
    }
  }

  async #walkToEnd(): Promise<void> {
    for (;;) {
      const place = this.#end;
      const askedAtMs = performance.now();
      const batch = await this.#read(place);
      if (batch === undefined) {
        this.#endSeenAtMs = askedAtMs;
        this.#isNew = false;
        return;
      }
      this.#learn(place, batch);
      // One's own may be found before the answer to it has come.
      if (!batch.id.startsWith(this.#environment.writerName)) this.#trust.suspend();
      if (this.#isNew && batch.number + 1 >= WALKED_BATCHES) await this.#skipAhead();
    }
  }

  /** Goes to the last milestone. What lies before it is read when somebody asks for it. */
  async #skipAhead(): Promise<void> {
    const place = await this.#milestones.before(Number.POSITIVE_INFINITY);
    this.#isNew = false;
    if (place.number <= this.#end.number) return;
    const batch = await this.#readSurely(place);
    if (place.number <= this.#end.number) return;
    this.#recent = new RecentBatches();
    this.#end = place;
    this.#learn(place, batch);
  }

  #learn(place: Place, batch: Batch): void {
    if (place.number !== this.#end.number) return;
    this.#recent.add(place.baseOffset, batch);
    this.#end = behind({ baseOffset: place.baseOffset, batch });
    // Nobody waits for it, and without it nothing is wrong.
    this.#milestones.reached(place).catch(() => {});
  }

  async #read(place: Place): Promise<Batch | undefined> {
    const key = this.#keyOf(place);
    const value = await this.#environment.ordered.read(key);
    return value === undefined ? undefined : decodeBatch(value, key, place.number);
  }

  /** Reads what must be there. */
  async #readSurely(place: Place): Promise<Batch> {
    const batch = await this.#read(place);
    if (batch !== undefined) return batch;
    const text = `There is nothing at ${this.#keyOf(place)}, where a batch has been.`;
    throw new MaelstromError("crash", text);
  }

  #keyOf({ baseOffset }: Place): string {
    return `${this.#prefix}${baseOffset}`;
  }
}
