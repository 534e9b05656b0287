import { type DescField, type DescMessage, ScalarType } from "@bufbuild/protobuf";
import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";
import { SeglogError } from "../errors.js";
import { MAX_BATCH_RECORDS } from "../wire/pack.js";

/** A batch and what comes with it; a little more than it may have is told by its own checks. */
const MAX_ELEMENTS = MAX_BATCH_RECORDS + 1024;
/** Fields of all records together, such as their headers. */
const MAX_FIELDS = 16 * MAX_BATCH_RECORDS;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
/** What an element or a field of JSON begins with. */
const BEGINNINGS: ReadonlySet<number> = new Set([..."{[,"].map((text) => text.charCodeAt(0)));

/**
 * Checks how many elements a message has before it is decoded: an empty one takes two bytes of it,
 * but an object in memory. What is malformed is left for decoding to find.
 *
 * @param type - Of the message; a type that holds itself is not meant.
 * @throws SeglogError `LIMIT_EXCEEDED`.
 */
export function checkElements(bytes: Uint8Array, type: DescMessage, isJson: boolean): void {
  if (isJson) checkJson(bytes);
  else new ElementCount(bytes).check(type);
}

/** Counts elements of the message itself, and fields of all messages in it. */
class ElementCount {
  readonly #bytes: Uint8Array;
  readonly #reader: BinaryReader;
  #elements = 0;
  #fields = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#reader = new BinaryReader(bytes);
  }

  check(type: DescMessage): void {
    try {
      this.#walk(type, this.#bytes.length, true);
    } catch (error) {
      if (error instanceof SeglogError) throw error;
    }
  }

  #walk(type: DescMessage, end: number, isOutermost: boolean): void {
    const reader = this.#reader;
    while (reader.pos < end) {
      const [number, wireType] = reader.tag();
      if (isOutermost && ++this.#elements > MAX_ELEMENTS) throw tooMany(MAX_ELEMENTS);
      if (++this.#fields > MAX_FIELDS) throw tooMany(MAX_FIELDS);
      const field = type.fields.find((known) => known.number === number);
      if (field === undefined || wireType !== WireType.LengthDelimited) {
        reader.skip(wireType, number);
        continue;
      }
      const fieldEnd = reader.uint32() + reader.pos;
      if (fieldEnd > end) return;
      if (field.message !== undefined && field.fieldKind !== "map") {
        this.#walk(field.message, fieldEnd, false);
      } else if (field.fieldKind === "list" && isPacked(field)) {
        this.#countNumbers(fieldEnd);
      }
      reader.pos = fieldEnd;
    }
  }

  /** Each number of a packed list ends with a byte whose highest bit is clear. */
  #countNumbers(end: number): void {
    for (let at = this.#reader.pos; at < end; at++) {
      if (this.#bytes[at]! < 0x80 && ++this.#elements > MAX_ELEMENTS) throw tooMany(MAX_ELEMENTS);
    }
  }
}

/** Texts and bytes come one by one. */
function isPacked({ scalar }: DescField): boolean {
  return scalar !== undefined && scalar !== ScalarType.STRING && scalar !== ScalarType.BYTES;
}

function checkJson(bytes: Uint8Array): void {
  let fields = 0;
  for (let at = 0; at < bytes.length; at++) {
    if (bytes[at] === QUOTE) {
      at = endOfText(bytes, at);
      if (at === -1) return;
    } else if (BEGINNINGS.has(bytes[at]!) && ++fields > MAX_FIELDS) throw tooMany(MAX_FIELDS);
  }
}

/** @returns where the quote is that ends a text; -1 if there is none. */
function endOfText(bytes: Uint8Array, start: number): number {
  for (let end = start; ; ) {
    end = bytes.indexOf(QUOTE, end + 1);
    let before = end;
    while (bytes[before - 1] === BACKSLASH) before--;
    if (end === -1 || (end - before) % 2 === 0) return end;
  }
}

function tooMany(most: number): SeglogError {
  return new SeglogError(
    "LIMIT_EXCEEDED",
    `The message has more than ${most} elements. Nothing was done. Split it.`,
  );
}
