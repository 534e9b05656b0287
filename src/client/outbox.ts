import type { SeglogError } from "../errors.js";
import type { PreparedRecord } from "../format/prepared-record.js";
import { FlushWaits } from "./flush-waits.js";
import type { KeyQueue, ProducerIdentity } from "./key-queue.js";
import { KeyQueues } from "./key-queues.js";
import { type Delivery, OutgoingBatch } from "./outgoing-batch.js";
import { ServingLine } from "./serving-line.js";
import { WakeTimer } from "./wake-timer.js";

/** What an outbox needs to know. */
export interface OutboxOptions {
  /** How long a batch waits for more records, unless it is full. 0: until it can be sent. */
  readonly lingerMs: number;
  /** Length from which on a batch takes no more records. */
  readonly batchBytes: number;
  /** Batches of one key that are under way at a time. */
  readonly maxInFlight: number;
  /** What may be buffered: {@link bufferedBytesOf} each record. */
  readonly maxBufferedBytes: number;
  /** How long a record may take from coming here to its delivery. */
  readonly deliveryTimeoutMs: number;
  /** Whether the server gives the identity, for a name. */
  readonly isNamed: boolean;
  /** Keys that are remembered while nothing is to be sent to them. */
  readonly maxIdleKeys: number;
  /** Told once of each batch that failed. */
  readonly onFailure: (error: Error) => void;
}

/** A batch, and who sends it under which number. */
export interface SentBatch {
  readonly batch: OutgoingBatch;
  readonly identity: ProducerIdentity;
}

/** What a record takes in memory beside its bytes, roughly. */
const RECORD_OVERHEAD_BYTES = 128;

/** What a record counts toward `maxBufferedBytes`. */
export function bufferedBytesOf(byteLength: number): number {
  return byteLength + RECORD_OVERHEAD_BYTES;
}

/**
 * Everything that a producer has yet to deliver: gathers records into batches, one open batch for
 * each key, and gives the batches out to be sent, fairly among the keys.
 *
 * All its times are kept by one timer.
 */
export class Outbox {
  /** Called when there may be something to take. */
  onReady: () => void = () => undefined;
  /** Called when something was settled, so that there is more room, or nothing comes in any more. */
  onRoom: () => void = () => undefined;
  /** Called with a queue of which only the server knows where it stands. */
  onUnplaced: (queue: KeyQueue) => void = () => undefined;
  readonly #options: OutboxOptions;
  readonly #queues: KeyQueues;
  readonly #line = new ServingLine();
  /** Open batches that wait for more records, the oldest first. */
  readonly #lingering = new Set<OutgoingBatch>();
  /** All batches, the oldest first. */
  readonly #unsettled = new Set<OutgoingBatch>();
  readonly #paused = new Set<KeyQueue>();
  readonly #flushes = new FlushWaits<OutgoingBatch>();
  readonly #timer = new WakeTimer(() => this.#tick());
  #bufferedBytes = 0;
  #lastFailure: Error | undefined;
  #fatalError: SeglogError | undefined;

  constructor(options: OutboxOptions) {
    this.#options = options;
    const { maxInFlight, isNamed, lingerMs } = options;
    const owner = {
      maxInFlight,
      isNamed,
      takesOpen: lingerMs === 0,
      settled: (batch: OutgoingBatch, error: Error | undefined) => this.#settled(batch, error),
      replaced: (batch: OutgoingBatch, parts: readonly OutgoingBatch[]) =>
        this.#replaced(batch, parts),
      fatal: (error: SeglogError) => this.fail(error),
    };
    this.#queues = new KeyQueues(owner, options.maxIdleKeys);
  }

  /** Sets who sends, before anything is taken. */
  identify(identity: ProducerIdentity): void {
    this.#queues.identify(identity);
  }

  /** Why nothing can be sent any more. */
  get fatalError(): SeglogError | undefined {
    return this.#fatalError;
  }

