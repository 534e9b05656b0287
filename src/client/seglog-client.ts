import { OffsetOutOfRangeError } from "../errors.js";
import { prepare } from "../format/prepared-record.js";
import type { LogRecord, RecordInput } from "../format/record.js";
import { describe } from "../format/record-codec.js";
import type { AppendOptions, ProducerSequence } from "../log/append-options.js";
import { AppendedBatch } from "../log/appended-batch.js";
import type { ReadOptions } from "../log/commit-log.js";
import { assertOffset, integer } from "../option-checks.js";
import { encodeKey } from "../store/key-directory.js";
import type { KeyBounds, KeyedBatch, KeyedLog, KeyedRead } from "../store/keyed-log.js";
import { Start } from "../wire/generated/seglog/v1/log_service_pb.js";
import { toSafeInteger } from "../wire/integers.js";
import { toBatch } from "../wire/records.js";
import { fromStoredRecords } from "../wire/stored-records.js";
import type { Connection } from "./connection.js";
import { Consumer } from "./consumer.js";
import { type ConsumerOptions, resolveConsumerOptions } from "./consumer-options.js";
import { hasCode } from "./failures.js";
import { feed } from "./feed.js";
import { bufferedBytesOf } from "./outbox.js";
import { type Delivery, OutgoingBatch } from "./outgoing-batch.js";
import { Producer } from "./producer.js";
import { type ProducerOptions, resolveProducerOptions } from "./producer-options.js";
import { RemoteGroup } from "./remote-group.js";
import { Sender, type SenderTransport } from "./sender.js";

/** What a key's log is made of. */
export interface KeyMetadata {
  /** Earliest readable offset, inclusive. */
  readonly startOffset: number;
  /** One past the last readable offset. */
  readonly endOffset: number;
  /** Rises when records are taken back. */
  readonly epoch: number;
  /** Length of the data files. */
  readonly sizeBytes: number;
  /** In the order of their offsets; the last one takes the appends. */
  readonly segments: readonly KeySegment[];
}

/** A segment of a key's log. */
export interface KeySegment {
  /** Inclusive. */
  readonly baseOffset: number;
  /** Exclusive. */
  readonly endOffset: number;
  /** Length of the data file. */
  readonly sizeBytes: number;
}

