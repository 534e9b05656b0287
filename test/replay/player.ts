import type { History } from "../maelstrom/history.js";
import { numbersOf } from "../maelstrom/kafka-wire.js";
import type { NodeProcess } from "../maelstrom/node-process.js";
import type { RecordedMessage } from "./recording.js";

/** Requests that may wait for an answer at the same time. */
const MAX_IN_FLIGHT = 256;

/**
 * Plays recorded messages to a node, line for line and in their order, many of them in flight.
 *
 * The clients of the recording waited for each answer; here only what a request depends on is
 * waited for. The offsets of a poll or a commit came from answers, so it must not overtake the
 * sends that those offsets count: a poll from offset n of a key is held back until n sends to that
 * key have been acknowledged, a commit of offset n until n + 1 have. This takes for granted that
 * the node gives dense offsets, as the one in the recording did.
 */
export class Player {
  readonly #node: NodeProcess;
  readonly #history: History;
  readonly #timeoutMs: number;
  /** By key, one past the highest offset that was acknowledged. */
  readonly #ends = new Map<string, number>();
  #inFlight = 0;
  #onAnswer: () => void = () => {};
  #failure: Error | undefined;
  #highWater = 0;

  /** @param timeoutMs - How long there may be no answer at all before the play fails. */
  constructor(node: NodeProcess, history: History, timeoutMs: number) {
    this.#node = node;
    this.#history = history;
    this.#timeoutMs = timeoutMs;
  }

  /** The most requests that were in flight together. */
  get highWater(): number {
    return this.#highWater;
  }

  /** Resolves when all messages have been answered. Rejects if the node ends or stands still. */
  async play(messages: readonly RecordedMessage[]): Promise<void> {
    for (const message of messages) {
      while (this.#inFlight === MAX_IN_FLIGHT || !this.#mayGo(message)) {
        await this.#nextAnswer(message);
      }
      void this.#ask(message);
      // Only a node that knows its name answers anything else.
      if (message.body.type === "init") await this.#allAnswered();
    }
    await this.#allAnswered();
  }

  async #allAnswered(): Promise<void> {
    while (this.#inFlight > 0) await this.#nextAnswer();
    if (this.#failure) throw this.#failure;
  }

  #mayGo({ body }: RecordedMessage): boolean {
    const reached = (ahead: number) =>
      [...numbersOf(body.offsets)].every(
        ([key, offset]) => offset + ahead <= (this.#ends.get(key) ?? 0),
      );
    if (body.type === "poll") return reached(0);
    if (body.type === "commit_offsets") return reached(1);
    return true;
  }

  async #ask({ line, client, messageId, body }: RecordedMessage): Promise<void> {
    const operation = this.#history.invoke(client, body);
    this.#inFlight++;
    this.#highWater = Math.max(this.#highWater, this.#inFlight);
    try {
      const reply = await this.#node.exchange(line, client, messageId);
      this.#history.complete(operation, reply);
      if (reply.type === "send_ok") this.#acknowledge(String(body.key), Number(reply.offset));
    } catch (cause) {
      this.#failure ??= new Error("the node ended before it had answered", { cause });
    } finally {
      this.#inFlight--;
      this.#onAnswer();
    }
  }

  #acknowledge(key: string, offset: number): void {
    this.#ends.set(key, Math.max(offset + 1, this.#ends.get(key) ?? 0));
  }

  async #nextAnswer(held?: RecordedMessage): Promise<void> {
    if (this.#failure) throw this.#failure;
    if (this.#inFlight === 0) {
      throw new Error(`what this depends on was not acknowledged: ${held?.line.slice(0, 200)}`);
    }
    let timer: NodeJS.Timeout | undefined;
    await new Promise<void>((resolve, reject) => {
      this.#onAnswer = resolve;
      const tooLong = new Error(`no answer for ${this.#timeoutMs} ms`);
      timer = setTimeout(() => reject(tooLong), this.#timeoutMs);
    }).finally(() => clearTimeout(timer));
  }
}
