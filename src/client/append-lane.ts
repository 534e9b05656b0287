import { SeglogError } from "../errors.js";
import { backoffMs } from "./backoff.js";
import { hasCode, isTooLong, isTransient } from "./failures.js";
import { type LaneOptions, LaneStream, type StreamEnd } from "./lane-stream.js";
import type { Outbox } from "./outbox.js";
import type { OutgoingBatch } from "./outgoing-batch.js";

const CAREFUL_ANSWERS = 100;

/**
 * Sends what is in an outbox, over one stream at a time. When a stream breaks, another is opened as
 * soon as there is something to send.
 */
export class AppendLane {
  readonly #outbox: Outbox;
  readonly #options: LaneOptions;
  #stream: LaneStream | undefined;
  /** Streams in a row that ended without an answer. */
  #failures = 0;
  #backoff: NodeJS.Timeout | undefined;
  /** Answers until which one batch at a time is sent, to see which of them breaks the stream. */
  #carefulAnswers = 0;
  #isStarted = false;
  #isClosed = false;

  constructor(outbox: Outbox, options: LaneOptions) {
    this.#outbox = outbox;
    this.#options = options;
    outbox.onReady = () => this.#wake();
  }

  /** Begins to send. */
  start(): void {
    this.#isStarted = true;
    if (this.#outbox.isReady) this.#wake();
  }

  /** Ends at once, without the answers to what is under way. */
  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#backoff);
    this.#stream?.end(new SeglogError("CLOSED", "The producer is closed."));
  }

  #wake(): void {
    if (!this.#isStarted || this.#isClosed || this.#backoff !== undefined) return;
    if (this.#stream !== undefined) this.#stream.wake();
    else void this.#run();
  }

  async #run(): Promise<void> {
    this.#stream = new LaneStream(this.#outbox, this.#options, this.#carefulAnswers);
    const end = await this.#stream.run();
    this.#stream = undefined;
    if (this.#isClosed) return;
    this.#failures = end.answers > 0 ? 1 : this.#failures + 1;
    this.#carefulAnswers = 0;
    this.#judge(end);
    // A stream that was idle may end: servers do that to idle connections.
    const delayMs = end.answers > 0 && end.unanswered.length === 0 ? 0 : backoffMs(this.#failures);
    this.#backoff = setTimeout(() => {
      this.#backoff = undefined;
      if (this.#outbox.isReady) this.#wake();
    }, delayMs);
    if (!this.#outbox.isReady) this.#backoff.unref();
  }

  /** Tells the outbox what became of the batches without an answer. */
  #judge({ error, unanswered, answers }: StreamEnd): void {
    this.#outbox.note(error);
    const [batch] = unanswered;
    if (batch === undefined) return;
    if (answers === 0 && hasCode(error, "UNAUTHENTICATED")) {
      // A server looks who calls before it does anything.
      for (const each of unanswered) this.#outbox.failed(each, error);
      return;
    }
    const isUnread = isTooLong(error);
    const isVerdict = !isTransient(error) || isUnread;
    if (isVerdict && unanswered.length === 1) {
      this.#outbox.failed(batch, isUnread ? tooLong(batch, error) : error, isUnread);
      return;
    }
    // The server ended the stream because of one of them. Next time it will be seen which one.
    if (isVerdict) this.#carefulAnswers = CAREFUL_ANSWERS;
    const text = `The connection broke before the server answered. ${error.message}`;
    const broken = new SeglogError("UNAVAILABLE", text, { cause: error });
    for (const each of unanswered) this.#outbox.failed(each, broken);
  }
}

/** Within the stream, this would be told of a limit that is reached for now. */
function tooLong({ byteLength }: OutgoingBatch, error: Error): SeglogError {
  return new SeglogError(
    "BATCH_TOO_LARGE",
    `The server takes no request of ${byteLength} bytes of records. ${error.message}`,
    { cause: error },
  );
}
