import type { LogRecord } from "../../format/record.js";
import type { RecordBatch } from "./record-batch.js";

/**
 * Gives the records of batches one by one. Written out, for an async generator takes several turns
 * for each record; here one that is in memory is there at once.
 */
export class RecordIteration implements AsyncIterableIterator<LogRecord, undefined> {
  readonly #batches: AsyncGenerator<RecordBatch, void, void>;
  readonly #signal: AbortSignal | undefined;
  /** Of the batch that is being given; `undefined` before the first and behind the last. */
  #records: Iterator<LogRecord, undefined> | undefined;
  /** Set while the next batch is awaited: whoever asks meanwhile gets what comes after it. */
  #loading: Promise<unknown> | undefined;
  #isEnded = false;

  constructor(batches: AsyncGenerator<RecordBatch, void, void>, signal: AbortSignal | undefined) {
    this.#batches = batches;
    this.#signal = signal;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<IteratorResult<LogRecord, undefined>> {
    if (this.#isEnded) return Promise.resolve({ done: true, value: undefined });
    if (this.#loading !== undefined) return this.#loading.then(() => this.next());
    try {
      this.#signal?.throwIfAborted();
      const result = this.#records?.next();
      if (result?.done === false) return Promise.resolve(result);
    } catch (error) {
      return this.#fail(error);
    }
    return this.#load();
  }

  /** Ends the iteration, as leaving a loop does. */
  async return(): Promise<IteratorResult<LogRecord, undefined>> {
    this.#isEnded = true;
    this.#records = undefined;
    await this.#batches.return();
    return { done: true, value: undefined };
  }

  #load(): Promise<IteratorResult<LogRecord, undefined>> {
    const loading = this.#nextBatch();
    const ended = () => {
      this.#loading = undefined;
    };
    this.#loading = loading.then(ended, ended);
    return loading;
  }

  async #nextBatch(): Promise<IteratorResult<LogRecord, undefined>> {
    this.#records = undefined;
    const { done, value: batch } = await this.#batches.next();
    if (done === true) return { done: true, value: undefined };
    this.#records = batch[Symbol.iterator]();
    try {
      // A batch is never empty.
      return this.#records.next();
    } catch (error) {
      return this.#fail(error);
    }
  }

  async #fail(error: unknown): Promise<never> {
    await this.return();
    throw error;
  }
}
