import { create, type MessageInitShape } from "@bufbuild/protobuf";
import type { RecordFields, RecordInput } from "../format/record.js";
import { prepareRecord, type StructuredRecord } from "../format/record-codec.js";
import {
  type AppendRequestSchema,
  type Record,
  RecordSchema,
} from "./generated/seglog/v1/log_service_pb.js";
import { toSafeInteger } from "./integers.js";
import { packValues } from "./pack.js";

const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** The records of a request to append: a pack if they have values only, else messages. */
export type BatchFields = Pick<MessageInitShape<typeof AppendRequestSchema>, "records" | "pack">;

/**
 * Records as a request to append has them. Nothing of the input is kept.
 *
 * @throws TypeError or RangeError for a record that is none.
 */
export function toBatch(records: readonly RecordInput[]): BatchFields {
  const values = plainValues(records);
  return values === undefined ? { records: records.map(toRecord) } : { pack: packValues(values) };
}

/** The values of records that have nothing else; `undefined` if one of them has. */
function plainValues(records: readonly RecordInput[]): Uint8Array[] | undefined {
  const values: Uint8Array[] = [];
  for (const record of records) {
    if (record instanceof Uint8Array) {
      values.push(record);
      continue;
    }
    const { value, key, headers, timestamp } = prepare(record);
    if (key !== undefined || headers !== undefined || timestamp !== undefined) return undefined;
    values.push(value);
  }
  return values;
}

function toRecord(record: RecordInput): Record {
  const { value, key, headers, timestamp } = prepare(record);
  return create(RecordSchema, {
    value: new Uint8Array(value),
    ...(key !== undefined && { key: new Uint8Array(key) }),
    headers: (headers ?? []).map(([name, content]) => ({
      name: decoder.decode(name),
      value: new Uint8Array(content),
    })),
    ...(timestamp !== undefined && { timestampMs: BigInt(timestamp) }),
  });
}

function prepare(record: RecordInput): StructuredRecord {
  const isBare = typeof record === "string" || record instanceof Uint8Array;
  return prepareRecord(isBare ? { value: record } : record);
}

/**
 * A record of a request as `append` takes it; its bytes are those of the message.
 *
 * @throws RangeError for a timestamp above 2^53 - 1.
 */
export function fromRecord({ value, key, headers, timestampMs }: Record): RecordFields {
  return {
    value,
    key,
    headers:
      headers.length === 0 ? undefined : headers.map(({ name, value }) => [name, value] as const),
    timestamp: timestampMs === undefined ? undefined : toSafeInteger(timestampMs, "timestamp_ms"),
  };
}
