import { SeglogError } from "../../src/errors.js";
import type { CommitLog } from "../../src/log/commit-log.js";
import type { LogStore } from "../../src/store/log-store.js";
import type { Outcome } from "./log-history.js";
import type { SentBatch } from "./sent-batches.js";
import { Violation, type World } from "./world.js";

/** Of producers that have no name. */
const IDS = [1n, 2n] as const;
const PRODUCER_NAME = "named";

const decoder = new TextDecoder();

/** Where a producer goes on in a log. */
interface Place {
  epoch: number;
  next: number;
}

/** What a call came to: where the batch is, or what the failure means. */
type Answer = { readonly offset: number } | { readonly outcome: Outcome };

/** How a life does what it does. */
export interface Producing {
  /** Starts a call, which takes care of its failures. */
  go(call: () => Promise<void>): void;
  /** What a failure means for the model. */
  judge(error: unknown): Outcome;
  value(): string;
}

/** The producers of a life, for one session of what it has open. */
export class Producers {
  readonly #world: World;
  readonly #life: Producing;
  readonly #places = new Map<string, Place>();

  constructor(world: World, life: Producing) {
    this.#world = world;
    this.#life = life;
  }

  /** What a producer has in a log is not as it knew it: it asks before it goes on. */
  forget(key: string): void {
    for (const name of this.#places.keys()) {
      if (name.startsWith(`${key} `)) this.#places.delete(name);
    }
  }

