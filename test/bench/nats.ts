import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { load } from "./peers.js";
import type { ReadCheck } from "./read-check.js";
import type { RemoteStream } from "./remote-stream.js";
import { ServerProcess } from "./server-process.js";
import type { Place } from "./workload.js";

/** What is used of `@nats-io/transport-node`. */
interface NatsTransport {
  connect(options: { readonly servers: string }): Promise<NatsConnection>;
}

interface NatsConnection {
  close(): Promise<void>;
}

/** What is used of `@nats-io/jetstream`. */
interface JetStreamPackage {
  jetstream(connection: NatsConnection): JetStreamClient;
  jetstreamManager(connection: NatsConnection): Promise<{
    readonly streams: {
      add(options: object): Promise<unknown>;
      info(name: string): Promise<{ readonly state: { readonly messages: number } }>;
    };
  }>;
}

interface JetStreamClient {
  publish(subject: string, payload: Buffer): Promise<unknown>;
  readonly consumers: {
    /** Without the name of a consumer: an ordered one, which acknowledges nothing. */
    get(stream: string): Promise<{
      consume(options: {
        readonly max_messages: number;
      }): Promise<AsyncIterable<{ readonly data: Uint8Array }>>;
    }>;
  };
}

const STREAM = "records";
/** Messages that are on their way to a consumer at most. */
const WINDOW = 5000;

/** A NATS server whose JetStream has one stream in files, and a client of it. */
export class NatsStream implements RemoteStream {
  readonly #server: ServerProcess;
  readonly #connection: NatsConnection;
  readonly #client: JetStreamClient;

  private constructor(server: ServerProcess, connection: NatsConnection, client: JetStreamClient) {
    this.#server = server;
    this.#connection = connection;
    this.#client = client;
  }

  static async start({ directory }: Place): Promise<NatsStream> {
    const configuration = join(directory, "nats.conf");
    writeFileSync(configuration, `jetstream { store_dir: ${JSON.stringify(directory)} }\n`);
    const server = await ServerProcess.start("nats-server", (port) => [
      ...["--config", configuration, "--addr", "127.0.0.1", "--port", String(port)],
      ...["--log", join(directory, "log")],
    ]);
    const { connect } = load<NatsTransport>("@nats-io/transport-node");
    const connection = await connect({ servers: `127.0.0.1:${server.port}` });
    const { jetstream, jetstreamManager } = load<JetStreamPackage>("@nats-io/jetstream");
    const { streams } = await jetstreamManager(connection);
    await streams.add({ name: STREAM, subjects: [STREAM], storage: "file" });
    return new NatsStream(server, connection, jetstream(connection));
  }

  append(value: Buffer): Promise<unknown> {
    return this.#client.publish(STREAM, value);
  }

  async read(check: ReadCheck): Promise<void> {
    const consumer = await this.#client.consumers.get(STREAM);
    for await (const { data } of await consumer.consume({ max_messages: WINDOW })) {
      check.see(data);
      if (check.isFull) break;
    }
  }

  async assertLength(count: number): Promise<void> {
    const { jetstreamManager } = load<JetStreamPackage>("@nats-io/jetstream");
    const { streams } = await jetstreamManager(this.#connection);
    const { messages } = (await streams.info(STREAM)).state;
    if (messages !== count) throw new Error(`${messages} messages, not ${count}`);
  }

  async stop(): Promise<void> {
    await this.#connection.close();
    await this.#server.stop();
  }
}
