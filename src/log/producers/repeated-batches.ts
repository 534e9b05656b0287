import { SeglogError } from "../../errors.js";
import type { AppendQueue } from "../queue/append-queue.js";
import type { PendingBatch } from "../queue/pending.js";
import type { Producers, Repetition } from "./producers.js";

/** A batch that is stored, or on its way to be, and that which it repeats. */
type RepeatedBatch = readonly [batch: PendingBatch, repetition: Repetition];

/** Batches that are to be stored, and those that are stored already. */
interface SortedBatches {
  readonly fresh: readonly PendingBatch[];
  readonly repeated: readonly RepeatedBatch[];
}

/**
 * Parts batches by what their log knows of producers. Those that must be refused are told so.
 *
 * @param producers - Loaded.
 */
export function sortedByVerdict(
  batches: readonly PendingBatch[],
  producers: Producers,
  queue: AppendQueue,
): SortedBatches {
  const verdicts = producers.judge(batches);
  const fresh: PendingBatch[] = [];
  const repeated: RepeatedBatch[] = [];
  for (const [index, batch] of batches.entries()) {
    const verdict = verdicts[index]!;
    if (verdict === "follows") fresh.push(batch);
    else if (verdict instanceof SeglogError) queue.settle([batch], () => batch.reject(verdict));
    else repeated.push([batch, verdict]);
  }
  return { fresh, repeated };
}

/**
 * Tells where batches are that were stored before.
 *
 * @param failure - Why that cannot be told, if it cannot.
 * @param notStored - Why the batches that were to be stored with these are not, if they are not.
 */
export function answerRepeated(
  repeated: readonly RepeatedBatch[],
  queue: AppendQueue,
  failure: SeglogError | undefined,
  notStored: SeglogError | undefined,
): void {
  for (const [batch, { of, offset }] of repeated) {
    queue.settle([batch], () => {
      if (failure !== undefined) batch.reject(failure);
      else if (of === undefined) batch.resolve(offset);
      else if (of.storedAt < 0) batch.reject(notStored!);
      else batch.resolve(of.storedAt + offset);
    });
  }
}
