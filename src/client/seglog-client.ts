import { OffsetOutOfRangeError } from "../errors.js";
import type { LogRecord, RecordInput } from "../format/record.js";
import type { AppendOptions } from "../log/queue/append-options.js";
import type { ReadOptions } from "../log/read/read-options.js";
import { assertOffset, assertOptions, assertSignal, integer } from "../option-checks.js";
import { encodeKey } from "../store/key-directory.js";
import type { KeyBounds, KeyedBatch, KeyedLog, KeyedRead } from "../store/keyed-log.js";
import { Start } from "../wire/generated/seglog/v1/log_service_pb.js";
import { toSafeInteger } from "../wire/integers.js";
import { fromStoredRecords } from "../wire/stored-records.js";
import { Appender } from "./appender.js";
import type { Connection } from "./connection.js";
import { Consumer } from "./consumer.js";
import { type ConsumerOptions, resolveConsumerOptions } from "./consumer-options.js";
import { hasCode } from "./failures.js";
import { feed } from "./feed.js";
import { type KeyMetadata, keyMetadata } from "./key-metadata.js";
import { Producer } from "./producer.js";
import { type ProducerOptions, resolveProducerOptions } from "./producer-options.js";
import { RemoteGroup } from "./remote-group.js";
import type { SenderTransport } from "./sender.js";
import { senderTransport } from "./sender-transport.js";

/** The wire's own limit; the server has one below it. */
const MAX_UINT32 = 2 ** 32 - 1;
const PAGE_KEYS = 10_000;

/**
 * A store on a server, for programs that are the same with an embedded one: it meets `KeyedLog`.
 * Get one with {@link connect}.
 */
export class SeglogClient implements KeyedLog {
  readonly #connection: Connection;
  readonly #transport: SenderTransport;
  readonly #appender: Appender;
  readonly #producers = new Set<Producer>();
  readonly #consumers = new Set<Consumer>();
  #closing: Promise<void> | undefined;

  /** @internal */
  constructor(connection: Connection) {
    this.#connection = connection;
    this.#transport = senderTransport(connection);
    this.#appender = new Appender(connection, this.#transport);
  }

  /**
   * Appends a record, making its key if there is none, and resolves with its offset, when it is as
   * safe as the server's durability policy says. It is tried for `timeoutMs`, and stored once
   * however often that takes. Records of one key get their offsets in the order of the calls; those
   * that are appended while others are on their way go together.
   *
   * @throws TypeError for a wrong key or record. SeglogError `INVALID_KEY`, `RECORD_TOO_LARGE`,
   *   `NO_SPACE`, `LIMIT_EXCEEDED`, `PERMISSION_DENIED`, `UNAUTHENTICATED`, `CLOSED`: it is not
   *   stored. `TIMEOUT`, `UNAVAILABLE`: the message says whether it may be. The signal's reason.
   */
  append(key: string, record: RecordInput, options: AppendOptions = {}): Promise<number> {
    return this.#appender.append(key, record, options);
  }

  /**
   * Appends records to one key, all of them or none.
   *
   * @throws As {@link append}; RangeError for no records, SeglogError `BATCH_TOO_LARGE`.
   */
  appendBatch(
    key: string,
    records: Iterable<RecordInput>,
    options: AppendOptions = {},
  ): Promise<KeyedBatch> {
    return this.#appender.appendBatch(key, records, options);
  }

  /**
   * Reads records of a key from an offset on, as many as the server gives in one answer. A key that
   * does not exist reads as an empty log; it is not made.
   *
   * @throws OffsetOutOfRangeError outside of [start offset, end offset]; SeglogError `CORRUPTION`,
   *   `PERMISSION_DENIED`, `UNAVAILABLE`, `TIMEOUT`, `CLOSED`.
   */
  async read(key: string, from: number, options: ReadOptions = {}): Promise<KeyedRead> {
    assertOffset(from, "from");
    assertOptions(options, ["maxRecords", "maxBytes"]);
    const maxRecords = integer(options.maxRecords, "maxRecords", 1, Number.MAX_SAFE_INTEGER);
    const maxBytes = integer(options.maxBytes, "maxBytes", 1, Number.MAX_SAFE_INTEGER);
    encodeKey(key);
    if (from < 0) throw await this.#beforeStart(key, from);
    const request = {
      key,
      offset: BigInt(from),
      maxRecords: Math.min(maxRecords ?? MAX_UINT32, MAX_UINT32),
      ...(maxBytes !== undefined && { maxBytes: Math.min(maxBytes, MAX_UINT32) }),
      acceptPacks: true,
    };
    const response = await this.#connection.call((calls, call) => calls.read(request, call));
    return {
      records: fromStoredRecords(response),
      nextOffset: toSafeInteger(response.nextOffset, "next_offset"),
      endOffset: toSafeInteger(response.endOffset, "end_offset"),
    };
  }

  /** The readable offsets of a key, or `undefined` if there is no such key. */
  async bounds(key: string): Promise<KeyBounds | undefined> {
    const metadata = await this.metadata(key);
    if (metadata === undefined) return undefined;
    return { startOffset: metadata.startOffset, endOffset: metadata.endOffset };
  }

  /** What a key's log is made of, or `undefined` if there is no such key. */
  async metadata(key: string): Promise<KeyMetadata | undefined> {
    encodeKey(key);
    try {
      return keyMetadata(
        await this.#connection.call((calls, call) => calls.metadata({ key }, call)),
      );
    } catch (error) {
      if (hasCode(error, "KEY_NOT_FOUND")) return undefined;
      throw error;
    }
  }

