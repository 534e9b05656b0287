import { prepare } from "../format/prepared-record.js";
import type { RecordInput } from "../format/record.js";
import { encodeKey } from "../store/key-directory.js";
import type { Delivery } from "./outgoing-batch.js";
import type { ResolvedProducerOptions } from "./producer-options.js";
import { MAX_IDLE_KEYS, Sender, type SenderTransport } from "./sender.js";
import { shielded } from "./shielded.js";

/** Where a record was stored. */
export interface SentRecord {
  /** Of the record in the log of its key. */
  readonly offset: number;
}

/** A record that was stored. */
export interface StoredOutcome {
  /** To which it was sent. */
  readonly key: string;
  /** Of the record in the log of its key. */
  readonly offset: number;
  /** Nothing went wrong. */
  readonly error: undefined;
}

/** A record that is not stored, or of which nobody knows. */
export interface FailedOutcome {
  /** To which it was sent. */
  readonly key: string;
  /** It has none. */
  readonly offset: undefined;
  /** With the same codes that the promise is rejected with. */
  readonly error: Error;
}

/** What became of a record. */
export type SendOutcome = StoredOutcome | FailedOutcome;

/** Called once for each record. What it throws goes to `onError`. */
export type SendCallback = (outcome: SendOutcome) => void;

/**
 * Sends records to a server: in batches, in the order of each key, each stored exactly once. Get one
 * with {@link SeglogClient.producer}.
 */
export class Producer implements AsyncDisposable {
  readonly #sender: Sender;
  readonly #onError: ((error: unknown) => void) | undefined;
  readonly #onClosed: () => void;
  readonly #isNamed: boolean;
  #closing: Promise<void> | undefined;

  /** @internal */
  constructor(
    transport: SenderTransport,
    options: ResolvedProducerOptions,
    answerTimeoutMs: number,
    onClosed: () => void,
  ) {
    this.#onClosed = onClosed;
    this.#isNamed = options.name !== undefined;
    this.#onError = options.onError;
    const onFailure = (error: unknown) => {
      if (this.#onError !== undefined) shielded(this.#onError, error);
    };
    this.#sender = new Sender(transport, {
      ...options,
      answerTimeoutMs,
      maxIdleKeys: MAX_IDLE_KEYS,
      onFailure,
    });
  }

  /**
   * Sends a record. Its bytes are copied before this returns, unless the buffer is full; see
   * {@link room}. Records of one key are stored in the order of the calls.
   *
   * @param callback - Called once with the outcome, just before the promise is settled. A promise
   *   whose callback was told of a failure does not count as unhandled.
   * @returns Resolves when the record is as safe as the server's durability policy says.
   * @throws TypeError for a wrong key or record. SeglogError `TIMEOUT` and `UNAVAILABLE` (the
   *   message says whether it may be stored), `RECORD_TOO_LARGE`, `INVALID_KEY`, `LIMIT_EXCEEDED`,
   *   `PRODUCER_FENCED`, `PERMISSION_DENIED`, `UNAUTHENTICATED`, `CLOSED` and whatever else the
   *   server refuses it with. `SEQUENCE_FORGOTTEN`: it is stored, but at an unknown offset.
   */
  send(key: string, record: RecordInput, callback?: SendCallback): Promise<SentRecord> {
    try {
      if (!this.#sender.knows(key)) encodeKey(key);
      const send = new PendingSend(key, callback, this.#onError);
      this.#sender.add(key, prepare(record), send, undefined);
      return send.promise;
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /**
   * Where a program goes on that was killed, or replaces another one: offset of the last record in
   * a key that is stored under this producer's name, by whichever program had it, on stable
   * storage if the server's policy says so. What was sent to the key up to that record is stored;
   * what was sent behind it is not, and never will be. Ask before the first `send`.
   *
   * @returns `undefined` if there is none.
   * @throws TypeError without a `name`, or for a wrong key. SeglogError `UNAVAILABLE`, `TIMEOUT`,
   *   `PERMISSION_DENIED`, `UNAUTHENTICATED`, `CLOSED`.
   */
  async lastOffset(key: string): Promise<number | undefined> {
    encodeKey(key);
    if (!this.#isNamed) throw new TypeError("Only a producer with a name has sent anything before");
    return this.#sender.lastOffset(key);
  }

  /** Whether the buffer is full, so that records have to wait or are refused. */
  get isFull(): boolean {
    return this.#sender.isFull;
  }

  /**
   * Resolves when there is room in the buffer for another record: for programs that do not await
   * each `send`, so that they go no faster than the server.
   */
  room(): Promise<void> {
    return this.#sender.room();
  }

  /**
   * Sends at once what lingers, and resolves when everything that was sent before is stored, or has
   * failed: of that, its own promise and callback tell.
   */
  flush(): Promise<void> {
    return this.#sender.flush();
  }

  /**
   * Takes no more records and resolves when all are stored, or have failed. Once is enough. It takes
   * no longer than `deliveryTimeoutMs`.
   */
  close(): Promise<void> {
    this.#closing ??= this.#sender.close().finally(this.#onClosed);
    return this.#closing;
  }

  /** As {@link close}, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

/** A record, and whoever waits for it. */
class PendingSend implements Delivery {
  readonly promise: Promise<SentRecord>;
  readonly #key: string;
  readonly #callback: SendCallback | undefined;
  readonly #onError: ((error: unknown) => void) | undefined;
  #resolve!: (sent: SentRecord) => void;
  #reject!: (error: Error) => void;

  constructor(
    key: string,
    callback: SendCallback | undefined,
    onError: ((error: unknown) => void) | undefined,
  ) {
    this.#key = key;
    this.#callback = callback;
    this.#onError = onError;
    this.promise = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  delivered(offset: number): void {
    if (this.#callback !== undefined) this.#call({ key: this.#key, offset, error: undefined });
    this.#resolve({ offset });
  }

  failed(error: Error): void {
    const isTold = this.#callback !== undefined || this.#onError !== undefined;
    if (this.#callback !== undefined) this.#call({ key: this.#key, offset: undefined, error });
    // Whoever was told need not look at the promise.
    if (isTold) this.promise.catch(() => undefined);
    this.#reject(error);
  }

  #call(outcome: SendOutcome): void {
    try {
      this.#callback!(outcome);
    } catch (error) {
      shielded(this.#onError ?? rethrow, error);
    }
  }
}

function rethrow(error: unknown): never {
  throw error;
}
