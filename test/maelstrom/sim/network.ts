import type { Random } from "../random.js";
import { Lane } from "./lane.js";
import { drawLatencyMs, type LatencyDistribution } from "./latency.js";
import { isClient, type Message } from "./message.js";
import type { Cut } from "./partition.js";
import { Traffic } from "./traffic.js";

/** What a network is made of. */
export interface NetworkOptions {
  readonly random: Random;
  readonly latencyMs: number;
  readonly latencyDistribution: LatencyDistribution;
  /** How many messages it carries in a second, if there is a limit. */
  readonly throughput?: number | undefined;
}

/**
 * The network between nodes, services and clients. Each message has a latency of its own, so that
 * one may overtake another. As in Maelstrom, those to and from clients have none, and only messages
 * between nodes can be cut off: clients and services are always within reach.
 */
export class Network {
  readonly traffic = new Traffic();
  readonly #options: NetworkOptions;
  readonly #receivers = new Map<string, (message: Message) => void>();
  readonly #lane: Lane;
  #cut: Cut = new Map();
  #closed = false;

  constructor(options: NetworkOptions) {
    this.#options = options;
    this.#lane = new Lane(options.throughput ?? Number.POSITIVE_INFINITY);
  }

  /** Lets `receive` have the messages to `name`. */
  join(name: string, receive: (message: Message) => void): void {
    this.#receivers.set(name, receive);
  }

  /** Whether somebody has the messages to `name`. */
  has(name: string): boolean {
    return this.#receivers.has(name);
  }

  /** Messages to `name` are dropped from now on. */
  leave(name: string): void {
    this.#receivers.delete(name);
  }

  /** Sends a message; one to nobody is lost. */
  send(message: Message): void {
    if (this.#closed) return;
    this.traffic.count(message);
    const latencyMs = this.#latencyOf(message);
    this.#lane.enter(() => {
      if (latencyMs === 0) this.#deliver(message);
      else setTimeout(() => this.#deliver(message), latencyMs);
    });
  }

  /** From now on messages get lost as `cut` says. */
  partition(cut: Cut): void {
    this.#cut = cut;
  }

  /** No message gets lost any more. */
  heal(): void {
    this.#cut = new Map();
  }

  /** Nothing is delivered any more. */
  close(): void {
    this.#closed = true;
  }

  #latencyOf({ src, dest }: Message): number {
    if (isClient(src) || isClient(dest)) return 0;
    const { latencyMs, latencyDistribution, random } = this.#options;
    return drawLatencyMs(latencyMs, latencyDistribution, random);
  }

  #deliver(message: Message): void {
    if (this.#closed || this.#cut.get(message.dest)?.has(message.src)) return;
    this.#receivers.get(message.dest)?.(message);
  }
}
