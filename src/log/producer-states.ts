import { SeglogError } from "../errors.js";
import type { BlockProducer } from "../format/block-header.js";
import {
  MOST_PRODUCERS,
  type ProducedBatch,
  type ProducerState,
  REMEMBERED_BATCHES,
} from "../format/producer-snapshot.js";

/**
 * What to do with a batch of a producer: it follows on what is stored, it is part of a batch that
 * is stored already, or it must be refused.
 */
export type Verdict = "follows" | ProducedBatch | SeglogError;

/**
 * What is known of a log's producers, as after a certain end: of each, the last batches. Only those
 * that appended last are known, so what is kept is bounded.
 */
export class ProducerStates {
  /** In the order of their last batches. */
  readonly #states: Map<bigint, ProducerState>;

  constructor(states: ReadonlyMap<bigint, ProducerState> = new Map()) {
    this.#states = new Map(states);
  }

  /** All of them, the one that appended longest ago first. */
  get all(): ReadonlyMap<bigint, ProducerState> {
    return this.#states;
  }

  /** Notes a batch that follows on what is known of its producer. */
  note(producer: BlockProducer, recordCount: number, baseOffset: number): void {
    const { id } = producer;
    this.#put(id, afterBatch(this.#states.get(id), producer, recordCount, baseOffset));
  }

  /** Notes a further block of a batch; that of its first block was noted. */
  extend(producer: BlockProducer, recordCount: number, baseOffset: number): void {
    const state = this.#states.get(producer.id);
    if (state === undefined) {
      this.note(producer, recordCount, baseOffset);
      return;
    }
    this.#put(producer.id, extended(state, recordCount));
  }

  #put(id: bigint, state: ProducerState): void {
    this.#states.delete(id);
    this.#states.set(id, state);
    if (this.#states.size <= MOST_PRODUCERS) return;
    const [oldest] = this.#states.keys();
    this.#states.delete(oldest!);
  }
}

/** What is known of a producer when it has appended a batch that follows on what was known. */
export function afterBatch(
  state: ProducerState | undefined,
  { epoch, sequence }: BlockProducer,
  recordCount: number,
  baseOffset: number,
): ProducerState {
  const earlier = state?.epoch === epoch ? state.batches : [];
  const batches = [...earlier.slice(1 - REMEMBERED_BATCHES), { sequence, recordCount, baseOffset }];
  return { epoch, batches };
}

/** What is known of a producer when its last batch has so many records more. */
export function extended(state: ProducerState, recordCount: number): ProducerState {
  const batches = [...state.batches];
  const last = batches.pop()!;
  batches.push({ ...last, recordCount: last.recordCount + recordCount });
  return { ...state, batches };
}

/** One past the sequence of a producer's last record; at most 2^32. */
export function nextSequence({ batches }: ProducerState): number {
  const last = batches[batches.length - 1]!;
  return last.sequence + last.recordCount;
}

/** Judges a batch by what is known of its producer. */
export function judgeBatch(
  state: ProducerState | undefined,
  producer: BlockProducer,
  recordCount: number,
): Verdict {
  const { epoch, sequence } = producer;
  if (state === undefined || epoch > state.epoch) {
    return sequence === 0 ? "follows" : gap(producer, 0, state === undefined);
  }
  if (epoch < state.epoch) return fenced(producer, state.epoch);
  const next = nextSequence(state);
  if (sequence === next) return "follows";
  if (sequence + recordCount > next) return gap(producer, next, false);
  const stored = state.batches.find(
    (batch) =>
      batch.sequence <= sequence && batch.sequence + batch.recordCount >= sequence + recordCount,
  );
  return stored ?? forgotten(producer, recordCount);
}

/** The producer has been replaced by one with a higher epoch. */
export function fenced({ id, epoch }: BlockProducer, current: number): SeglogError {
  return new SeglogError(
    "PRODUCER_FENCED",
    `Producer ${id} has the epoch ${epoch}, and epoch ${current} of it was opened. ` +
      "Nothing of the batch was stored. The later one goes on; stop this one.",
  );
}

function gap({ id, sequence }: BlockProducer, expected: number, isUnknown: boolean): SeglogError {
  return new SeglogError(
    "SEQUENCE_GAP",
    `A batch of producer ${id} begins with sequence ${sequence}, ` +
      (isUnknown ? "and nothing is known of that producer here. " : `not with ${expected}. `) +
      "Nothing of it was stored. Append what is missing before it, or go on as another producer.",
  );
}

function forgotten({ id, sequence }: BlockProducer, recordCount: number): SeglogError {
  return new SeglogError(
    "SEQUENCE_FORGOTTEN",
    `The records ${sequence} to ${sequence + recordCount - 1} of producer ${id} were stored ` +
      "before, in batches whose offsets are no longer known. They were not stored again.",
  );
}
