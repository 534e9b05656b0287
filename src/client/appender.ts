import { prepare } from "../format/prepared-record.js";
import type { RecordInput } from "../format/record.js";
import {
  type AppendOptions,
  assertAppendOptions,
  copyProducer,
  type ProducerSequence,
  toArray,
} from "../log/queue/append-options.js";
import { AppendedBatch } from "../log/queue/appended-batch.js";
import { encodeKey } from "../store/key-directory.js";
import type { KeyedBatch } from "../store/keyed-log.js";
import { toSafeInteger } from "../wire/integers.js";
import { toBatch } from "../wire/records.js";
import type { Connection } from "./connection.js";
import { bufferedBytesOf } from "./outbox.js";
import { type Delivery, OutgoingBatch } from "./outgoing-batch.js";
import { MAX_IDLE_KEYS, Sender, type SenderTransport } from "./sender.js";

/** Batches of one key that are under way at a time. */
const MAX_IN_FLIGHT = 5;
const BATCH_BYTES = 64 * 1024;
const BUFFER_BYTES = 64 * 1024 * 1024;

/** The appends of a client: a producer of its own, so that what fails can be sent again. */
export class Appender {
  readonly #connection: Connection;
  readonly #transport: SenderTransport;
  #sender: Sender | undefined;

  constructor(connection: Connection, transport: SenderTransport) {
    this.#connection = connection;
    this.#transport = transport;
  }

  /** As `SeglogClient.append`. */
  append(key: string, record: RecordInput, options: AppendOptions): Promise<number> {
    return deliver(options, (resolve, reject) => {
      const { signal, producer } = options;
      const sender = this.#openSender();
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

  /** As `SeglogClient.appendBatch`. */
  appendBatch(
    key: string,
    records: Iterable<RecordInput>,
    options: AppendOptions,
  ): Promise<KeyedBatch> {
    return deliver(options, (resolve, reject) => {
      const { signal, producer } = options;
      const sender = this.#openSender();
      encodeKey(key);
      // The caller may change its own while this is on its way.
      const list = [...toArray(records)];
      if (list.length === 0) throw new RangeError("A batch needs at least one record");
      if (producer !== undefined) {
        this.#appendAs(producer, key, list).then(resolve, reject);
        return;
      }
      const delivered = (baseOffset: number) =>
        resolve(new AppendedBatch(baseOffset, baseOffset + list.length - 1));
      sender.addWhole(wholeBatch(key, list, { delivered, failed: reject }), signal);
    });
  }

  /** Takes nothing in any more, and delivers what is here. */
  async close(): Promise<void> {
    await this.#sender?.close();
  }

  #openSender(): Sender {
    this.#connection.closing.throwIfAborted();
    const { timeoutMs } = this.#connection;
    this.#sender ??= new Sender(this.#transport, {
      lingerMs: 0,
      batchBytes: BATCH_BYTES,
      maxInFlight: MAX_IN_FLIGHT,
      compression: "none",
      maxBufferedBytes: BUFFER_BYTES,
      whenFull: "wait",
      deliveryTimeoutMs: timeoutMs,
      answerTimeoutMs: timeoutMs,
      maxIdleKeys: MAX_IDLE_KEYS,
      name: undefined,
      onFailure: () => undefined,
    });
    return this.#sender;
  }

  /** An append of a producer that the caller keeps the numbers of. It is tried once. */
  async #appendAs(
    producer: ProducerSequence,
    key: string,
    records: readonly RecordInput[],
  ): Promise<KeyedBatch> {
    const sender = copyProducer(producer, records.length)!;
    const request = { key, producer: sender, ...toBatch(records) };
    const { baseOffset, lastOffset } = await this.#connection.once((calls, call) =>
      calls.append(request, call),
    );
    return new AppendedBatch(
      toSafeInteger(baseOffset, "base_offset"),
      toSafeInteger(lastOffset, "last_offset"),
    );
  }
}

/** A promise of what `run` does, if the options allow it; it rejects with what is thrown. */
function deliver<T>(
  options: AppendOptions,
  run: (resolve: (value: T) => void, reject: (error: Error) => void) => void,
): Promise<T> {
  return new Promise((resolve, reject) => {
    assertAppendOptions(options);
    run(resolve, reject);
  });
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
