import type { Ask } from "./kafka-client.js";
import type { NodeProcess } from "./node-process.js";
import { Random } from "./random.js";
import { startInitialized } from "./temporary.js";

/** A node that comes back on the same data directory each time it was killed. */
export class RestartingNode {
  readonly #dataDirectory: string;
  #node: NodeProcess;
  /** Settles when requests may be made: while the node is away they wait here. */
  #open: Promise<unknown> = Promise.resolve();
  #asked = 0;
  #onAsked: () => void = () => {};
  #onAnswered: () => void = () => {};

  private constructor(dataDirectory: string, node: NodeProcess) {
    this.#dataDirectory = dataDirectory;
    this.#node = node;
  }

  static async start(dataDirectory: string): Promise<RestartingNode> {
    return new RestartingNode(dataDirectory, await startInitialized(dataDirectory));
  }

  /** Asks the node that is there, or the next one. */
  readonly ask: Ask = async (client, request) => {
    await this.#open;
    try {
      const reply = this.#node.request(client, request);
      this.#asked++;
      this.#onAsked();
      return await reply;
    } finally {
      this.#onAnswered();
    }
  };

  /**
   * Kills the node `times` times while `requests` requests are made, at moments that the seed
   * chooses: half of the times right behind a request, half of them when nothing is in flight.
   */
  async killWhileBusy(times: number, requests: number, seed: number): Promise<void> {
    const random = new Random(seed);
    const moments = Array.from({ length: times }, () => 1 + random.below(requests));
    for (const [index, moment] of moments.sort((a, b) => a - b).entries()) {
      while (this.#asked < moment) {
        await new Promise<void>((resolve) => {
          this.#onAsked = resolve;
        });
      }
      await this.#replace(index % 2 === 0 ? () => this.#kill() : () => this.#killIdle());
    }
  }

  /** Ends the node properly and starts another. */
  async restart(): Promise<void> {
    await this.#replace(() => this.end());
  }

  /** Ends the node and checks that it never wrote anything but answers. */
  async end(): Promise<void> {
    const { code } = await this.#node.end();
    if (code !== 0) throw new Error(`the node ended with ${code}: ${this.#node.log}`);
    this.#checkOutput();
  }

  async #replace(end: () => Promise<void>): Promise<void> {
    const replace = async () => {
      await end();
      this.#node = await startInitialized(this.#dataDirectory);
    };
    this.#open = replace();
    await this.#open;
  }

  async #killIdle(): Promise<void> {
    while (this.#node.inFlight > 0) {
      await new Promise<void>((resolve) => {
        this.#onAnswered = resolve;
      });
    }
    await this.#kill();
  }

  async #kill(): Promise<void> {
    await this.#node.kill();
    this.#checkOutput();
  }

  #checkOutput(): void {
    // A line that was cut off by a kill is none that the node is to blame for.
    const stray = this.#node.strayLines.filter((line) => line.endsWith("}"));
    if (stray.length > 0) throw new Error(`not an answer to anything: ${stray[0]}`);
  }
}
