import type { BlockProducer } from "../../format/block-header.js";
import { describe } from "../../format/record-codec.js";

/** Sequences are below this. */
const SEQUENCE_LIMIT = 2 ** 32;

/** @throws TypeError, RangeError for what cannot be a producer's batch. */
export function assertProducer(producer: BlockProducer, recordCount: number): void {
  const { id, epoch, sequence } = producer;
  assertProducerId(id);
  assertCounter(epoch, "epoch");
  assertCounter(sequence, "sequence");
  if (sequence + recordCount > SEQUENCE_LIMIT) {
    throw new RangeError(
      `The sequences of a producer end at 2^32: ${recordCount} records from ${sequence} on do ` +
        "not fit. Go on as another producer, or in a higher epoch.",
    );
  }
}

/** @throws TypeError, RangeError for what is no `u64`. */
export function assertProducerId(id: bigint): void {
  if (typeof id !== "bigint") {
    throw new TypeError(`The id of a producer must be a bigint, not ${describe(id)}`);
  }
  if (id < 0n || id >= 2n ** 64n) {
    throw new RangeError(`The id of a producer must be at least 0 and below 2^64, not ${id}`);
  }
}

function assertCounter(value: number, what: string): void {
  if (typeof value !== "number") {
    throw new TypeError(`The ${what} of a producer must be a number, not ${describe(value)}`);
  }
  if (!Number.isInteger(value) || value < 0 || value >= SEQUENCE_LIMIT) {
    throw new RangeError(
      `The ${what} of a producer must be an integer of at least 0 and below 2^32, not ${value}`,
    );
  }
}