  /** All keys that the token may read, in the order of their names, page by page. */
  async keys(): Promise<string[]> {
    const keys: string[] = [];
    let pageToken = "";
    do {
      const request = { pageSize: PAGE_KEYS, pageToken };
      const page = await this.#connection.call((calls, call) => calls.listKeys(request, call));
      keys.push(...page.keys);
      pageToken = page.nextPageToken;
    } while (pageToken !== "");
    return keys;
  }

  /** Names of the consumer groups that have committed offsets. */
  async groups(): Promise<string[]> {
    const { groups } = await this.#connection.call((calls, call) => calls.listGroups({}, call));
    return groups;
  }

  /**
   * The first offset whose record has a timestamp of at least `timestampMs` (milliseconds since
   * 1970), or the end offset if there is none.
   *
   * @throws SeglogError `KEY_NOT_FOUND`; as {@link read}.
   */
  async offsetForTimestamp(key: string, timestampMs: number): Promise<number> {
    encodeKey(key);
    integer(timestampMs, "timestampMs", 0, Number.MAX_SAFE_INTEGER);
    const request = { key, timestampMs: BigInt(timestampMs) };
    const { offset } = await this.#connection.call((calls, call) =>
      calls.offsetForTimestamp(request, call),
    );
    return toSafeInteger(offset, "offset");
  }

  /**
   * Moves the start of a key's log up to `offset`; durable when it resolves. An offset at or below
   * the start changes nothing, so it is safe to try again, which this does.
   *
   * @param offset - At most the end offset.
   * @throws OffsetOutOfRangeError; SeglogError `KEY_NOT_FOUND`; as {@link read}.
   */
  async deleteBefore(key: string, offset: number): Promise<void> {
    encodeKey(key);
    integer(offset, "offset", 0, Number.MAX_SAFE_INTEGER);
    const request = { key, offset: BigInt(offset) };
    await this.#connection.call((calls, call) => calls.deleteBefore(request, call));
  }

  /**
   * Resolves when everything that was appended to a key before is on stable storage, whatever the
   * server's durability policy.
   *
   * @throws SeglogError `KEY_NOT_FOUND`, `LOG_POISONED`; as {@link read}.
   */
  async flush(key: string): Promise<void> {
    encodeKey(key);
    await this.#connection.call((calls, call) => calls.flush({ key }, call));
  }

  /**
   * Records of a key from an offset on (default: the start), waiting for more, also for the key to
   * be made. When the connection breaks, it is made again and goes on without gaps or repetitions.
   *
   * @throws While iterating: OffsetOutOfRangeError if `from` is outside of the log, or retention
   *   overtakes; SeglogError `LOG_TRUNCATED`, `CORRUPTION`, `PERMISSION_DENIED`, `CLOSED`; the
   *   signal's reason.
   */
  async *follow(
    key: string,
    options: { readonly from?: number | undefined; readonly signal?: AbortSignal | undefined } = {},
  ): AsyncGenerator<LogRecord, void, void> {
    encodeKey(key);
    assertOptions(options, ["from", "signal"]);
    const { from, signal } = options;
    assertSignal(signal);
    if (from !== undefined) assertOffset(from, "from");
    if (from !== undefined && from < 0) throw await this.#beforeStart(key, from);
    const start = from === undefined ? Start.EARLIEST : Start.ERROR;
    const places = new Map([[key, from]]);
    const order = { places, group: undefined, start, onOutage: () => undefined };
    for await (const { records } of feed(this.#connection, order, signal)) yield* records;
  }

  /** A consumer group; it exists from its first commit on. */
  group(name: string): RemoteGroup {
    this.#connection.closing.throwIfAborted();
    return new RemoteGroup(name, this.#connection);
  }

  /**
   * Sends many records quickly, each stored exactly once. It is closed with the client.
   *
   * @throws TypeError or RangeError for wrong options; SeglogError `INVALID_KEY` for the name.
   */
  producer(options: ProducerOptions = {}): Producer {
    this.#connection.closing.throwIfAborted();
    const resolved = resolveProducerOptions(options);
    const { timeoutMs } = this.#connection;
    const producer: Producer = new Producer(this.#transport, resolved, timeoutMs, () =>
      this.#producers.delete(producer),
    );
    this.#producers.add(producer);
    return producer;
  }

  /**
   * Reads records of several keys as they come, and commits what was processed. It is closed with
   * the client.
   *
   * @throws TypeError or RangeError for wrong options; SeglogError `INVALID_KEY`.
   */
  consumer(options: ConsumerOptions): Consumer {
    this.#connection.closing.throwIfAborted();
    const resolved = resolveConsumerOptions(options);
    const { group } = resolved;
    const consumer: Consumer = new Consumer(
      this.#connection,
      resolved,
      group === undefined ? undefined : this.group(group),
      (key) => this.bounds(key),
      () => this.#consumers.delete(consumer),
    );
    this.#consumers.add(consumer);
    return consumer;
  }

  /**
   * Closes its consumers and producers, delivers what was appended, and ends the connection. What
   * else is under way fails with `CLOSED`. Once is enough.
   */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  /** As {@link close}, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    const parts = [...this.#consumers, ...this.#producers, this.#appender];
    const results = await Promise.allSettled(parts.map((part) => part.close()));
    this.#connection.close();
    const failed = results.find((result) => result.status === "rejected");
    if (failed !== undefined) throw failed.reason;
  }

  /** The wire has no negative offsets. */
  async #beforeStart(key: string, offset: number): Promise<OffsetOutOfRangeError> {
    const { startOffset, endOffset } = (await this.bounds(key)) ?? { startOffset: 0, endOffset: 0 };
    return new OffsetOutOfRangeError(offset, startOffset, endOffset);
  }
}
