import { create } from "@bufbuild/protobuf";
import type { PreparedRecord } from "../format/prepared-record.js";
import {
  PackSchema,
  type Record,
  RecordSchema,
} from "../wire/generated/seglog/v1/log_service_pb.js";
import { MAX_BATCH_RECORDS } from "../wire/pack.js";
import type { BatchFields } from "../wire/records.js";

/** Whoever waits for a record, or for all records of a batch. */
export interface Delivery {
  /** @param offset - That of the record, or of the first record of the batch. */
  delivered(offset: number): void;
  failed(error: Error): void;
}

const FIRST_BYTES = 256;
const headerName = new TextDecoder("utf-8", { ignoreBOM: true });

/**
 * Records for one key that are stored together. Values are copied end to end while they come, which
 * is how a request holds them; a record with more than a value turns all into messages.
 */
export class OutgoingBatch {
  readonly key: string;
  /** When its first record came, by `performance.now()`. */
  readonly createdAtMs: number;
  /** Of one `appendBatch`: it is stored as it is, or not at all. */
  readonly isWhole: boolean;
  /** One for each record, or one for all if {@link isWhole}. */
  readonly deliveries: Delivery[] = [];
  /** What it takes of the buffer's limit. */
  bufferedBytes = 0;
  /** Whether somebody was told that it was not delivered in time. */
  isExpired = false;
  /** Whether an attempt to send it ended in a way that leaves open whether it is stored. */
  mayBeStored = false;
  /** How the latest attempt failed. */
  failure: Error | undefined;
  /** Number of its first record; meaningless before it has been sent. */
  sequence = 0;
  /** The values of records that have nothing else, end to end. */
  #bytes: Buffer;
  #copiedBytes = 0;
  #byteLength = 0;
  #lengths: number[] = [];
  #messages: Record[] | undefined;

  /** @param expectedBytes - How long it will probably be. */
  constructor(key: string, createdAtMs: number, isWhole: boolean, expectedBytes = 0) {
    this.key = key;
    this.createdAtMs = createdAtMs;
    this.isWhole = isWhole;
    this.#bytes = Buffer.allocUnsafeSlow(Math.max(FIRST_BYTES, expectedBytes));
  }

  /** How many records there are. */
  get count(): number {
    return this.#lengths.length;
  }

  /** Length of all values; of records with more than a value, also of their keys and headers. */
  get byteLength(): number {
    return this.#byteLength;
  }

  /** Whether a record of `byteLength` bytes may join. The first one always may. */
  hasRoom(byteLength: number, batchBytes: number): boolean {
    if (this.count === 0) return true;
    return this.#byteLength + byteLength <= batchBytes && this.count < MAX_BATCH_RECORDS;
  }

  /** Copies a record. */
  add(record: PreparedRecord): void {
    const { parts, byteLength, timestamp } = record;
    if (parts !== undefined) {
      this.#turnIntoMessages().push(messageOf(record));
    } else {
      const isMore = timestamp !== undefined || this.#messages !== undefined;
      // Before it is copied: it is not one of those that came before.
      const messages = isMore ? this.#turnIntoMessages() : undefined;
      const start = this.#copiedBytes;
      this.#copy(record.value!, byteLength);
      messages?.push(plainMessage(this.#bytes.subarray(start, start + byteLength), timestamp));
    }
    this.#byteLength += byteLength;
    this.#lengths.push(byteLength);
  }

  /** The records as a request has them. */
  contents(): BatchFields {
    if (this.#messages !== undefined) return { records: this.#messages };
    const values = this.#bytes.subarray(0, this.#copiedBytes);
    return { pack: create(PackSchema, { values, lengths: this.#lengths }) };
  }

  /**
   * Takes itself apart into two batches, each with half of the records and of those who wait for
   * them. There must be two records at least.
   */
  split(): [OutgoingBatch, OutgoingBatch] {
    const middle = this.count >> 1;
    return [this.#part(0, middle), this.#part(middle, this.count)];
  }

  /** Tells everyone where the records are. */
  deliver(baseOffset: number): void {
    const { deliveries } = this;
    for (let index = 0; index < deliveries.length; index++) {
      deliveries[index]!.delivered(baseOffset + index);
    }
  }

  /** Tells everyone that the records are not stored, or that nobody knows. */
  fail(error: Error): void {
    for (const delivery of this.deliveries) delivery.failed(error);
  }

  #part(from: number, to: number): OutgoingBatch {
    const part = new OutgoingBatch(this.key, this.createdAtMs, this.isWhole);
    const messages = this.#messages ?? this.#plainMessages();
    part.#messages = messages.slice(from, to);
    part.#lengths = this.#lengths.slice(from, to);
    part.#byteLength = part.#lengths.reduce((sum, length) => sum + length, 0);
    part.bufferedBytes = Math.floor((this.bufferedBytes * (to - from)) / this.count);
    part.deliveries.push(...this.deliveries.slice(from, to));
    return part;
  }

  #turnIntoMessages(): Record[] {
    this.#messages ??= this.#plainMessages();
    return this.#messages;
  }

  #plainMessages(): Record[] {
    let start = 0;
    return this.#lengths.map((length) => {
      start += length;
      return plainMessage(this.#bytes.subarray(start - length, start), undefined);
    });
  }

  #copy(value: Uint8Array | string, byteLength: number): void {
    const start = this.#copiedBytes;
    const end = start + byteLength;
    if (end > this.#bytes.length) {
      const grown = Buffer.allocUnsafeSlow(Math.max(end, 2 * this.#bytes.length));
      grown.set(this.#bytes.subarray(0, start));
      this.#bytes = grown;
    }
    if (typeof value === "string") this.#bytes.write(value, start, "utf8");
    else this.#bytes.set(value, start);
    this.#copiedBytes = end;
  }
}

function plainMessage(value: Uint8Array, timestamp: number | undefined): Record {
  const timestampMs = timestamp === undefined ? undefined : BigInt(timestamp);
  return create(RecordSchema, timestampMs === undefined ? { value } : { value, timestampMs });
}

function messageOf({ parts, timestamp }: PreparedRecord): Record {
  const { value, key, headers } = parts!;
  return create(RecordSchema, {
    value: new Uint8Array(value),
    ...(key !== undefined && { key: new Uint8Array(key) }),
    headers: (headers ?? []).map(([name, content]) => ({
      name: headerName.decode(name),
      value: new Uint8Array(content),
    })),
    ...(timestamp !== undefined && { timestampMs: BigInt(timestamp) }),
  });
}
