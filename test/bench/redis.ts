import { join } from "node:path";
import { load } from "./peers.js";
import type { ReadCheck } from "./read-check.js";
import type { RemoteStream } from "./remote-stream.js";
import { ServerProcess } from "./server-process.js";
import type { Place } from "./workload.js";

/** What is used of `@redis/client`. */
interface RedisPackage {
  createClient(options: { readonly url: string }): RedisClient;
  readonly RESP_TYPES: { readonly BLOB_STRING: number };
}

interface RedisClient {
  connect(): Promise<unknown>;
  xAdd(key: string, id: "*", fields: { readonly v: Buffer }): Promise<unknown>;
  xLen(key: string): Promise<number>;
  withTypeMapping(mapping: Readonly<Record<number, unknown>>): {
    xRead(
      stream: { readonly key: string; readonly id: string },
      options: { readonly COUNT: number },
    ): Promise<readonly { readonly messages: readonly RedisEntry[] }[] | null>;
  };
  destroy(): void;
}

interface RedisEntry {
  readonly id: Buffer;
  readonly message: { readonly v: Buffer };
}

const STREAM = "records";
/** Entries of one answer. */
const PAGE = 1000;

/** A Redis server with one stream, and a client of it. */
export class RedisStream implements RemoteStream {
  readonly #server: ServerProcess;
  readonly #client: RedisClient;

  private constructor(server: ServerProcess, client: RedisClient) {
    this.#server = server;
    this.#client = client;
  }

  /** @param isSynced - Whether it answers only what is on stable storage. */
  static async start({ directory }: Place, isSynced: boolean): Promise<RedisStream> {
    const server = await ServerProcess.start("redis-server", (port) => [
      ...["--port", String(port), "--bind", "127.0.0.1", "--dir", directory, "--save", ""],
      ...["--appendonly", "yes", "--appendfsync", isSynced ? "always" : "no"],
      ...["--logfile", join(directory, "log")],
    ]);
    const { createClient } = load<RedisPackage>("@redis/client");
    const client = createClient({ url: `redis://127.0.0.1:${server.port}` });
    await client.connect();
    return new RedisStream(server, client);
  }

  append(value: Buffer): Promise<unknown> {
    return this.#client.xAdd(STREAM, "*", { v: value });
  }

  async read(check: ReadCheck): Promise<void> {
    const { RESP_TYPES } = load<RedisPackage>("@redis/client");
    const reader = this.#client.withTypeMapping({ [RESP_TYPES.BLOB_STRING]: Buffer });
    for (let id = "0"; !check.isFull; ) {
      const streams = await reader.xRead({ key: STREAM, id }, { COUNT: PAGE });
      const messages = streams?.[0]?.messages ?? [];
      for (const { message } of messages) check.see(message.v);
      const last = messages.at(-1);
      if (last === undefined) throw new Error("the stream has too few entries");
      id = String(last.id);
    }
  }

  async assertLength(count: number): Promise<void> {
    const length = await this.#client.xLen(STREAM);
    if (length !== count) throw new Error(`${length} entries, not ${count}`);
  }

  async stop(): Promise<void> {
    this.#client.destroy();
    await this.#server.stop();
  }
}
