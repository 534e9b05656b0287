import { join } from "node:path";
import { connect, type Producer, type SeglogClient } from "../../src/client/index.js";
import type { SeglogServer } from "../../src/server/index.js";
import { LibraryProgram } from "./library-program.js";
import type { ReadCheck } from "./read-check.js";
import type { RemoteStream } from "./remote-stream.js";
import type { Place } from "./workload.js";

const KEY = "records";

/** A seglog server with one key, and a client of it. */
export class SeglogStream implements RemoteStream {
  readonly #server: LibraryProgram;
  readonly #client: SeglogClient;
  readonly #producer: Producer;

  private constructor(server: LibraryProgram, client: SeglogClient) {
    this.#server = server;
    this.#client = client;
    this.#producer = client.producer();
  }

  static async start({ directory }: Place, isSynced: boolean): Promise<SeglogStream> {
    const durability = isSynced ? "always" : "os";
    const server = new LibraryProgram("server.mjs", join(directory, "store"), durability);
    const url = (await server.next()) as SeglogServer["url"];
    return new SeglogStream(server, await connect(url));
  }

  append(value: Buffer): Promise<unknown> {
    return this.#producer.send(KEY, value);
  }

  async read(check: ReadCheck): Promise<void> {
    await using consumer = this.#client.consumer({ keys: [KEY] });
    for await (const { records } of consumer.batches()) {
      for (const { value } of records) check.see(value);
      if (check.isFull) break;
    }
  }

  async assertLength(count: number): Promise<void> {
    const { endOffset } = (await this.#client.bounds(KEY))!;
    if (endOffset !== count) throw new Error(`${endOffset} records, not ${count}`);
  }

  async stop(): Promise<void> {
    await this.#client.close();
    await this.#server.end();
  }
}
