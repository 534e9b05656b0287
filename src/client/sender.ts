import { SeglogError } from "../errors.js";
import type { PreparedRecord } from "../format/prepared-record.js";
import type { Pack } from "../wire/generated/seglog/v1/log_service_pb.js";
import type { BatchFields } from "../wire/records.js";
import { AppendLane } from "./append-lane.js";
import { backoffMs } from "./backoff.js";
import { isTransient } from "./failures.js";
import { KeyPlaces } from "./key-places.js";
import type { ProducerIdentity } from "./key-queue.js";
import type { OpenAppendStream } from "./lane-stream.js";
import { bufferedBytesOf, Outbox } from "./outbox.js";
import type { Delivery, OutgoingBatch } from "./outgoing-batch.js";
import type { ResolvedProducerOptions } from "./producer-options.js";
import { WaitingRoom } from "./waiting-room.js";

/** How a sender reaches the server. */
export interface SenderTransport {
  readonly openStream: OpenAppendStream;
  /** Registers a producer by name, once. */
  openProducer(name: string): Promise<ProducerIdentity>;
  /** What a key has of a producer, if it has anything. */
  stored(key: string, id: bigint): Promise<StoredOfProducer | undefined>;
}

/** What is stored of a producer in one key. */
export interface StoredOfProducer {
  readonly epoch: number;
  /** Of the next record in this epoch. */
  readonly nextSequence: number;
  /** Of its last record. */
  readonly lastOffset: number;
}

/** Keys that are remembered while nothing is to be sent to them. */
export const MAX_IDLE_KEYS = 10_000;

/** What a sender needs to know. */
export interface SenderOptions extends Omit<ResolvedProducerOptions, "onError"> {
  readonly answerTimeoutMs: number;
  /** Usually {@link MAX_IDLE_KEYS}. */
  readonly maxIdleKeys: number;
  /** Told once of each batch that failed. */
  readonly onFailure: (error: Error) => void;
}

/**
 * Delivers records to the server: lets in as much as there is room for, in the order of the calls,
 * and sends it.
 */
export class Sender {
  readonly #options: SenderOptions;
  readonly #transport: SenderTransport;
  readonly #outbox: Outbox;
  readonly #lane: AppendLane;
  readonly #waitingRoom: WaitingRoom;
  #compress: (pack: Pack) => Pack = (pack) => pack;
  /** Why the server has not given an identity yet. */
  #registerFailure: SeglogError | undefined;
  #closing: Promise<void> | undefined;
  #isClosed = false;
  /** Given by the server, for a name. */
  readonly #identity: Promise<ProducerIdentity | undefined>;

