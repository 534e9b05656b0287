import type { LogRecord } from "../format/record.js";
import { decodeUtf8, escapeBytes, safeJson } from "./escape.js";

/** How `cat` shows a record. */
export type RecordFormat = "text" | "json" | "hex" | "raw";
export const RECORD_FORMATS: readonly RecordFormat[] = ["text", "json", "hex", "raw"];

const LINE_END = Buffer.from("\n");

/** What stands for one record in the output, its line end included. */
export function printRecord(format: RecordFormat, record: LogRecord): string | Uint8Array {
  switch (format) {
    case "text":
      return `${escapeBytes(record.value)}\n`;
    case "hex":
      return `${record.offset} ${Buffer.from(record.value).toString("hex")}\n`;
    case "raw":
      return Buffer.concat([record.value, LINE_END]);
    case "json":
      return `${safeJson(recordAsJson(record))}\n`;
  }
}

/**
 * A record as an object: text as `value`, other bytes as `valueBase64`, and likewise for the key
 * and the headers.
 */
function recordAsJson(record: LogRecord): Record<string, unknown> {
  const { offset, timestamp, value, key, headers } = record;
  return {
    offset,
    timestamp,
    ...(key === undefined ? {} : bytesAsJson("key", key)),
    ...(headers === undefined
      ? {}
      : {
          headers: headers.map(([name, content]) => ({ name, ...bytesAsJson("value", content) })),
        }),
    ...bytesAsJson("value", value),
  };
}

function bytesAsJson(name: string, bytes: Uint8Array): Record<string, string> {
  const text = decodeUtf8(bytes);
  if (text !== undefined) return { [name]: text };
  return { [`${name}Base64`]: Buffer.from(bytes).toString("base64") };
}
