import type { RecordInput } from "./record.js";
import {
  encodedLength,
  needsStructure,
  prepareRecord,
  type StructuredRecord,
  utf8Length,
} from "./record-codec.js";

/** A record that was checked. `byteLength` is what it will take in a block. */
export interface PreparedRecord {
  /** The value, of a record that has nothing else; else {@link parts} has it. */
  readonly value: Uint8Array | string | undefined;
  readonly parts: StructuredRecord | undefined;
  readonly byteLength: number;
  /** `undefined` asks for the clock's time. */
  readonly timestamp: number | undefined;
}

/** Checks a record and finds its length, copying nothing of a value that is bytes or text alone. */
export function prepare(record: RecordInput): PreparedRecord {
  if (record instanceof Uint8Array) return plain(record, record.length, undefined);
  if (typeof record === "string") {
    return plain(record, utf8Length(record, "The record"), undefined);
  }
  const parts = prepareRecord(record);
  const { byteLength, timestamp, value } = parts;
  if (!needsStructure(parts)) return plain(value, value.length, timestamp);
  return { value: undefined, parts, byteLength, timestamp };
}

/** A caller that transfers a buffer which waits to be copied harms nobody but itself. */
export function assertUnchanged({ value, parts, byteLength }: PreparedRecord): void {
  const length =
    parts !== undefined
      ? encodedLength(parts)
      : typeof value === "string"
        ? byteLength
        : value!.length;
  if (length !== byteLength) throw changedValue();
}

export function changedValue(): TypeError {
  return new TypeError(
    "The bytes of a record were resized or transferred while it waited for room",
  );
}

/**
 * Length of all values of a batch whose records are values alone, as bytes; `undefined` if there is
 * another one, or one that is longer than `maxRecordBytes`.
 */
export function bytesOfValues(
  records: readonly RecordInput[],
  maxRecordBytes: number,
): number | undefined {
  let total = 0;
  for (const record of records) {
    if (!(record instanceof Uint8Array) || record.length > maxRecordBytes) return undefined;
    total += record.length;
  }
  return total;
}

function plain(
  value: Uint8Array | string,
  byteLength: number,
  timestamp: number | undefined,
): PreparedRecord {
  return { value, parts: undefined, byteLength, timestamp };
}
