import type { StoredProducer } from "../../src/log/commit-log.js";
import type { FoundLog } from "./log-history.js";

/** A batch that a producer has sent to a log, whatever came of it. */
export interface SentBatch {
  readonly id: bigint;
  readonly epoch: number;
  readonly sequence: number;
  readonly values: readonly string[];
  /** Offset of its first record, once that was told, and while it must hold. */
  offset: number | undefined;
}

/**
 * The batches that producers have sent to one log: what a client remembers, who outlives the
 * process that the log was open in.
 */
export class SentBatches {
  #batches: SentBatch[];

  constructor(batches: readonly SentBatch[] = []) {
    this.#batches = batches.map((batch) => ({ ...batch }));
  }

  get all(): readonly SentBatch[] {
    return this.#batches;
  }

  /**
   * What had some of the same sequences came to nothing, as far as the producer was told: it goes on
   * with others, and sends that no more.
   *
   * @returns One of them that did come to something, if the log has told the producer too little.
   */
  add(batch: SentBatch): SentBatch | undefined {
    const replaced = this.#batches.filter((each) => overlap(each, batch));
    // Of a batch that was cut in its middle, the rest stays.
    const rests = replaced.flatMap((each) => {
      const values = each.values.slice(0, Math.max(batch.sequence - each.sequence, 0));
      return values.length === 0 ? [] : [{ ...each, values }];
    });
    this.#batches = this.#batches.filter((each) => !replaced.includes(each));
    this.#batches.push(...rests, batch);
    return replaced.find(({ offset }) => offset !== undefined);
  }

  /** As they are now; what becomes of them later does not change it. */
  copy(): SentBatches {
    return new SentBatches(this.#batches);
  }

  /**
   * The records from `offset` on are gone, and may come again. Of producers that have some there,
   * what was deleted before may be forgotten, too.
   */
  cut(offset: number, startOffset: number): void {
    const cut = this.#batches.filter((batch) => endOf(batch) > offset);
    const ids = new Set(cut.map(({ id }) => id));
    const deleted = this.#batches.filter(
      (batch) => ids.has(batch.id) && endOf(batch) <= startOffset,
    );
    for (const batch of [...cut, ...deleted]) batch.offset = undefined;
  }

  /** What was found to be gone may come again; whether it may be gone, others judge. */
  after(found: FoundLog): SentBatches {
    const after = this.copy();
    for (const batch of after.#batches) {
      const { offset, values } = batch;
      if (offset === undefined) continue;
      const isThere = values.every((value, index) => {
        const at = offset + index - found.startOffset;
        return at < 0 || found.values[at] === value;
      });
      if (!isThere) batch.offset = undefined;
    }
    return after;
  }

  /** Whether a later epoch of a producer is known to have a batch in the log. */
  hasLater({ id, epoch }: SentBatch): boolean {
    return this.#batches.some(
      (each) => each.id === id && each.epoch > epoch && each.offset !== undefined,
    );
  }

  /** What the log must know of each producer that records tell of. */
  knownBy({ startOffset, values }: FoundLog): ReadonlyMap<bigint, StoredProducer> {
    const owners = new Map<string, { readonly batch: SentBatch; readonly index: number }>();
    for (const batch of this.#batches) {
      for (const [index, value] of batch.values.entries()) owners.set(value, { batch, index });
    }
    const known = new Map<bigint, StoredProducer>();
    for (const [at, value] of values.entries()) {
      const owner = owners.get(value);
      if (owner === undefined) continue;
      const { id, epoch, sequence } = owner.batch;
      const nextSequence = sequence + owner.index + 1;
      known.set(id, { epoch, nextSequence, lastOffset: startOffset + at });
    }
    return known;
  }
}

/** One past the last record of a batch; -1 if it is not known where it is. */
function endOf({ offset, values }: SentBatch): number {
  return offset === undefined ? -1 : offset + values.length;
}

function overlap(one: SentBatch, other: SentBatch): boolean {
  if (one.id !== other.id || one.epoch !== other.epoch) return false;
  const oneEnd = one.sequence + one.values.length;
  const otherEnd = other.sequence + other.values.length;
  return one.sequence < otherEnd && other.sequence < oneEnd;
}
