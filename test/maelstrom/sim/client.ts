import type { Body, History, Operation } from "../history.js";
import { faultOf, wasRefused } from "../kafka-wire.js";
import type { Random } from "../random.js";
import type { Message } from "./message.js";
import type { Nemesis } from "./nemesis.js";
import type { Network } from "./network.js";
import type { Outcome, Tally } from "./tally.js";
import type { Workload } from "./workload.js";

/** Maelstrom's clients wait that long for an answer. */
export const CLIENT_TIMEOUT_MS = 5_000;

/** A request that was not answered as it should have been. */
export class RequestError extends Error {}

/** What all clients of a run have in common. */
export interface ClientSurroundings {
  readonly network: Network;
  readonly nemesis: Nemesis;
  readonly history: History;
  readonly tally: Tally;
  readonly workload: Workload;
  readonly random: Random;
  readonly timeoutMs: number;
  readonly listsAfterCommit: boolean;
}

/**
 * A client as Maelstrom's `kafka` workload has them: it talks to one node, does one thing at a
 * time, and is given up as soon as a request fails.
 */
export class Client {
  readonly name: string;
  readonly #node: string;
  readonly #run: ClientSurroundings;
  /** By assigned key, the next offset to poll. */
  #positions = new Map<string, number>();
  #lastMessageId = 0;
  #waiting: { readonly messageId: number; readonly resolve: (reply: Body) => void } | undefined;

  constructor(name: string, node: string, run: ClientSurroundings) {
    this.name = name;
    this.#node = node;
    this.#run = run;
    run.network.join(name, (message) => this.#take(message));
  }

  /** Answers that come later are lost. */
  close(): void {
    this.#run.network.leave(this.name);
  }

  async send(key: string, message: unknown): Promise<void> {
    const { offset } = await this.#ask({ type: "send", key, msg: message });
    this.#run.workload.sent(key, Number(offset));
  }

  /** Reads on in all assigned keys and commits what came. Resolves with the last offset of each. */
  async poll(): Promise<ReadonlyMap<string, number>> {
    this.#run.tally.polls++;
    this.#run.tally.polledKeys += this.#positions.size;
    const { msgs } = await this.#ask({
      type: "poll",
      offsets: Object.fromEntries(this.#positions),
    });
    const last = new Map<string, number>();
    for (const [key, pairs] of Object.entries(msgs as Record<string, [number, unknown][]>)) {
      const offset = Math.max(-1, ...pairs.map(([each]) => each));
      this.#positions.set(key, Math.max(this.#positions.get(key) ?? 0, offset + 1));
      if (offset >= 0) last.set(key, offset);
    }
    for (const [key, offset] of last) this.#run.workload.read(key, offset);
    if (last.size > 0) {
      await this.#ask({ type: "commit_offsets", offsets: Object.fromEntries(last) });
      for (const [key, offset] of last) this.#run.workload.committed(key, offset);
      if (this.#run.listsAfterCommit) await this.listCommitted([...last.keys()]);
    }
    return last;
  }

  /**
   * Reads `keys`, and no others, from now on. Keys that it had before are read on; of the others,
   * Maelstrom means to begin at the committed offset, but begins at 0, as recorded runs show. Here
   * it is one half of the times and the other.
   */
  async assign(keys: readonly string[]): Promise<void> {
    const { offsets } = await this.#ask({ type: "list_committed_offsets", keys });
    const committed = this.#run.random.next() < 0.5 ? (offsets as Record<string, number>) : {};
    this.#positions = new Map(
      keys.map((key) => [key, this.#positions.get(key) ?? committed[key] ?? 0]),
    );
  }

  /** Reads `keys`, and no others, from their beginning. */
  assignFromStart(keys: Iterable<string>): void {
    this.#positions = new Map(Array.from(keys, (key) => [key, 0]));
  }

  /** Resolves with the committed offsets of `keys`. */
  async listCommitted(keys: readonly string[]): Promise<ReadonlyMap<string, number>> {
    const { offsets } = await this.#ask({ type: "list_committed_offsets", keys });
    return new Map(Object.entries(offsets as Record<string, number>));
  }

  async #ask(request: Body): Promise<Body> {
    const { history, tally, nemesis } = this.#run;
    tally.requests++;
    const askedAt = performance.now();
    const operation = history.invoke(this.name, request);
    const reply = await this.#exchange(request);
    if (reply) history.complete(operation, reply);
    const answeredAt = performance.now();
    const outcome = outcomeOf(operation);
    const excused = nemesis.wasCut(askedAt, answeredAt);
    tally.record(request.type, outcome, answeredAt - askedAt, excused);
    if (reply && outcome === "ok") return reply;
    throw new RequestError(`${request.type}: ${JSON.stringify(reply ?? "no answer")}`);
  }

  /** Resolves with `undefined` if there was no answer in time. */
  #exchange(request: Body): Promise<Body | undefined> {
    const messageId = ++this.#lastMessageId;
    const { network, timeoutMs } = this.#run;
    return new Promise((resolve) => {
      const finish = (reply?: Body) => {
        clearTimeout(timer);
        this.#waiting = undefined;
        resolve(reply);
      };
      const timer = setTimeout(finish, timeoutMs, undefined);
      this.#waiting = { messageId, resolve: finish };
      const body = { ...request, msg_id: messageId };
      network.send({ src: this.name, dest: this.#node, body });
    });
  }

  #take({ body: { in_reply_to: messageId, ...reply } }: Message): void {
    const waiting = this.#waiting;
    if (waiting?.messageId === messageId) waiting?.resolve(reply as Body);
  }
}

/** An answer that is none to its request leaves open what has happened, as no answer does. */
function outcomeOf(operation: Operation): Outcome {
  if (wasRefused(operation)) return "failed";
  const { request, reply } = operation;
  const answered = reply?.type === `${request.type}_ok` && faultOf(operation) === undefined;
  return answered ? "ok" : "unknown";
}
