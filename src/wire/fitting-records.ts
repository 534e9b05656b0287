import type { LogRecord } from "../format/record.js";

/**
 * The most that stands around a record in a message: tags and lengths of its fields, its offset and
 * its timestamp; also where the record is a pack by itself.
 */
const RECORD_BYTES = 48;
/** The same of a header. */
const HEADER_BYTES = 18;
/** The most that a response has beside records: a key, two offsets and a generation. */
const RESPONSE_BYTES = 512;

/**
 * The records up to the first one that might make a response longer than `maxBytes`, as it is
 * encoded. The first of all is given however long it is.
 */
export function fittingRecords(records: LogRecord[], maxBytes: number): LogRecord[] {
  let bytes = RESPONSE_BYTES;
  for (let index = 0; index < records.length; index++) {
    bytes += mostBytes(records[index]!);
    if (bytes > maxBytes && index > 0) return records.slice(0, index);
  }
  return records;
}

function mostBytes({ value, key, headers }: LogRecord): number {
  let bytes = RECORD_BYTES + value.length + (key?.length ?? 0);
  for (const [name, content] of headers ?? []) {
    bytes += HEADER_BYTES + Buffer.byteLength(name) + content.length;
  }
  return bytes;
}
