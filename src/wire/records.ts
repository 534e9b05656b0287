import { create, type MessageInitShape } from "@bufbuild/protobuf";
import type { RecordFields, RecordInput } from "../format/record.js";
import { prepareRecord } from "../format/record-codec.js";
import {
  type AppendRequestSchema,
  type Record,
  RecordSchema,
} from "./generated/seglog/v1/log_service_pb.js";
import { toSafeInteger } from "./integers.js";
import { packValues } from "./pack.js";

/** The records of a request to append: a pack if they have values only, else messages. */
export type BatchFields = Pick<MessageInitShape<typeof AppendRequestSchema>, "records" | "pack">;

/**
 * Records as a request to append has them. Nothing of the input is kept.
 *
 * @throws TypeError or RangeError for a record that is none.
 */
export function toBatch(records: readonly RecordInput[]): BatchFields {
  const prepared = records.map((record) =>
    prepareRecord(
      typeof record === "string" || record instanceof Uint8Array ? { value: record } : record,
    ),
  );
  const isPlain = prepared.every(
    ({ key, headers, timestamp }) =>
      key === undefined && headers === undefined && timestamp === undefined,
  );
  if (isPlain) return { pack: packValues(prepared.map(({ value }) => value)) };
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  return {
    records: prepared.map(({ value, key, headers, timestamp }) =>
      create(RecordSchema, {
        value: new Uint8Array(value),
        ...(key !== undefined && { key: new Uint8Array(key) }),
        headers: (headers ?? []).map(([name, content]) => ({
          name: decoder.decode(name),
          value: new Uint8Array(content),
        })),
        ...(timestamp !== undefined && { timestampMs: BigInt(timestamp) }),
      }),
    ),
  };
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