  /** Sends the next batch of a producer, and sometimes sends it again before it is answered. */
  async send(key: string, log: CommitLog): Promise<void> {
    const { random, model, subject } = this.#world;
    const { opened } = model;
    const isNamed = subject.store !== undefined && opened !== undefined && random.below(2) === 0;
    const id = isNamed ? opened.id : random.pick(IDS);
    const place = await this.#placeOf(key, log, id);
    if (place === undefined) return;
    if (isNamed && place.epoch < opened.epoch)
      Object.assign(place, { epoch: opened.epoch, next: 0 });
    if (!isNamed && random.below(12) === 0)
      Object.assign(place, { epoch: place.epoch + 1, next: 0 });
    const values = Array.from({ length: random.pick([1, 1, 2, 4]) }, () => this.#life.value());
    const batch = { id, epoch: place.epoch, sequence: place.next, values, offset: undefined };
    place.next += values.length;
    const known = model.sent(key).add(batch);
    if (known !== undefined) throw new Violation(`${describe(known)}: its log told too little`);
    const first = this.#begin(key, log, batch, undefined);
    if (random.below(4) === 0) this.#begin(key, log, batch, first);
  }

  /** Sends a batch again, of this session or of an earlier one. Nothing may be on its way. */
  async sendAgain(key: string, log: CommitLog): Promise<void> {
    const { random, model } = this.#world;
    const sent = model.sent(key);
    if (sent.all.length === 0) return;
    const batch = random.pick(sent.all);
    const isFenced = this.#isFenced(key, batch);
    const { endOffset } = log;
    const settle = model.log(key).append(batch.values);
    this.#life.go(async () => {
      const answer = await this.#ask(log, batch);
      if ("outcome" in answer) {
        if (answer.outcome === "gap" && batch.offset !== undefined) {
          throw new Violation(`${describe(batch)}: its log does not know it any more`);
        }
        settle(answer.outcome);
        return;
      }
      const { offset } = answer;
      if (isFenced) throw new Violation(`${describe(batch)} is answered, though it is replaced`);
      if (batch.offset !== undefined && batch.offset !== offset) {
        throw new Violation(`${describe(batch)} was at ${batch.offset}, now at ${offset}`);
      }
      this.#look(log, batch, offset);
      settle(offset >= endOffset ? "done" : "rejected");
      if (offset >= endOffset) this.forget(key);
      batch.offset = offset;
    });
  }

  /** Opens the producer that has a name, which shuts out who had it before. */
  open(store: LogStore): void {
    const { model } = this.#world;
    const before = model.opened;
    this.#life.go(async () => {
      try {
        const opened = await store.openProducer(PRODUCER_NAME);
        if (before !== undefined && (opened.id !== before.id || opened.epoch <= before.epoch)) {
          throw new Violation(
            `the producer was ${before.id} in epoch ${before.epoch}, now ${opened.id} in ${opened.epoch}`,
          );
        }
        if (opened.epoch >= (model.opened?.epoch ?? 0)) model.opened = opened;
      } catch (error) {
        if (error instanceof Violation) throw error;
        this.#life.judge(error);
      }
    });
  }

  async #placeOf(key: string, log: CommitLog, id: bigint): Promise<Place | undefined> {
    const name = `${key} ${id}`;
    let place = this.#places.get(name);
    if (place !== undefined) return place;
    try {
      const known = await log.producer(id);
      place = { epoch: known?.epoch ?? 0, next: known?.nextSequence ?? 0 };
    } catch (error) {
      this.#life.judge(error);
      return undefined;
    }
    this.#places.set(name, place);
    return place;
  }

  /**
   * @param first - What the same batch came to that was sent before, and is on its way.
   */
  #begin(
    key: string,
    log: CommitLog,
    batch: SentBatch,
    first: Promise<Answer> | undefined,
  ): Promise<Answer> {
    const settle = this.#world.model.log(key).append(batch.values);
    const isFenced = this.#isFenced(key, batch);
    const asked = this.#ask(log, batch);
    this.#life.go(async () => {
      const answer = await asked;
      const before = await first;
      if ("outcome" in answer) {
        this.forget(key);
        const isStored = before !== undefined && "offset" in before;
        settle(isStored ? "rejected" : answer.outcome);
        return;
      }
      if (isFenced) throw new Violation(`${describe(batch)} is stored, though it is replaced`);
      const { offset } = answer;
      if (before !== undefined && "offset" in before) {
        if (before.offset !== offset) {
          throw new Violation(`${describe(batch)} is at ${before.offset} and at ${offset}`);
        }
        settle("rejected");
        return;
      }
      this.#look(log, batch, offset);
      batch.offset = offset;
      settle("done");
    });
    return asked;
  }

  async #ask(log: CommitLog, batch: SentBatch): Promise<Answer> {
    const { id, epoch, sequence, values } = batch;
    const options = { producer: { id, epoch, sequence } };
    try {
      if (values.length === 1) return { offset: await log.append(values[0]!, options) };
      return { offset: (await log.appendBatch(values, options)).baseOffset };
    } catch (error) {
      if (!(error instanceof SeglogError)) throw error;
      if (error.code === "SEQUENCE_GAP") return { outcome: "gap" };
      if (error.code === "PRODUCER_FENCED") return { outcome: "rejected" };
      if (error.code === "SEQUENCE_FORGOTTEN") return { outcome: "rejected" };
      return { outcome: this.#life.judge(error) };
    }
  }

  /** Whether nothing of a batch may be taken any more that is sent now. */
  #isFenced(key: string, batch: SentBatch): boolean {
    const { model } = this.#world;
    const { opened } = model;
    const isReplaced = opened?.id === batch.id && batch.epoch < opened.epoch;
    return isReplaced || model.sent(key).hasLater(batch);
  }

  /** What was told must be there. */
  #look(log: CommitLog, batch: SentBatch, offset: number): void {
    for (const [index, value] of batch.values.entries()) {
      if (offset + index < log.startOffset) continue;
      if (decoder.decode(log.readSync(offset + index).value) === value) continue;
      throw new Violation(`${describe(batch)} is not at ${offset}, where it is said to be`);
    }
  }
}

function describe({ id, epoch, sequence, values }: SentBatch): string {
  return `the batch ${epoch}/${sequence}+${values.length} of producer ${id}`;
}
