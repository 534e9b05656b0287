import { toConnectError } from "../wire/failure.js";
import type { ByteBudget } from "./byte-budget.js";
import { MessageFrames } from "./message-frames.js";

/** How a body is received. */
export interface RequestBodyOptions {
  /**
   * Whether it is a stream of messages, each behind its length. Any other body is one message to
   * its end: until then, its caller keeps what is taken, and its time runs.
   */
  readonly isStream: boolean;
  readonly budget: ByteBudget;
  /**
   * How long a message of a stream may take from its first piece to its last; any other body, from
   * its headers to its end.
   */
  readonly messageMs: number;
  /** Aborted when nobody reads the body any more. */
  readonly signal: AbortSignal;
  /** Called when a message has taken too long. */
  readonly onStalled: () => void;
}

/**
 * A request's body, whose bytes are taken from a budget while they wait for the rest of their
 * message: what has no room is not read from the connection. What becomes of a message that is
 * complete, its service knows.
 */
export class RequestBody {
  readonly #pieces: AsyncIterable<Uint8Array>;
  readonly #options: RequestBodyOptions;
  readonly #frames: MessageFrames | undefined;
  #taken = 0;
  #stalling: NodeJS.Timeout | undefined;
  #isReleased = false;
  /** Ends the wait for the next piece. */
  #giveUp: (reason: unknown) => void = () => undefined;

  constructor(pieces: AsyncIterable<Uint8Array>, options: RequestBodyOptions) {
    this.#pieces = pieces;
    this.#options = options;
    this.#frames = options.isStream ? new MessageFrames() : undefined;
    const { signal } = options;
    signal.addEventListener("abort", () => this.#giveUp(signal.reason));
    if (!options.isStream) this.#startClock();
  }

  /** @throws ConnectError of `LIMIT_EXCEEDED` where there is no room; the signal's reason. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    const pieces = this.#pieces[Symbol.asyncIterator]();
    let incomplete = 0;
    while (!this.#isReleased) {
      // Whoever asks for the next piece has all messages that were complete; it may never come.
      this.#giveBack(this.#taken - incomplete);
      const { done, value: piece } = await this.#next(pieces);
      if (done === true || this.#isReleased) break;
      await this.#take(piece.length);
      if (this.#isReleased) break;
      if (this.#frames === undefined) incomplete = this.#taken;
      else {
        incomplete = this.#frames.feed(piece);
        this.#expectRest(incomplete, piece.length);
      }
      yield piece;
    }
    this.release();
  }

  /** Gives back what is taken: the call is over, whether it has read everything or not. */
  release(): void {
    this.#isReleased = true;
    clearTimeout(this.#stalling);
    this.#giveBack(this.#taken);
  }

  /** A request that is cut off may leave whoever waits for its next piece without an answer. */
  #next(pieces: AsyncIterator<Uint8Array>): Promise<IteratorResult<Uint8Array>> {
    return new Promise((resolve, reject) => {
      this.#giveUp = reject;
      if (this.#options.signal.aborted) reject(this.#options.signal.reason);
      else pieces.next().then(resolve, reject);
    });
  }

  /** The time of a stream's message runs from the piece on in which it begins. */
  #expectRest(incomplete: number, pieceBytes: number): void {
    if (incomplete > pieceBytes) return;
    clearTimeout(this.#stalling);
    if (incomplete > 0) this.#startClock();
  }

  #startClock(): void {
    const { messageMs, onStalled } = this.#options;
    this.#stalling = setTimeout(onStalled, messageMs);
  }

  async #take(bytes: number): Promise<void> {
    const { budget, signal } = this.#options;
    try {
      if (!budget.tryTake(bytes)) await budget.take(bytes, signal);
    } catch (error) {
      throw toConnectError(error);
    }
    this.#taken += bytes;
    if (this.#isReleased) this.release();
  }

  #giveBack(bytes: number): void {
    this.#taken -= bytes;
    if (bytes > 0) this.#options.budget.giveBack(bytes);
  }
}

/** A body that fails as soon as somebody reads it: the call is refused in its own protocol. */
export function refusedBody(reason: unknown): AsyncIterable<Uint8Array> {
  const next = () => Promise.reject(toConnectError(reason));
  return { [Symbol.asyncIterator]: () => ({ next }) };
}
