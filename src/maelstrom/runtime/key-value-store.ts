import type { Network } from "./handler.js";
import type { Json } from "./json.js";
import { show } from "./log-text.js";
import { ERROR_CODES, type ErrorKind, MaelstromError } from "./maelstrom-error.js";
import type { Body, Reply } from "./protocol.js";

/**
 * Maelstrom's key-value services:
 *
 * - `lin-kv` is linearizable: a read sees every write that was answered before it was asked.
 * - `seq-kv` is meant to be sequential: everybody sees the same order of writes, and nobody goes
 *   back in it (who is more than 32 changes behind Maelstrom's may be thrown back all the same),
 *   but how far one has come in it is open. What is there may look as if it were not yet.
 * - `lww-kv` is eventually consistent: of two writes, the last one wins, sooner or later, and until
 *   then a read may see either, or neither, and go back and forth.
 */
export type ServiceName = "lin-kv" | "seq-kv" | "lww-kv";

/** What a value is: parsed JSON. Compare with care; the service compares as Clojure does. */
export type StoredValue = unknown;

/**
 * A client of one of Maelstrom's key-value services.
 *
 * Every method rejects with a `MaelstromError`: `timeout` if no answer came in time, so that nobody
 * knows whether a change was made or is still to come, or else what the service told.
 */
export class KeyValueStore {
  readonly #network: Network;
  readonly #service: ServiceName;
  readonly #timeoutMs: number;

  /** @param timeoutMs - How long an answer may take. */
  constructor(network: Network, service: ServiceName, timeoutMs: number) {
    this.#network = network;
    this.#service = service;
    this.#timeoutMs = timeoutMs;
  }

  /** The value of a key; `undefined` if there is no such key, as far as this service knows now. */
  async read(key: string): Promise<StoredValue> {
    const reply = await unless("keyDoesNotExist", this.#ask({ type: "read", key }));
    if (reply !== undefined && reply.body.value === undefined) {
      throw new MaelstromError("crash", `${this.#service} answers a read without a value.`);
    }
    return reply?.body.value;
  }

  /** Sets the value of a key, whatever it was. */
  async write(key: string, value: Json): Promise<void> {
    await this.#ask({ type: "write", key, value });
  }

  /**
   * Sets the value of a key if it is `from`.
   *
   * @returns Whether it was.
   * @throws MaelstromError `keyDoesNotExist` if there is no such key.
   */
  async compareAndSwap(key: string, from: Json, to: Json): Promise<boolean> {
    const request = { type: "cas", key, from, to };
    return (await unless("preconditionFailed", this.#ask(request))) !== undefined;
  }

  /**
   * Makes a key, if there is none, with a value.
   *
   * @param value - Never `null`: a key that has it would be taken for none.
   * @returns Whether there was none.
   */
  async create(key: string, value: Exclude<Json, null>): Promise<boolean> {
    const request = { type: "cas", key, from: null, to: value, create_if_not_exists: true };
    return (await unless("preconditionFailed", this.#ask(request))) !== undefined;
  }

  async #ask(body: Body): Promise<Reply> {
    const reply = await this.#network.request(this.#service, body, this.#timeoutMs);
    if (reply.type === `${body.type}_ok`) return reply;
    const text = `${this.#service} answers a ${body.type} with ${show(reply.type)}.`;
    throw new MaelstromError("crash", text);
  }
}

/** Turns an error of one kind into `undefined`. */
async function unless(kind: ErrorKind, reply: Promise<Reply>): Promise<Reply | undefined> {
  try {
    return await reply;
  } catch (error) {
    if (error instanceof MaelstromError && error.code === ERROR_CODES[kind]) return undefined;
    throw error;
  }
}
