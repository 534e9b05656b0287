import { create } from "@bufbuild/protobuf";
import { SeglogError } from "../errors.js";
import {
  type AppendRequest,
  AppendRequestSchema,
  type AppendStreamResponse,
} from "../wire/generated/seglog/v1/log_service_pb.js";
import { toSafeInteger } from "../wire/integers.js";
import type { BatchFields } from "../wire/records.js";
import { fromConnectError, fromFailure } from "../wire/remote-error.js";
import { hasCode } from "./failures.js";
import type { Outbox, SentBatch } from "./outbox.js";
import type { OutgoingBatch } from "./outgoing-batch.js";

/** Opens a stream of appends. Each request is answered, in order. */
export type OpenAppendStream = (
  requests: AsyncIterable<AppendRequest>,
  signal: AbortSignal,
) => AsyncIterable<AppendStreamResponse>;

/** What a stream of appends needs. */
export interface LaneOptions {
  readonly openStream: OpenAppendStream;
  /** How long to wait for an answer to what was sent before the connection counts as dead. */
  readonly answerTimeoutMs: number;
  /** How long the transport may take for a request before that: lines are slow, records long. */
  readonly sendTimeoutMs: number;
  /** Compresses what can be compressed. */
  readonly compress: (fields: BatchFields) => BatchFields;
}

/** How a stream ended. */
export interface StreamEnd {
  readonly error: Error;
  /** Batches that were sent without an answer, in order. */
  readonly unanswered: readonly OutgoingBatch[];
  /** How many the server answered. */
  readonly answers: number;
}

/** A batch that has no answer. */
interface Unanswered {
  readonly batch: OutgoingBatch;
  /** When the transport began with it. */
  readonly startedAtMs: number;
  /** When the transport was done with it, and asked for the next one. */
  sentAtMs: number | undefined;
}

/** One stream of appends, from its opening until it ends, for whatever reason. */
export class LaneStream {
  readonly #outbox: Outbox;
  readonly #options: LaneOptions;
  readonly #carefulAnswers: number;
  readonly #abort = new AbortController();
  /** Batches without an answer, in the order in which they were sent. */
  readonly #unanswered: Unanswered[] = [];
  #timer: NodeJS.Timeout | undefined;
  #answers = 0;
  /** Ends the sleep of whoever makes requests. */
  #wakeUp: (() => void) | undefined;

  /** @param carefulAnswers - Answers until which one batch at a time is sent. */
  constructor(outbox: Outbox, options: LaneOptions, carefulAnswers: number) {
    this.#outbox = outbox;
    this.#options = options;
    this.#carefulAnswers = carefulAnswers;
  }

  /** Sends and receives; never rejects. */
  async run(): Promise<StreamEnd> {
    const { signal } = this.#abort;
    let error: Error;
    try {
      for await (const answer of this.#options.openStream(this.#requests(), signal)) {
        this.#answer(answer);
      }
      error = new SeglogError("UNAVAILABLE", "The server ended the stream of appends.");
    } catch (thrown) {
      error = signal.aborted ? (signal.reason as Error) : fromConnectError(thrown);
    }
    this.end(error);
    clearTimeout(this.#timer);
    const unanswered = this.#unanswered.map(({ batch }) => batch);
    return { error, unanswered, answers: this.#answers };
  }

  /** Looks for something to send, once what is happening now has happened. */
  wake(): void {
    const wakeUp = this.#wakeUp;
    if (wakeUp === undefined) return;
    this.#wakeUp = undefined;
    // Whatever is sent until then goes along in the same batches.
    setImmediate(wakeUp);
  }

  /** Ends it now. */
  end(reason: Error): void {
    this.#abort.abort(reason);
    this.wake();
  }

  async *#requests(): AsyncGenerator<AppendRequest, void, void> {
    const { signal } = this.#abort;
    await new Promise((resolve) => setImmediate(resolve));
    while (!signal.aborted) {
      const mustWait = this.#answers < this.#carefulAnswers && this.#unanswered.length > 0;
      const next = mustWait ? undefined : this.#outbox.take();
      if (next !== undefined) {
        const startedAtMs = performance.now();
        const sent: Unanswered = { batch: next.batch, startedAtMs, sentAtMs: undefined };
        this.#unanswered.push(sent);
        this.#timer ??= setTimeout(() => this.#watch(), this.#options.answerTimeoutMs);
        yield this.#requestOf(next);
        sent.sentAtMs = performance.now();
        continue;
      }
      await new Promise<void>((resolve) => {
        this.#wakeUp = resolve;
      });
    }
  }

  #requestOf({ batch, identity }: SentBatch): AppendRequest {
    const producer = { ...identity, sequence: batch.sequence };
    const fields = this.#options.compress(batch.contents());
    return create(AppendRequestSchema, { key: batch.key, producer, ...fields });
  }

  #answer({ result }: AppendStreamResponse): void {
    const [sent] = this.#unanswered;
    if (sent === undefined || result.case === undefined) {
      throw new SeglogError("UNAVAILABLE", "The server answered what it was not asked.");
    }
    const { batch } = sent;
    // An answer that makes no sense is none: it throws before the batch counts as answered.
    const outcome =
      result.case === "appended"
        ? toSafeInteger(result.value.baseOffset, "base_offset")
        : fromFailure(result.value);
    this.#unanswered.shift();
    this.#answers++;
    if (typeof outcome === "number") {
      this.#outbox.stored(batch, outcome);
    } else if (hasCode(outcome, "SEQUENCE_FORGOTTEN")) {
      this.#outbox.stored(batch, -1, outcome);
    } else {
      this.#outbox.failed(batch, outcome);
    }
    if (this.#answers <= this.#carefulAnswers) this.wake();
  }

  /** Looks whether the oldest batch has waited too long. */
  #watch(): void {
    this.#timer = undefined;
    const [oldest] = this.#unanswered;
    if (oldest === undefined) return;
    const { answerTimeoutMs, sendTimeoutMs } = this.#options;
    const { startedAtMs, sentAtMs } = oldest;
    const isSent = sentAtMs !== undefined;
    const limitMs = isSent ? answerTimeoutMs : sendTimeoutMs;
    const leftMs = (sentAtMs ?? startedAtMs) + limitMs - performance.now();
    if (leftMs > 0) {
      // What is not sent yet may be sent at any moment; then the other limit counts.
      this.#timer = setTimeout(() => this.#watch(), Math.ceil(Math.min(leftMs, answerTimeoutMs)));
      return;
    }
    const what = isSent ? "answer an append" : "take an append";
    this.end(new SeglogError("TIMEOUT", `The server did not ${what} within ${limitMs} ms.`));
  }
}
