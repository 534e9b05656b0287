import { SeglogError } from "../errors.js";
import type { LogRecord } from "../format/record.js";
import { describe } from "../format/record-codec.js";
import { assertOptions, integer, MAX_TIMER_MS } from "../option-checks.js";
import type { KeyBounds, OffsetsByKey } from "../store/keyed-log.js";
import { toOffsetPairs } from "../store/offset-pairs.js";
import { Start } from "../wire/generated/seglog/v1/log_service_pb.js";
import type { Connection } from "./connection.js";
import type { ResolvedConsumerOptions } from "./consumer-options.js";
import { ConsumerProgress } from "./consumer-progress.js";
import { hasCode } from "./failures.js";
import { FeedReader } from "./feed-reader.js";
import type { RemoteGroup } from "./remote-group.js";

/** A record, and the key in whose log it is. */
export interface ConsumedRecord {
  /** Of the log; a record may have a key of its own. */
  readonly key: string;
  /** As it is stored. */
  readonly record: LogRecord;
}

/** Records of one key that came together. */
export interface ConsumedBatch {
  /** Of the log. */
  readonly key: string;
  /** In the order of their offsets; at least one. */
  readonly records: readonly LogRecord[];
  /** The next offset to read behind them. */
  readonly nextOffset: number;
}

/** Options of {@link Consumer.poll}. */
export interface PollOptions {
  /** At most so many. Default 500. */
  readonly maxRecords?: number | undefined;
  /** How long to wait for the first one, in milliseconds. Default 1000. */
  readonly timeoutMs?: number | undefined;
}

const STARTS = { earliest: Start.EARLIEST, latest: Start.LATEST, error: Start.ERROR } as const;

/**
 * Reads records of several keys as they come, each key in its order. Get one with
 * {@link SeglogClient.consumer}.
 *
 * Iterate over it, or over {@link batches}, or {@link poll}; one of them at a time. What was handed
 * out counts as processed as soon as more is asked for; so a record whose processing was cut short
 * comes again when the group goes on elsewhere: at least once.
 */
export class Consumer implements AsyncIterable<ConsumedRecord>, AsyncDisposable {
  readonly #reader: FeedReader;
  readonly #options: ResolvedConsumerOptions;
  readonly #group: RemoteGroup | undefined;
  readonly #boundsOf: (key: string) => Promise<KeyBounds | undefined>;
  readonly #progress = new ConsumerProgress();
  readonly #onClosed: () => void;
  readonly #timer: NodeJS.Timeout | undefined;
  #closing: Promise<void> | undefined;

