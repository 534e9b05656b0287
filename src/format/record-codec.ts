import type { BytesInput, RecordFields, RecordHeader } from "./record.js";
import { VarintReader, varintLength, writeVarint } from "./varint.js";

/*
 * A record in a structured block:
 *
 *   u8      flags: bit 0 key, bit 1 headers, bit 2 tombstone (reserved: not written yet)
 *   varint  length of the key, then the key         with bit 0
 *   varint  number of headers, then for each        with bit 1
 *     varint  length of the name, then the name in UTF-8
 *     varint  length of the value, then the value
 *   the rest is the record's value
 *
 * In a block that is not structured a record is its value and nothing else.
 */

const FLAG_KEY = 1;
const FLAG_HEADERS = 2;

/** How much of a wrong text a message shows. */
const SHOWN_LENGTH = 40;

/** A record whose parts are checked and encoded, ready to be copied into a block. */
export interface StructuredRecord {
  readonly value: Uint8Array;
  readonly key: Uint8Array | undefined;
  readonly headers: readonly (readonly [name: Uint8Array, value: Uint8Array])[] | undefined;
  /** `undefined` asks for the clock's time. */
  readonly timestamp: number | undefined;
  /** Length of the encoded record. */
  readonly byteLength: number;
  /** Whether the key is that of a journal's record and names a producer. */
  readonly keyNamesProducer?: boolean;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * Length in UTF-8 of `text`.
 *
 * @throws TypeError for a lone surrogate, which UTF-8 cannot hold: storing something else in its
 * place would alter the record.
 */
export function utf8Length(text: string, what: string): number {
  if (!text.isWellFormed()) {
    throw new TypeError(`${what} contains a lone surrogate, which has no UTF-8 form`);
  }
  return Buffer.byteLength(text, "utf8");
}

/** Checks a record's fields and turns text into bytes; throws `TypeError` or `RangeError`. */
export function prepareRecord(record: RecordFields): StructuredRecord {
  if (typeof record !== "object" || record === null) {
    throw new TypeError(
      `A record must be a Uint8Array, a string or an object with a value, not ${describe(record)}`,
    );
  }
  if (record.value === undefined) {
    throw new TypeError(
      `A record must be a Uint8Array, a string or an object with a value, not ${describe(record)} ` +
        "without one",
    );
  }
  const value = toBytes(record.value, "record.value");
  const key = record.key === undefined ? undefined : toBytes(record.key, "record.key");
  const headers = record.headers === undefined ? undefined : toHeaders(record.headers);
  const { timestamp } = record;
  if (timestamp !== undefined && !(Number.isSafeInteger(timestamp) && timestamp >= 0)) {
    throw new RangeError(
      `record.timestamp must be an integer of milliseconds since 1970, not ${describe(timestamp)}`,
    );
  }
  const byteLength = encodedLength({ value, key, headers });
  return { value, key, headers, timestamp, byteLength };
}

/** Length of the record that {@link writeStructuredRecord} makes of these parts. */
export function encodedLength({
  value,
  key,
  headers,
}: Pick<StructuredRecord, "value" | "key" | "headers">): number {
  let byteLength = 1 + value.length;
  if (key !== undefined) byteLength += varintLength(key.length) + key.length;
  if (headers !== undefined) {
    byteLength += varintLength(headers.length);
    for (const [name, content] of headers) {
      byteLength += varintLength(name.length) + name.length;
      byteLength += varintLength(content.length) + content.length;
    }
  }
  return byteLength;
}

/** Whether a block needs to be structured to hold this record. */
export function needsStructure(record: StructuredRecord): boolean {
  return record.key !== undefined || record.headers !== undefined;
}

/** Writes an encoded record and returns the position after it. */
export function writeStructuredRecord(
  target: Uint8Array,
  position: number,
  record: StructuredRecord,
): number {
  let at = position;
  target[at++] =
    (record.key === undefined ? 0 : FLAG_KEY) | (record.headers === undefined ? 0 : FLAG_HEADERS);
  if (record.key !== undefined) at = writeBytes(target, at, record.key);
  if (record.headers !== undefined) {
    at = writeVarint(target, at, record.headers.length);
    for (const [name, content] of record.headers) {
      at = writeBytes(target, at, name);
      at = writeBytes(target, at, content);
    }
  }
  target.set(record.value, at);
  return at + record.value.length;
}

function writeBytes(target: Uint8Array, position: number, bytes: Uint8Array): number {
  const at = writeVarint(target, position, bytes.length);
  target.set(bytes, at);
  return at + bytes.length;
}

/** The parts of a structured record, as views. */
export interface RecordParts {
  readonly value: Uint8Array;
  readonly key: Uint8Array | undefined;
  readonly headers: readonly RecordHeader[] | undefined;
}

/**
 * Takes the structured record at `[start, end)` of `bytes` apart.
 *
 * @returns The parts; a clause that says what is wrong; or `undefined` for flags that this version
 * does not know.
 */
export function readStructuredRecord(
  bytes: Uint8Array,
  start: number,
  end: number,
): RecordParts | string | undefined {
  if (start >= end) return "a structured record has no flags";
  const flags = bytes[start]!;
  if ((flags & ~(FLAG_KEY | FLAG_HEADERS)) !== 0) return undefined;
  const reader = new VarintReader(bytes, start + 1, end);
  let key: Uint8Array | undefined;
  if ((flags & FLAG_KEY) !== 0) {
    key = reader.take(reader.next());
    if (key === undefined) return "a record's key ends outside of the record";
  }
  let headers: RecordHeader[] | undefined;
  if ((flags & FLAG_HEADERS) !== 0) {
    headers = [];
    const count = reader.next();
    if (count === undefined) return "a record's headers end outside of the record";
    for (let index = 0; index < count; index++) {
      const name = reader.take(reader.next());
      const content = reader.take(reader.next());
      if (name === undefined || content === undefined) {
        return "a record's headers end outside of the record";
      }
      const text = decodeName(name);
      if (text === undefined) return "a header's name is not UTF-8";
      headers.push([text, content]);
    }
  }
  return { value: bytes.subarray(reader.position, end), key, headers };
}

function decodeName(bytes: Uint8Array): string | undefined {
  try {
    return decoder.decode(bytes);
  } catch {
    return undefined;
  }
}

function toBytes(input: BytesInput, what: string): Uint8Array {
  if (typeof input === "string") {
    utf8Length(input, what);
    return encoder.encode(input);
  }
  if (input instanceof Uint8Array) return input;
  throw new TypeError(`${what} must be a Uint8Array or a string, not ${describe(input)}`);
}

function toHeaders(
  input: NonNullable<RecordFields["headers"]>,
): readonly (readonly [Uint8Array, Uint8Array])[] {
  if (typeof input !== "object" || input === null) {
    throw new TypeError(`record.headers must be pairs, a Map or an object, not ${describe(input)}`);
  }
  const pairs = Symbol.iterator in input ? input : Object.entries(input);
  const headers: [Uint8Array, Uint8Array][] = [];
  for (const pair of pairs as Iterable<readonly [string, BytesInput]>) {
    if (!Array.isArray(pair) || typeof pair[0] !== "string") {
      throw new TypeError("record.headers must hold pairs of a name and a value");
    }
    const [name, content] = pair as [string, BytesInput];
    headers.push([
      toBytes(name, "The name of a header"),
      toBytes(content, `record.headers["${name}"]`),
    ]);
  }
  return headers;
}

/** A short form of a wrong value for an error message. */
export function describe(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  if (typeof value === "number" || typeof value === "boolean") return String(value);
  if (typeof value === "string") {
    const start = JSON.stringify(value.slice(0, SHOWN_LENGTH));
    return value.length > SHOWN_LENGTH ? `${start}… (${value.length} characters)` : start;
  }
  const type = typeof value === "object" ? nameOfClass(value) : typeof value;
  return `${/^[aeiou]/i.test(type) ? "an" : "a"} ${type}`;
}

function nameOfClass(value: object): string {
  if (Array.isArray(value)) return "array";
  const name: unknown = value.constructor?.name;
  return typeof name !== "string" || name === "Object" ? "object" : name;
}