  constructor(transport: SenderTransport, options: SenderOptions) {
    const { name, answerTimeoutMs, deliveryTimeoutMs } = options;
    this.#options = options;
    this.#transport = transport;
    this.#outbox = new Outbox({ ...options, isNamed: name !== undefined });
    this.#waitingRoom = new WaitingRoom(this.#outbox);
    const places = new KeyPlaces({
      find: (key) => this.#nextSequence(key),
      placed: (queue, nextSequence) => this.#outbox.placed(queue, nextSequence),
      refused: (queue, error) => this.#outbox.refused(queue, error),
      note: (failure) => this.#outbox.note(failure),
    });
    this.#outbox.onUnplaced = (queue) => places.ask(queue);
    this.#lane = new AppendLane(this.#outbox, {
      openStream: transport.openStream,
      answerTimeoutMs,
      sendTimeoutMs: deliveryTimeoutMs,
      compress: (fields) => this.#compressed(fields),
    });
    this.#identity = this.#start();
  }

  /** Whether something was sent to this key before, so that it is a valid one. */
  knows(key: string): boolean {
    return this.#outbox.knows(key);
  }

  /** Whether a record would have to wait. */
  get isFull(): boolean {
    return !this.#waitingRoom.hasRoom(1);
  }

  /**
   * Takes a record in. It is copied before this returns, unless there is no room for it; then it
   * must not be changed until it is delivered.
   */
  add(
    key: string,
    record: PreparedRecord,
    delivery: Delivery,
    signal: AbortSignal | undefined,
  ): void {
    this.#whenRoom(bufferedBytesOf(record.byteLength), delivery, signal, (sinceMs) =>
      this.#outbox.add(key, record, delivery, sinceMs),
    );
  }

  /** Takes in a batch that is stored as it is, with one delivery. */
  addWhole(batch: OutgoingBatch, signal: AbortSignal | undefined): void {
    this.#whenRoom(batch.bufferedBytes, batch.deliveries[0]!, signal, () =>
      this.#outbox.addWhole(batch),
    );
  }

  /** Resolves when there is room for another record. */
  room(): Promise<void> {
    return this.isFull ? this.#waitingRoom.room(1) : Promise.resolve();
  }

  /** Resolves when everything that came before is delivered, or has failed. */
  async flush(): Promise<void> {
    if (this.#waitingRoom.isOccupied) await this.#waitingRoom.room(0);
    await this.#outbox.flush();
  }

  /**
   * Offset of the last record that a key has of the producer of this name. It takes no longer than
   * a call may take, also while there is no server.
   */
  async lastOffset(key: string): Promise<number | undefined> {
    const { answerTimeoutMs } = this.#options;
    let timer: NodeJS.Timeout | undefined;
    const timeout = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(this.#overdue()), answerTimeoutMs);
    });
    return Promise.race([this.#askLastOffset(key), timeout]).finally(() => clearTimeout(timer));
  }

  async #askLastOffset(key: string): Promise<number | undefined> {
    const { id } = await this.#identified();
    return (await this.#transport.stored(key, id))?.lastOffset;
  }

  /** Of a key to which something was sent, perhaps, all of which was answered. */
  async #nextSequence(key: string): Promise<number> {
    const { id, epoch } = await this.#identified();
    const stored = await this.#transport.stored(key, id);
    // Sequences begin anew with each epoch. A later one than ours fences whatever we send.
    return stored?.epoch === epoch ? stored.nextSequence : 0;
  }

  async #identified(): Promise<ProducerIdentity> {
    const identity = await this.#identity;
    if (identity !== undefined) return identity;
    throw this.#outbox.fatalError ?? closed();
  }

  /** Takes nothing in any more, delivers what is here, and ends. */
  close(): Promise<void> {
    this.#closing ??= this.flush().then(() => this.abort(closed()));
    return this.#closing;
  }

  /** Ends at once: what is not delivered fails. */
  abort(error: SeglogError): void {
    this.#closing ??= Promise.resolve();
    this.#isClosed = true;
    this.#outbox.fail(error);
    this.#lane.close();
  }

  #whenRoom(
    bytes: number,
    delivery: Delivery,
    signal: AbortSignal | undefined,
    take: (sinceMs: number | undefined) => void,
  ): void {
    const refusal = this.#refusal(bytes);
    if (refusal !== undefined) {
      // Later, as every other failure is told.
      queueMicrotask(() => delivery.failed(refusal));
    } else if (this.#waitingRoom.hasRoom(bytes)) {
      take(undefined);
    } else {
      this.#waitingRoom.enter(bytes, delivery, signal, take);
    }
  }

  #refusal(bytes: number): SeglogError | undefined {
    const final = this.#outbox.fatalError ?? (this.#closing === undefined ? undefined : closed());
    if (final !== undefined || this.#options.whenFull === "wait") return final;
    return this.#waitingRoom.hasRoom(bytes) ? undefined : full(this.#options);
  }

  /** Gets what it needs to send; until then records gather. */
  async #start(): Promise<ProducerIdentity | undefined> {
    const { name, compression } = this.#options;
    try {
      if (compression === "lz4") {
        this.#compress = (await import("../wire/pack-compression.js")).compressPack;
      }
      const identity = name === undefined ? undefined : await this.#register(name);
      if (identity !== undefined) this.#outbox.identify(identity);
      if (!this.#isClosed) this.#lane.start();
      return identity;
    } catch (error) {
      this.#outbox.fail(error as SeglogError);
      return undefined;
    }
  }

  async #register(name: string): Promise<ProducerIdentity | undefined> {
    for (let failures = 1; !this.#isClosed; failures++) {
      try {
        const identity = await this.#transport.openProducer(name);
        this.#registerFailure = undefined;
        return identity;
      } catch (error) {
        if (!isTransient(error)) throw error;
        this.#registerFailure = error as SeglogError;
        this.#outbox.note(this.#registerFailure);
      }
      await new Promise((resolve) => setTimeout(resolve, backoffMs(failures)));
    }
    return undefined;
  }

  #overdue(): SeglogError {
    const cause = this.#registerFailure;
    const text =
      `The server did not say within ${this.#options.answerTimeoutMs} ms where the producer ` +
      "stands. Ask again.";
    if (cause === undefined) return new SeglogError("TIMEOUT", text);
    return new SeglogError(cause.code, `${text} The latest failure: ${cause.message}`, { cause });
  }

  #compressed(fields: BatchFields): BatchFields {
    return fields.pack === undefined ? fields : { pack: this.#compress(fields.pack as Pack) };
  }
}

function closed(): SeglogError {
  return new SeglogError("CLOSED", "The producer is closed. Make another one.");
}

function full({ maxBufferedBytes }: SenderOptions): SeglogError {
  return new SeglogError(
    "LIMIT_EXCEEDED",
    `The producer holds ${maxBufferedBytes} bytes of records that are not delivered yet. Send ` +
      'slower, wait with { whenFull: "wait" }, or raise maxBufferedBytes.',
  );
}
