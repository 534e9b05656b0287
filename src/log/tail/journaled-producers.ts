import type { BlockProducer } from "../../format/block-header.js";
import { continuesBatch, type JournaledProducer } from "../../format/journal-key.js";
import type { ProducerState } from "../../format/producer-snapshot.js";
import { afterBatch, extended } from "../producer-states.js";

/**
 * What is known of producers by batches of theirs that stand in the journal and not yet in the
 * log's segments: of each such producer, all that the segments tell, and that behind it. None is
 * forgotten before the segments have it, for what they say of it would be too little.
 */
export class JournaledProducers {
  /** In the order of their last batches. */
  readonly #states = new Map<bigint, ProducerState>();

  get(id: bigint): ProducerState | undefined {
    return this.#states.get(id);
  }

  get isEmpty(): boolean {
    return this.#states.size === 0;
  }

  /**
   * Notes a batch that follows on what is known of its producer.
   *
   * @param inSegments - What the segments tell of the producer.
   */
  note(
    producer: BlockProducer,
    recordCount: number,
    baseOffset: number,
    inSegments: ProducerState | undefined,
  ): void {
    const before = this.#states.get(producer.id) ?? inSegments;
    this.#put(producer.id, afterBatch(before, producer, recordCount, baseOffset));
  }

  /** As {@link note}, record by record. */
  noteRecord(
    producer: JournaledProducer,
    offset: number,
    inSegments: ProducerState | undefined,
  ): void {
    const before = this.#states.get(producer.id);
    const last = before?.batches.at(-1);
    const isNext = last !== undefined && last.baseOffset + last.recordCount === offset;
    const batch = isNext ? { ...producer, ...last, epoch: before!.epoch } : undefined;
    if (before !== undefined && continuesBatch(batch, last?.recordCount ?? 0, producer)) {
      this.#put(producer.id, extended(before, 1));
    } else this.note(producer, 1, offset, inSegments);
  }

  /** The segments have all batches that end at `endOffset` or before it. */
  settled(endOffset: number): void {
    for (const [id, { batches }] of this.#states) {
      const { baseOffset, recordCount } = batches.at(-1)!;
      if (baseOffset + recordCount > endOffset) return;
      this.#states.delete(id);
    }
  }

  #put(id: bigint, state: ProducerState): void {
    this.#states.delete(id);
    this.#states.set(id, state);
  }
}