  /** Whether there is, or was lately, something to send to this key. */
  knows(key: string): boolean {
    return this.#queues.get(key) !== undefined;
  }

  /** Whether a record may come in. One is always let in where there is none. */
  hasRoom(bufferedBytes: number): boolean {
    if (this.#bufferedBytes === 0) return true;
    return this.#bufferedBytes + bufferedBytes <= this.#options.maxBufferedBytes;
  }

  /**
   * Copies a record into the open batch of its key.
   *
   * @param sinceMs - When it came, if that was not now.
   */
  add(key: string, record: PreparedRecord, delivery: Delivery, sinceMs: number | undefined): void {
    const { batchBytes, lingerMs, deliveryTimeoutMs } = this.#options;
    const queue = this.#queueOf(key);
    let batch = queue.open;
    let isNew = false;
    if (batch !== undefined && !batch.hasRoom(record.byteLength, batchBytes)) {
      this.#seal(queue);
      batch = undefined;
    }
    if (batch === undefined) {
      batch = new OutgoingBatch(key, sinceMs ?? performance.now(), false, queue.latestBytes);
      queue.open = batch;
      this.#unsettled.add(batch);
      this.#timer.wakeAt(batch.createdAtMs + deliveryTimeoutMs);
      if (lingerMs > 0) {
        this.#lingering.add(batch);
        this.#timer.wakeAt(batch.createdAtMs + lingerMs);
      }
      isNew = true;
    }
    batch.add(record);
    batch.deliveries.push(delivery);
    batch.bufferedBytes += bufferedBytesOf(record.byteLength);
    this.#bufferedBytes += bufferedBytesOf(record.byteLength);
    if (!batch.hasRoom(1, batchBytes)) this.#seal(queue);
    else if (isNew) this.#lineUp(queue);
  }

  /** Takes in a batch that is stored as it is, behind all records of its key. */
  addWhole(batch: OutgoingBatch): void {
    const queue = this.#queueOf(batch.key);
    this.#seal(queue);
    this.#unsettled.add(batch);
    this.#timer.wakeAt(batch.createdAtMs + this.#options.deliveryTimeoutMs);
    this.#bufferedBytes += batch.bufferedBytes;
    queue.waiting.push(batch);
    this.#lineUp(queue);
  }

  /** Whether there may be something to take. */
  get isReady(): boolean {
    return !this.#line.isEmpty;
  }

  /** The next batch to send, if there is any. */
  take(): SentBatch | undefined {
    while (!this.#line.isEmpty) {
      const queue = this.#line.next();
      const batch = queue.isReady ? queue.take() : undefined;
      this.#lineUp(queue);
      if (batch !== undefined) return { batch, identity: queue.identity };
    }
    return undefined;
  }

  /** @param error - The batch is stored, but the server knows no more where. */
  stored(batch: OutgoingBatch, baseOffset: number, error?: Error): void {
    const queue = this.#queues.get(batch.key);
    if (this.#fatalError !== undefined || queue === undefined) return;
    this.#lastFailure = undefined;
    const isAwaited = this.#unsettled.has(batch);
    queue.stored(batch, error);
    this.#afterAnswer(queue);
    if (isAwaited && error === undefined) batch.deliver(baseOffset);
  }

  /**
   * A batch was refused, or its answer got lost.
   *
   * @param isUnread - The server reads no request of this length, in no attempt.
   */
  failed(batch: OutgoingBatch, error: Error, isUnread = false): void {
    const queue = this.#queues.get(batch.key);
    if (this.#fatalError !== undefined || queue === undefined) return;
    this.#lastFailure = error;
    if (isUnread) queue.unread(batch);
    queue.failed(batch, error);
    this.#afterAnswer(queue);
  }

  /** The server said where a queue stands. */
  placed(queue: KeyQueue, nextSequence: number): void {
    queue.place(nextSequence);
    this.#lineUp(queue);
  }

  /** Where a queue stands cannot be found out: what waits in it is not stored. */
  refused(queue: KeyQueue, error: Error): void {
    if (this.#fatalError !== undefined) return;
    // First: whoever is told may send to the key again, which makes another queue.
    this.#queues.rest(queue);
    queue.abandon(error);
  }

  /** Why nothing can be sent now: what records are told whose time is up. */
  note(failure: Error): void {
    this.#lastFailure = failure;
  }

  /** Sends at once what waits for more records, and resolves when all that is here is settled. */
  flush(): Promise<void> {
    this.sendLingering();
    return this.#flushes.until(this.#unsettled);
  }

  /** Waits no longer for more records. */
  sendLingering(): void {
    for (const { key } of this.#lingering) this.#seal(this.#queues.get(key)!);
  }

  /** Fails everything, now and from now on. */
  fail(error: SeglogError): void {
    this.#fatalError ??= error;
    this.#queues.abandon(error);
    this.#paused.clear();
    this.#lingering.clear();
    this.#timer.stop();
    this.onRoom();
  }

  #queueOf(key: string): KeyQueue {
    const found = this.#queues.get(key);
    if (found !== undefined) return found;
    const queue = this.#queues.make(key);
    if (!queue.isPlaced) this.onUnplaced(queue);
    return queue;
  }

  /** Closes the open batch of a queue, if there is one. */
  #seal(queue: KeyQueue): void {
    const batch = queue.open;
    if (batch === undefined) return;
    queue.open = undefined;
    this.#lingering.delete(batch);
    queue.waiting.push(batch);
    this.#lineUp(queue);
  }

  #lineUp(queue: KeyQueue): void {
    if (queue.isInLine || !queue.isReady) return;
    this.#line.add(queue);
    this.onReady();
  }

  #afterAnswer(queue: KeyQueue): void {
    if (this.#fatalError !== undefined) return;
    if (queue.pausedUntilMs > 0) {
      this.#paused.add(queue);
      this.#timer.wakeAt(queue.pausedUntilMs);
    } else {
      this.#paused.delete(queue);
      this.#lineUp(queue);
    }
    if (queue.isIdle) this.#queues.rest(queue);
  }

  #settled(batch: OutgoingBatch, error: Error | undefined): void {
    if (!this.#unsettled.delete(batch)) return;
    this.#lingering.delete(batch);
    this.#bufferedBytes -= batch.bufferedBytes;
    if (error !== undefined) {
      batch.fail(error);
      this.#options.onFailure(error);
    }
    this.#flushes.settle(batch);
    if (this.#unsettled.size === 0 && this.#paused.size === 0) this.#timer.stop();
    if (this.#fatalError === undefined) this.onRoom();
  }

  #replaced(batch: OutgoingBatch, parts: readonly OutgoingBatch[]): void {
    this.#unsettled.delete(batch);
    for (const part of parts) this.#unsettled.add(part);
    this.#flushes.settle(batch, parts);
  }

  #tick(): void {
    const nowMs = performance.now();
    const { lingerMs, deliveryTimeoutMs } = this.#options;
    for (const batch of this.#lingering) {
      const dueMs = batch.createdAtMs + lingerMs;
      if (dueMs > nowMs) {
        this.#timer.wakeAt(dueMs);
        break;
      }
      this.#seal(this.#queues.get(batch.key)!);
    }
    for (const queue of this.#paused) {
      if (queue.pausedUntilMs > nowMs) {
        this.#timer.wakeAt(queue.pausedUntilMs);
        continue;
      }
      queue.pausedUntilMs = 0;
      this.#paused.delete(queue);
      this.#lineUp(queue);
    }
    for (const batch of this.#unsettled) {
      const dueMs = batch.createdAtMs + deliveryTimeoutMs;
      if (dueMs > nowMs) {
        this.#timer.wakeAt(dueMs);
        break;
      }
      const queue = this.#queues.get(batch.key)!;
      queue.expire(batch, this.#lastFailure);
      this.#afterAnswer(queue);
    }
  }
}
