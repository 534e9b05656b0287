import { toConnectError } from "../wire/failure.js";
import type { ByteBudget } from "./byte-budget.js";
import { MessageFrames } from "./message-frames.js";

/** Bodies of many messages, each behind its length. Any other is one message. */
const FRAMED = /^application\/(grpc|connect\+)/;

/**
 * A request's body, whose bytes are taken from a budget while they wait for the rest of their
 * message: what has no room is not read from the connection. What becomes of a message that is
 * complete, its service knows.
 */
export class RequestBody {
  readonly #pieces: AsyncIterable<Uint8Array>;
  readonly #budget: ByteBudget;
  readonly #signal: AbortSignal;
  readonly #frames: MessageFrames | undefined;
  #taken = 0;
  #isReleased = false;

  /** @param signal - Aborted when nobody reads the body any more. */
  constructor(
    pieces: AsyncIterable<Uint8Array>,
    contentType: string,
    budget: ByteBudget,
    signal: AbortSignal,
  ) {
    this.#pieces = pieces;
    this.#budget = budget;
    this.#signal = signal;
    this.#frames = FRAMED.test(contentType) ? new MessageFrames() : undefined;
  }

  /** @throws ConnectError of `LIMIT_EXCEEDED` where there is no room. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    let incomplete = 0;
    for await (const piece of this.#pieces) {
      // Whoever asks for the next piece has all messages that were complete.
      this.#giveBack(this.#taken - incomplete);
      await this.#take(piece.length);
      incomplete = this.#frames?.feed(piece) ?? this.#taken;
      yield piece;
    }
    this.release();
  }

  /** Gives back what is taken: the call is over, whether it has read everything or not. */
  release(): void {
    this.#isReleased = true;
    this.#giveBack(this.#taken);
  }

  async #take(bytes: number): Promise<void> {
    try {
      if (!this.#budget.tryTake(bytes)) await this.#budget.take(bytes, this.#signal);
    } catch (error) {
      throw toConnectError(error);
    }
    this.#taken += bytes;
    if (this.#isReleased) this.release();
  }

  #giveBack(bytes: number): void {
    this.#taken -= bytes;
    if (bytes > 0) this.#budget.giveBack(bytes);
  }
}

/** A body that fails as soon as somebody reads it: the call is refused in its own protocol. */
export function refusedBody(reason: unknown): AsyncIterable<Uint8Array> {
  const next = () => Promise.reject(toConnectError(reason));
  return { [Symbol.asyncIterator]: () => ({ next }) };
}
