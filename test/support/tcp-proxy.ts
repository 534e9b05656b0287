import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";
import { setTimeout as pause } from "node:timers/promises";

/** Which way bytes go: to the server, or back to the client. */
export type Direction = "up" | "down";

interface Pair {
  readonly client: Socket;
  readonly server: Socket;
}

/** A network between a client and a server on this machine, which a test makes bad. */
export class TcpProxy {
  /** Each piece of bytes waits so long before it goes on. */
  delayMs = 0;
  /** Where connections lead; a server that is started again may have another port. */
  targetPort: number;
  readonly #listener: Server;
  readonly #pairs = new Set<Pair>();
  /** How many bytes may still pass, in both directions together, before all is cut. */
  #bytesLeft = Number.POSITIVE_INFINITY;
  #onCut: (() => void) | undefined;

  private constructor(listener: Server, targetPort: number) {
    this.#listener = listener;
    this.targetPort = targetPort;
    listener.on("connection", (client) => this.#join(client));
  }

  static async start(targetPort: number): Promise<TcpProxy> {
    const listener = createServer({ allowHalfOpen: true }).listen(0, "127.0.0.1");
    await once(listener, "listening");
    return new TcpProxy(listener, targetPort);
  }

  get port(): number {
    const address = this.#listener.address();
    if (address === null || typeof address === "string") throw new Error("the proxy is stopped");
    return address.port;
  }

  /** How many connections go through it now. */
  get connections(): number {
    return this.#pairs.size;
  }

  /** Breaks all connections off, as a network does that goes away: both ends get a reset. */
  cut(): void {
    for (const { client, server } of this.#pairs) {
      client.resetAndDestroy();
      server.resetAndDestroy();
    }
    this.#pairs.clear();
  }

  /** Cuts all when so many more bytes have passed, in the middle of whatever that is. */
  cutAfter(bytes: number): Promise<void> {
    this.#bytesLeft = bytes;
    return new Promise((resolve) => {
      this.#onCut = resolve;
    });
  }

  /** Ends one direction of all connections; the other one stays open. */
  halfClose(direction: Direction): void {
    for (const { client, server } of this.#pairs) (direction === "up" ? server : client).end();
  }

  async stop(): Promise<void> {
    this.cut();
    this.#listener.close();
    await once(this.#listener, "close");
  }

  #join(client: Socket): void {
    const server = connect({ port: this.targetPort, host: "127.0.0.1", allowHalfOpen: true });
    const pair: Pair = { client, server };
    this.#pairs.add(pair);
    for (const socket of [client, server]) {
      // What was reset on one side is on the other; what ended in order may still be on its way.
      socket.on("error", () => {
        client.resetAndDestroy();
        server.resetAndDestroy();
      });
      socket.once("close", () => {
        if (client.closed && server.closed) this.#pairs.delete(pair);
      });
    }
    void this.#pass(client, server);
    void this.#pass(server, client);
  }

  async #pass(from: Socket, to: Socket): Promise<void> {
    try {
      // The other direction may go on when this one has ended.
      for await (const bytes of from.iterator({ destroyOnReturn: false })) {
        if (this.delayMs > 0) await pause(this.delayMs);
        await this.#send(bytes as Buffer, to);
      }
      to.end();
    } catch {
      // Cut, from one side or the other.
    }
  }

  async #send(bytes: Buffer, to: Socket): Promise<void> {
    const part = bytes.subarray(0, this.#bytesLeft);
    this.#bytesLeft -= part.length;
    if (!to.write(part)) await once(to, "drain");
    if (this.#bytesLeft > 0) return;
    this.#bytesLeft = Number.POSITIVE_INFINITY;
    this.cut();
    this.#onCut?.();
  }
}
