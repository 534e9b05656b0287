import { connect as connectSocket, createServer, type Socket } from "node:net";
import { join } from "node:path";
import { type ClientOptions, connect, type SeglogClient } from "seglog/client";
import { type SeglogServer, serve } from "seglog/server";
import { onTestFinished } from "vitest";
import { temporaryDirectory } from "../support/temporary-directory.js";

/** A server of a new store, which can be stopped and started again on its port. */
export class RemoteStore {
  readonly directory = join(temporaryDirectory(), "store");
  #server: SeglogServer | undefined;
  #port = 0;

  static async start(): Promise<RemoteStore> {
    const store = new RemoteStore();
    await store.start();
    onTestFinished(() => store.stop());
    return store;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  get port(): number {
    return this.#port;
  }

  async start(): Promise<void> {
    const storeOptions = { durability: "os" } as const;
    this.#server = await serve({ directory: this.directory, port: this.#port, storeOptions });
    this.#port = this.#server.port;
  }

  async stop(): Promise<void> {
    await this.#server?.close();
    this.#server = undefined;
  }

  /** A client that is closed with the test. */
  async connect(options: ClientOptions = {}, url = this.url): Promise<SeglogClient> {
    const client = await connect(url, options);
    onTestFinished(() => client.close());
    return client;
  }
}

/** A proxy in front of a server, whose connections can be cut. */
export class CuttableProxy {
  readonly #sockets = new Set<Socket>();
  readonly #server = createServer((socket) => this.#relay(socket));
  readonly #targetPort: number;
  #isOpen = true;

  private constructor(targetPort: number) {
    this.#targetPort = targetPort;
  }

  static async start(targetPort: number): Promise<CuttableProxy> {
    const proxy = new CuttableProxy(targetPort);
    await new Promise<void>((resolve) => proxy.#server.listen(0, "127.0.0.1", resolve));
    onTestFinished(() => {
      proxy.cut();
      return new Promise<void>((resolve) => proxy.#server.close(() => resolve()));
    });
    return proxy;
  }

  get url(): string {
    const address = this.#server.address();
    if (address === null || typeof address === "string") throw new Error("the proxy is closed");
    return `http://127.0.0.1:${address.port}`;
  }

  /** Resets all connections. */
  cut(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  /** Whether new connections are taken. */
  setOpen(isOpen: boolean): void {
    this.#isOpen = isOpen;
    if (!isOpen) this.cut();
  }

  #relay(socket: Socket): void {
    if (!this.#isOpen) {
      socket.resetAndDestroy();
      return;
    }
    const target = connectSocket(this.#targetPort, "127.0.0.1");
    for (const [from, to] of [
      [socket, target],
      [target, socket],
    ] as const) {
      this.#sockets.add(from);
      from.on("error", () => undefined);
      from.on("close", () => {
        this.#sockets.delete(from);
        to.destroy();
      });
      from.pipe(to);
    }
  }
}
