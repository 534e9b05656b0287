import { MaelstromError } from "./maelstrom-error.js";
import { errorOf, type Reply } from "./protocol.js";

interface Call {
  readonly dest: string;
  readonly timer: NodeJS.Timeout;
  readonly resolve: (reply: Reply) => void;
  readonly reject: (error: MaelstromError) => void;
}

/** What this node asked others and has no answer to yet. */
export class OutstandingCalls {
  readonly #calls = new Map<number, Call>();
  #lastId = 0;
  #ended: MaelstromError | undefined;

  /**
   * Asks, and waits for the answer.
   *
   * @param ask - Sends the request under the id that its answer will name.
   * @throws MaelstromError as the answer tells it; `timeout` if there is none in time.
   */
  begin(dest: string, timeoutMs: number, ask: (messageId: number) => void): Promise<Reply> {
    return new Promise((resolve, reject) => {
      if (this.#ended !== undefined) {
        reject(this.#ended);
        return;
      }
      const messageId = ++this.#lastId;
      const timer = setTimeout(() => {
        this.#calls.delete(messageId);
        reject(new MaelstromError("timeout", `${dest} did not answer within ${timeoutMs} ms.`));
      }, timeoutMs);
      this.#calls.set(messageId, { dest, timer, resolve, reject });
      ask(messageId);
    });
  }

  /**
   * Hands an answer to whoever waits for it; one that comes too late is nobody's.
   *
   * @returns Whether it answers anything that was ever asked.
   */
  settle(reply: Reply): boolean {
    const call = this.#calls.get(reply.inReplyTo);
    if (call === undefined) return reply.inReplyTo > 0 && reply.inReplyTo <= this.#lastId;
    // Ids are guessed easily: an answer must come from whom was asked.
    if (call.dest !== reply.src) return false;
    this.#calls.delete(reply.inReplyTo);
    clearTimeout(call.timer);
    const error = errorOf(reply);
    if (error === undefined) call.resolve(reply);
    else call.reject(error);
    return true;
  }

  /** Ends all waiting, now and from now on: no answer will be heard any more. */
  end(): void {
    this.#ended = new MaelstromError("timeout", "The node stops and hears no more answers.");
    for (const { timer, reject } of this.#calls.values()) {
      clearTimeout(timer);
      reject(this.#ended);
    }
    this.#calls.clear();
  }
}
