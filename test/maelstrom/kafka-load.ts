import type { History } from "./history.js";
import { type Ask, KafkaClient } from "./kafka-client.js";
import { NoAnswerError } from "./node-process.js";
import { Random } from "./random.js";

/** What a load is made of. */
export interface LoadOptions {
  readonly seed: number;
  readonly clients: number;
  readonly stepsPerClient: number;
  readonly keys: readonly string[];
}

/**
 * Runs concurrent clients that send, poll, commit, list, assign keys, and crash as Maelstrom's do.
 * One that crashes leaves a request behind without waiting for its answer; the next one starts from
 * the committed offsets, under another name. So does one whose node ends without an answer.
 *
 * The seed determines what each client wants. Which of them is first is up to the node.
 */
export class KafkaLoad {
  readonly #options: LoadOptions;
  readonly #ask: Ask;
  readonly #history: History;
  /** By key, how many messages were sent: each is another. */
  readonly #sent = new Map<string, number>();
  #clients = 0;

  constructor(options: LoadOptions, ask: Ask, history: History) {
    this.#options = options;
    this.#ask = ask;
    this.#history = history;
  }

  /** Resolves when all clients have done their steps. */
  async run(): Promise<void> {
    const { clients, seed } = this.#options;
    const runs = Array.from({ length: clients }, (_, index) =>
      this.#runClient(seed * 1000 + index),
    );
    await Promise.all(runs);
  }

  /** Reads everything, as a client that comes when all others are done. */
  async readAll(): Promise<void> {
    await this.#open().readAll(this.#options.keys);
  }

  async #runClient(seed: number): Promise<void> {
    const random = new Random(seed);
    let client = this.#open();
    for (let step = 0; step < this.#options.stepsPerClient; step++) {
      try {
        client = await this.#step(client, random);
      } catch (error) {
        if (!(error instanceof NoAnswerError)) throw error;
        client = this.#open();
      }
    }
  }

  #open(): KafkaClient {
    return new KafkaClient(`c${++this.#clients}`, this.#ask, this.#history);
  }

  /** Does one thing and returns the client that goes on. */
  async #step(client: KafkaClient, random: Random): Promise<KafkaClient> {
    const choice = random.next();
    if (choice < 0.45) await this.#send(client, random);
    else if (choice < 0.8) {
      if ((await client.poll()) > 0 && random.next() < 0.7) await client.commit();
    } else if (choice < 0.85) client.assignFromStart(this.#someKeys(random));
    else if (choice < 0.95) await client.assignFromCommitted(this.#someKeys(random));
    else return await this.#crash(client, random);
    return client;
  }

  async #crash(client: KafkaClient, random: Random): Promise<KafkaClient> {
    // What becomes of this goes into the history, and a lost node concerns somebody else.
    const abandoned = random.next() < 0.5 ? this.#send(client, random) : client.commit();
    abandoned.catch(() => {});
    const next = this.#open();
    await next.assignFromCommitted(this.#someKeys(random));
    return next;
  }

  async #send(client: KafkaClient, random: Random): Promise<void> {
    const key = random.pick(this.#options.keys);
    const number = (this.#sent.get(key) ?? 0) + 1;
    this.#sent.set(key, number);
    await client.send(key, random.pick([number, `${number}`, { number }, [null, number, "ü\n"]]));
  }

  #someKeys(random: Random): string[] {
    return random.some(this.#options.keys, 0.4);
  }
}
