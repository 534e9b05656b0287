import type { BytesInput, RecordFields, RecordInput } from "../format/record.js";
import type { AppendOptions } from "../log/append-options.js";

// Appends may have to wait until their log is open, and the caller's objects are free by then.
// Nothing is judged here: what is no record, list or producer is left to whoever judges it.

/** A copy of a record that shares nothing with it. */
export function copyRecord(record: RecordInput): RecordInput {
  if (record instanceof Uint8Array) return copyBytes(record);
  if (typeof record !== "object" || record === null) return record;
  const { value, key, headers, timestamp } = record;
  return {
    value: copyBytes(value),
    key: copyBytes(key),
    headers: copyHeaders(headers),
    timestamp,
  };
}

/** Copies of the records of a batch. */
export function copyRecords(records: Iterable<RecordInput>): Iterable<RecordInput> {
  const isList =
    typeof records === "object" &&
    records !== null &&
    Symbol.iterator in records &&
    !(records instanceof Uint8Array);
  return isList ? Array.from(records, copyRecord) : records;
}

/** A copy of the options of an append, but for the signal, which has to stay the caller's. */
export function copyOptions(options: AppendOptions | undefined): AppendOptions | undefined {
  const producer = options?.producer;
  if (typeof producer !== "object" || producer === null) return options;
  const { id, epoch, sequence } = producer;
  return { ...options, producer: { id, epoch, sequence } };
}

/** Not by `slice()`, which copies nothing of a `Buffer`. */
function copyBytes<T>(input: T): T | Uint8Array {
  return input instanceof Uint8Array ? new Uint8Array(input) : input;
}

function copyHeaders(headers: RecordFields["headers"]): RecordFields["headers"] {
  if (typeof headers !== "object" || headers === null) return headers;
  const pairs = Symbol.iterator in headers ? [...headers] : Object.entries(headers);
  return pairs.map((pair): readonly [string, BytesInput] =>
    Array.isArray(pair) ? [pair[0], copyBytes(pair[1])] : pair,
  );
}
