/** A header of a record: a name and bytes. Names may repeat; order is kept. */
export type RecordHeader = readonly [name: string, value: Uint8Array];

/** A record as it is read. */
export interface LogRecord {
  /** Its number in the log. */
  readonly offset: number;
  /** Milliseconds since 1970: as given, or when `append` accepted the record. */
  readonly timestamp: number;
  /**
   * A view of the bytes that were read, never overwritten later. It keeps its surroundings in
   * memory: up to 1 MiB that was read in one piece. Copy what you keep for long, or send to
   * another thread (`value.slice()`): `value.buffer` holds more than this record.
   */
  readonly value: Uint8Array;
  /** What the record is about, if it was given a key; a view as {@link value} is. */
  readonly key?: Uint8Array;
  /** If it was given any, in their order. */
  readonly headers?: readonly RecordHeader[];
}

/** Text is stored as UTF-8; text with a lone surrogate has no UTF-8 and is a `TypeError`. */
export type BytesInput = Uint8Array | string;

/** A record to append, with more than a value. */
export interface RecordFields {
  /** The payload; may be empty. */
  readonly value: BytesInput;
  /** What the record is about; seglog stores it and gives it no meaning. */
  readonly key?: BytesInput | undefined;
  /** Pairs, a `Map`, or a plain object. */
  readonly headers?:
    | Iterable<readonly [name: string, value: BytesInput]>
    | Readonly<Record<string, BytesInput>>
    | undefined;
  /** Integer milliseconds since 1970, at least 0. Default: the clock, which never goes back. */
  readonly timestamp?: number | undefined;
}

/** What `append` takes: the bytes alone, or a record with a key, headers or a timestamp. */
export type RecordInput = BytesInput | RecordFields;