  /** @internal */
  constructor(
    connection: Connection,
    options: ResolvedConsumerOptions,
    group: RemoteGroup | undefined,
    boundsOf: (key: string) => Promise<KeyBounds | undefined>,
    onClosed: () => void,
  ) {
    this.#onClosed = onClosed;
    this.#options = options;
    this.#group = group;
    this.#boundsOf = boundsOf;
    this.#reader = new FeedReader(connection, options.keys, {
      group: options.group,
      start: STARTS[options.reset],
      onOutage: options.onError,
    });
    if (options.autoCommit) {
      const commit = () => void this.#commitProcessed().catch(options.onError);
      this.#timer = setInterval(commit, options.autoCommitMs).unref();
    }
  }

  /**
   * The records, one by one. It waits for more, and ends when the consumer is closed; leaving a loop
   * does not close it, and another loop goes on behind the last record.
   *
   * @throws While iterating: OffsetOutOfRangeError with `reset: "error"`; SeglogError
   *   `LOG_TRUNCATED` (the server has lost records that it had given, or a key was made anew; nothing
   *   of them is committed, and the next loop begins where the group has committed), `CORRUPTION`,
   *   `PERMISSION_DENIED`, `UNAUTHENTICATED`. A broken connection is no failure.
   */
  [Symbol.asyncIterator](): AsyncIterator<ConsumedRecord, void> {
    return { next: () => this.#nextRecord(), return: () => Promise.resolve(ENDED) };
  }

  /** As iterating over the consumer, with the records of one key that came together: faster. */
  batches(): AsyncIterable<ConsumedBatch> {
    const iterator: AsyncIterator<ConsumedBatch, void> = {
      next: () => this.#nextBatch(),
      return: () => Promise.resolve(ENDED),
    };
    return { [Symbol.asyncIterator]: () => iterator };
  }

  /**
   * Records that are there, or the first ones that come; none if there are none in time. Failures as
   * when iterating, and `CLOSED`.
   */
  async poll(options: PollOptions = {}): Promise<ConsumedRecord[]> {
    assertOptions(options, ["maxRecords", "timeoutMs"]);
    const maxRecords = integer(options.maxRecords, "maxRecords", 1, Number.MAX_SAFE_INTEGER) ?? 500;
    const timeoutMs = integer(options.timeoutMs, "timeoutMs", 0, MAX_TIMER_MS) ?? 1000;
    if (this.#closing !== undefined) throw closed();
    this.#progress.finish();
    if (!this.#reader.hasRecord) await this.#arrival(timeoutMs);
    const records: ConsumedRecord[] = [];
    while (this.#reader.hasRecord && records.length < maxRecords) records.push(this.#hand());
    return records;
  }

  /**
   * The next offset of a key that will be handed out; `undefined` while only the server knows.
   *
   * @throws RangeError for a key that this consumer does not read.
   */
  position(key: string): number | undefined {
    this.#assertRead([key]);
    return this.#reader.places.get(key);
  }

  /**
   * Goes on at these offsets, back or forth. What is committed stays as it is; `group.seek` sets
   * that. An offset outside of the log is told by the next read.
   *
   * @throws TypeError or RangeError for what are no offsets, or keys that this consumer does not
   *   read.
   */
  seek(offsets: OffsetsByKey): void {
    const pairs = toOffsetPairs(offsets);
    this.#assertRead(pairs.map(([key]) => key));
    this.#progress.finish();
    for (const [key] of pairs) this.#progress.forget(key);
    this.#reader.seek(new Map(pairs));
  }

  /** Goes to the first readable record of these keys; default: all of them. */
  async seekToBeginning(keys: Iterable<string> = this.#options.keys): Promise<void> {
    this.seek(await this.#boundsOfAll(keys, ({ startOffset }) => startOffset));
  }

  /** Goes behind the last record of these keys; default: all of them. */
  async seekToEnd(keys: Iterable<string> = this.#options.keys): Promise<void> {
    this.seek(await this.#boundsOfAll(keys, ({ endOffset }) => endOffset));
  }

  /**
   * Commits everything that was handed out, so call it when that is processed.
   *
   * @throws TypeError without a group; as `RemoteGroup.commit`.
   */
  async commit(): Promise<void> {
    await this.#commit(this.#progress.handedOut);
  }

  /**
   * Ends iterations and, with `autoCommit`, commits what was processed. Once is enough.
   *
   * @throws As {@link commit}, if that commit fails; it is closed all the same.
   */
  close(): Promise<void> {
    this.#closing ??= this.#close().finally(this.#onClosed);
    return this.#closing;
  }

  /** As {@link close}, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    clearInterval(this.#timer);
    this.#reader.close();
    if (this.#options.autoCommit) await this.#commitProcessed();
  }

  #nextRecord(): Promise<IteratorResult<ConsumedRecord, void>> {
    this.#progress.finish();
    if (!this.#reader.hasRecord) return this.#awaitRecord();
    return Promise.resolve({ done: false, value: this.#hand() });
  }

  async #awaitRecord(): Promise<IteratorResult<ConsumedRecord, void>> {
    while (!this.#reader.hasRecord) {
      if (this.#closing !== undefined) return ENDED;
      await this.#arrival();
    }
    return { done: false, value: this.#hand() };
  }

  async #nextBatch(): Promise<IteratorResult<ConsumedBatch, void>> {
    this.#progress.finish();
    while (!this.#reader.hasRecord) {
      if (this.#closing !== undefined) return ENDED;
      await this.#arrival();
    }
    const batch = this.#reader.takeAll();
    this.#note(batch.key, batch.nextOffset);
    return { done: false, value: batch };
  }

  async #arrival(timeoutMs?: number): Promise<void> {
    try {
      await this.#reader.arrival(timeoutMs);
    } catch (error) {
      // What was handed out may be no more, and committed it would be skipped for good.
      if (hasCode(error, "LOG_TRUNCATED")) this.#progress.forgetAll();
      throw error;
    }
  }

  #hand(): ConsumedRecord {
    const consumed = this.#reader.take();
    this.#note(consumed.key, this.#reader.places.get(consumed.key)!);
    return consumed;
  }

  #note(key: string, nextOffset: number): void {
    if (this.#group !== undefined) this.#progress.note(key, nextOffset);
  }

  async #commitProcessed(): Promise<void> {
    const { processed } = this.#progress;
    if (processed.size > 0) await this.#commit(processed);
  }

  async #commit(offsets: ReadonlyMap<string, number>): Promise<void> {
    if (this.#group === undefined) throw new TypeError("A consumer without a group cannot commit");
    const committing = new Map(offsets);
    if (committing.size === 0) return;
    const generations = [...committing.keys()].flatMap((key) => {
      const generation = this.#reader.generations.get(key);
      return generation === undefined ? [] : [[key, generation] as const];
    });
    try {
      await this.#group.commitIn(new Map(generations), committing);
    } catch (error) {
      if (hasCode(error, "LOG_TRUNCATED")) this.#progress.forgetAll();
      throw error;
    }
    this.#progress.committed(committing);
  }

  async #boundsOfAll(
    keys: Iterable<string>,
    pick: (bounds: KeyBounds) => number,
  ): Promise<Map<string, number>> {
    const list = [...keys];
    this.#assertRead(list);
    const places = await Promise.all(
      list.map(async (key) =>
        pick((await this.#boundsOf(key)) ?? { startOffset: 0, endOffset: 0 }),
      ),
    );
    return new Map(list.map((key, index) => [key, places[index]!]));
  }

  #assertRead(keys: readonly string[]): void {
    const other = keys.find((key) => !this.#reader.places.has(key));
    if (other === undefined) return;
    throw new RangeError(`This consumer does not read the key ${describe(other)}`);
  }
}

const ENDED = { done: true, value: undefined } as const;

function closed(): SeglogError {
  return new SeglogError("CLOSED", "The consumer is closed. Make another one.");
}