/** Batches of appends of one key that are under way at a time. */
const APPENDS_IN_FLIGHT = 5;
const APPEND_BATCH_BYTES = 64 * 1024;
const APPEND_BUFFER_BYTES = 64 * 1024 * 1024;
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
  readonly #producers = new Set<Producer>();
  readonly #consumers = new Set<Consumer>();
  #sender: Sender | undefined;
  #closing: Promise<void> | undefined;

  /** @internal */
  constructor(connection: Connection) {
    this.#connection = connection;
    this.#transport = {
      openStream: (requests, signal) => connection.calls.appendStream(requests, { signal }),
      openProducer: async (name) => {
        const { id, epoch } = await connection.once((calls, options) =>
          calls.openProducer({ name }, options),
        );
        return { id, epoch };
      },
      lastOffset: async (key, id) => {
        const { producer } = await connection.call((calls, options) =>
          calls.getProducer({ key, id }, options),
        );
        return producer && toSafeInteger(producer.lastOffset, "last_offset");
      },
    };
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
    const { signal, producer } = options;
    return this.#deliver(signal, (resolve, reject) => {
      const sender = this.#appendSender();
      if (!sender.knows(key)) encodeKey(key);
      if (producer !== undefined) {
        this.#appendAs(producer, key, [record]).then(
          ({ baseOffset }) => resolve(baseOffset),
          reject,
        );
      } else {
        sender.add(key, prepare(record), { delivered: resolve, failed: reject }, signal);
      }
    });
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
    const { signal, producer } = options;
    return this.#deliver(signal, (resolve, reject) => {
      const sender = this.#appendSender();
      encodeKey(key);
      const list = toArray(records);
      if (producer !== undefined) {
        this.#appendAs(producer, key, list).then(resolve, reject);
        return;
      }
      const delivered = (baseOffset: number) =>
        resolve(new AppendedBatch(baseOffset, baseOffset + list.length - 1));
      sender.addWhole(wholeBatch(key, list, { delivered, failed: reject }), signal);
    });
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
      const found = await this.#connection.call((calls, call) => calls.metadata({ key }, call));
      return {
        startOffset: toSafeInteger(found.startOffset, "start_offset"),
        endOffset: toSafeInteger(found.endOffset, "end_offset"),
        epoch: toSafeInteger(found.epoch, "epoch"),
        sizeBytes: toSafeInteger(found.sizeBytes, "size_bytes"),
        segments: found.segments.map(({ baseOffset, endOffset, sizeBytes }) => ({
          baseOffset: toSafeInteger(baseOffset, "base_offset"),
          endOffset: toSafeInteger(endOffset, "end_offset"),
          sizeBytes: toSafeInteger(sizeBytes, "size_bytes"),
        })),
      };
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
    const { from, signal } = options;
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
    const parts = [...this.#consumers, ...this.#producers, this.#sender];
    const results = await Promise.allSettled(parts.map((part) => part?.close()));
    this.#connection.close();
    const failed = results.find((result) => result.status === "rejected");
    if (failed !== undefined) throw failed.reason;
  }

  /** A producer of its own, so that what fails can be sent again. */
  #appendSender(): Sender {
    this.#connection.closing.throwIfAborted();
    this.#sender ??= new Sender(this.#transport, {
      lingerMs: 0,
      batchBytes: APPEND_BATCH_BYTES,
      maxInFlight: APPENDS_IN_FLIGHT,
      compression: "none",
      maxBufferedBytes: APPEND_BUFFER_BYTES,
      whenFull: "wait",
      deliveryTimeoutMs: this.#connection.timeoutMs,
      answerTimeoutMs: this.#connection.timeoutMs,
      name: undefined,
      onFailure: () => undefined,
    });
    return this.#sender;
  }

  #deliver<T>(
    signal: AbortSignal | undefined,
    run: (resolve: (value: T) => void, reject: (error: Error) => void) => void,
  ): Promise<T> {
    return new Promise((resolve, reject) => {
      signal?.throwIfAborted();
      run(resolve, reject);
    });
  }

  /** An append of a producer that the caller keeps the numbers of. It is tried once. */
  async #appendAs(
    producer: ProducerSequence,
    key: string,
    records: readonly RecordInput[],
  ): Promise<KeyedBatch> {
    const request = { key, producer: { ...producer }, ...toBatch(records) };
    const { baseOffset, lastOffset } = await this.#connection.once((calls, call) =>
      calls.append(request, call),
    );
    return new AppendedBatch(
      toSafeInteger(baseOffset, "base_offset"),
      toSafeInteger(lastOffset, "last_offset"),
    );
  }

  /** The wire has no negative offsets. */
  async #beforeStart(key: string, offset: number): Promise<OffsetOutOfRangeError> {
    const { startOffset, endOffset } = (await this.bounds(key)) ?? { startOffset: 0, endOffset: 0 };
    return new OffsetOutOfRangeError(offset, startOffset, endOffset);
  }
}

function wholeBatch(
  key: string,
  records: readonly RecordInput[],
  delivery: Delivery,
): OutgoingBatch {
  const batch = new OutgoingBatch(key, performance.now(), true);
  for (const record of records) {
    const prepared = prepare(record);
    batch.add(prepared);
    batch.bufferedBytes += bufferedBytesOf(prepared.byteLength);
  }
  batch.deliveries.push(delivery);
  return batch;
}

function toArray(records: Iterable<RecordInput>): readonly RecordInput[] {
  const isList =
    typeof records === "object" && Symbol.iterator in records && !(records instanceof Uint8Array);
  if (!isList) {
    throw new TypeError(`records must be an array or another iterable, not ${describe(records)}`);
  }
  const list = [...records];
  if (list.length === 0) throw new RangeError("A batch needs at least one record");
  return list;
}
