import type { BlockProducer } from "../../format/block-header.js";
import type { RecordInput } from "../../format/record.js";
import { describe } from "../../format/record-codec.js";
import { assertOptions, assertSignal } from "../../option-checks.js";
import { assertProducer } from "./producer-checks.js";

/** Who appends, and which of its batches it is: what makes it safe to append a batch again. */
export interface ProducerSequence {
  /** A `u64` that no other producer has: random, or by `LogStore.openProducer`. */
  readonly id: bigint;
  /** A `u32`. One with a lower epoch than the log has seen of this id is refused. */
  readonly epoch: number;
  /**
   * Number of the first record among those of this producer in this log and epoch, from 0; the
   * next batch goes on behind the last record of this one. A `u32`.
   */
  readonly sequence: number;
}

/** Options of one append. */
export interface AppendOptions {
  /**
   * Gives up waiting for room (`maxPendingBytes`). Once a record is on its way to the disk, it is
   * stored, signal or not.
   */
  readonly signal?: AbortSignal | undefined;
  /**
   * Who appends, and which of its batches this is. A batch that is stored already is not stored
   * again: it resolves with the offsets that it has. How far back that goes is in
   * `docs/crash-safety.md`.
   */
  readonly producer?: ProducerSequence | undefined;
}

/**
 * @throws TypeError for an unknown option or what is no signal; the signal's reason, if it is
 *   aborted.
 */
export function assertAppendOptions(options: AppendOptions): void {
  assertOptions(options, ["signal", "producer"]);
  assertSignal(options.signal);
  options.signal?.throwIfAborted();
}

/** Checked, and the caller's object is free. */
export function copyProducer(
  producer: ProducerSequence | undefined,
  recordCount: number,
): BlockProducer | undefined {
  if (producer === undefined) return undefined;
  if (typeof producer !== "object" || producer === null) {
    throw new TypeError(`producer must be an object, not ${describe(producer)}`);
  }
  const { id, epoch, sequence } = producer;
  assertProducer({ id, epoch, sequence }, recordCount);
  return { id, epoch, sequence };
}

/** @throws TypeError for what is no list of records. */
export function toArray(records: Iterable<RecordInput>): readonly RecordInput[] {
  if (Array.isArray(records)) return records;
  const isList =
    typeof records === "object" && Symbol.iterator in records && !(records instanceof Uint8Array);
  if (!isList) {
    throw new TypeError(`records must be an array or another iterable, not ${describe(records)}`);
  }
  return [...records];
}
