import type { Body, History } from "./history.js";

/** Sends a request to a node and resolves with the body of the answer. */
export type Ask = (client: string, request: Body) => Promise<Body>;

/**
 * A client of the `kafka` workload: it remembers how far it has read in the keys that it has
 * assigned to itself, and puts everything that it does into a history.
 */
export class KafkaClient {
  readonly name: string;
  readonly #ask: Ask;
  readonly #history: History;
  /** By assigned key, the next offset to poll. */
  #positions = new Map<string, number>();
  /** By key, the last offset that was polled and not committed yet. */
  #processed = new Map<string, number>();

  constructor(name: string, ask: Ask, history: History) {
    this.name = name;
    this.#ask = ask;
    this.#history = history;
  }

  /** Asks for something and records the answer, if there is one. */
  async ask(request: Body): Promise<Body> {
    const operation = this.#history.invoke(this.name, request);
    const reply = await this.#ask(this.name, request);
    this.#history.complete(operation, reply);
    if (reply.type === "error") throw new Error(`${request.type} failed: ${reply.text}`);
    return reply;
  }

  send(key: string, message: unknown): Promise<Body> {
    return this.ask({ type: "send", key, msg: message });
  }

  /** Reads on in all assigned keys; resolves with the number of messages that came. */
  async poll(): Promise<number> {
    const reply = await this.ask({ type: "poll", offsets: toObject(this.#positions) });
    let messages = 0;
    for (const [key, pairs] of Object.entries(reply.msgs as Record<string, [number, unknown][]>)) {
      const last = pairs.at(-1);
      if (!last) continue;
      messages += pairs.length;
      this.#positions.set(key, last[0] + 1);
      this.#processed.set(key, last[0]);
    }
    return messages;
  }

  /** Commits what was polled since the last time. */
  async commit(): Promise<void> {
    const processed = this.#processed;
    this.#processed = new Map();
    await this.ask({ type: "commit_offsets", offsets: toObject(processed) });
  }

  /** Reads `keys`, and no others, from their beginning. */
  assignFromStart(keys: readonly string[]): void {
    this.#assign(new Map(keys.map((key) => [key, 0])));
  }

  /** Reads `keys`, and no others, from where their committed offsets say. */
  async assignFromCommitted(keys: readonly string[]): Promise<void> {
    const reply = await this.ask({ type: "list_committed_offsets", keys });
    const committed = new Map(Object.entries(reply.offsets as Record<string, number>));
    this.#assign(new Map(keys.map((key) => [key, (committed.get(key) ?? -1) + 1])));
  }

  /** Reads `keys` from their beginning until there is no more, then what is committed of them. */
  async readAll(keys: readonly string[]): Promise<void> {
    this.assignFromStart(keys);
    while ((await this.poll()) > 0);
    await this.assignFromCommitted(keys);
  }

  #assign(positions: Map<string, number>): void {
    this.#positions = positions;
    this.#processed = new Map();
  }
}

/** An object whose keys may be any strings, `__proto__` among them. */
function toObject(offsets: ReadonlyMap<string, number>): object {
  const object: Record<string, number> = Object.create(null);
  for (const [key, offset] of offsets) object[key] = offset;
  return object;
}
