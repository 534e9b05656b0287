import type { LogRecord, RecordInput } from "../format/record.js";
import type { AppendOptions } from "../log/append-options.js";
import type { ReadOptions } from "../log/read-options.js";

/** The offsets that a batch was given: they rise, but need not follow each other. */
export interface KeyedBatch {
  /** Offset of the first record. */
  readonly baseOffset: number;
  /** Inclusive. */
  readonly lastOffset: number;
  /** Offset of the record at `index` of the batch, from 0. */
  offsetAt(index: number): number;
}

/** Records of one key, and where to read on. */
export interface KeyedRead {
  /** In the order of their offsets; empty at the end. */
  readonly records: LogRecord[];
  /** From where the next read goes on. Offsets may have holes, so it is not always last + 1. */
  readonly nextOffset: number;
  /** One past the last readable record of the key; 0 for a key that does not exist. */
  readonly endOffset: number;
}

/** The readable offsets of a key. */
export interface KeyBounds {
  /** Inclusive. */
  readonly startOffset: number;
  /** Exclusive. */
  readonly endOffset: number;
}

/** Next offsets to read by key: a `Map`, pairs, or a plain object. */
export type OffsetsByKey =
  | Iterable<readonly [key: string, next: number]>
  | Readonly<Record<string, number>>;

/** Consumers that share their place in each key. */
export interface KeyedGroup {
  /** Groups of the same name share their committed offsets. */
  readonly name: string;
  /**
   * Commits, for each key, the next offset to read. An offset below the committed one changes
   * nothing. All keys or none.
   */
  commit(offsets: OffsetsByKey): Promise<void>;
  /** Sets the next offset to read of each key, back or forth. All keys or none. */
  seek(offsets: OffsetsByKey): Promise<void>;
  /** The next offset to read of each key that has one; of all keys by default. */
  committed(keys?: Iterable<string>): Promise<Map<string, number>>;
}

/**
 * One ordered log per key: what a program needs of an engine, wherever that keeps the records.
 * `LogStore` keeps them in local files; `connect` of `seglog/client` gives those of a server.
 * Offsets of a key rise strictly but may have holes.
 */
export interface KeyedLog extends AsyncDisposable {
  /** Appends a record, making the key if there is none; resolves with its offset. */
  append(key: string, record: RecordInput, options?: AppendOptions): Promise<number>;
  /** Appends records to one key, all of them or none. */
  appendBatch(
    key: string,
    records: Iterable<RecordInput>,
    options?: AppendOptions,
  ): Promise<KeyedBatch>;
  /** Reads records with offsets of at least `from`; never makes a key. */
  read(key: string, from: number, options?: ReadOptions): Promise<KeyedRead>;
  /** The readable offsets of a key, or `undefined` if there is no such key. */
  bounds(key: string): Promise<KeyBounds | undefined>;
  /** All keys, in no particular order. Await it: only an engine at hand has them at once. */
  keys(): string[] | Promise<string[]>;
  /** Records of a key from an offset on, waiting for more, also for the key to be made. */
  follow(
    key: string,
    options?: { readonly from?: number | undefined; readonly signal?: AbortSignal | undefined },
  ): AsyncIterable<LogRecord>;
  /** A consumer group; it exists from its first commit on. */
  group(name: string): KeyedGroup;
  /** Ends what is under way and lets go of everything. Once is enough; `await using` calls it. */
  close(): Promise<void>;
}
