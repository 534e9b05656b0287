import { createContextValues } from "@connectrpc/connect";
import { SeglogError } from "../errors.js";
import type { LogStore } from "../store/log-store.js";
import { ACCESS } from "./access.js";
import { ByteBudget } from "./byte-budget.js";
import { connectHandler } from "./connect-handler.js";
import type { Gatekeeper } from "./gatekeeper.js";
import { Listener, type NodeRequest, type NodeResponse } from "./listener.js";
import { refuse } from "./refusal.js";
import { serviceRoutes } from "./routes.js";
import type { ResolvedServeOptions } from "./serve-options.js";

/** A server that runs. */
export interface SeglogServer extends AsyncDisposable {
  /** The address that it listens on, such as `127.0.0.1`. */
  readonly address: string;
  /** The port that it listens on. */
  readonly port: number;
  /** For clients, such as `http://127.0.0.1:50052`. */
  readonly url: string;
  /**
   * Reads certificates and tokens again. Connections that are open finish what is under way on
   * them, and are closed then. If a file cannot be used, all stays as it was.
   *
   * @throws SeglogError `FILE_ACCESS`, `IO_ERROR`, `UNSAFE_PATH`; TypeError for what is no
   *   certificate, key or file of tokens.
   */
  reload(): Promise<void>;
  /**
   * Stops: takes no more calls, answers what it has taken, ends streams, puts everything on stable
   * storage, and closes the store if it has opened it. Calls that take longer than `shutdownMs` are
   * broken off. Later calls return the same promise.
   *
   * @throws What flushing or closing the store fails with.
   */
  close(): Promise<void>;
}

/** What a server runs with, beside its store. */
export interface ServerSetting extends Pick<ResolvedServeOptions, "port" | "comlogKey" | "limits"> {
  readonly address: string;
  readonly gatekeeper: Gatekeeper;
}

/** The server that `serve` starts. */
export class RunningServer implements SeglogServer {
  readonly #listener: Listener;
  readonly #gatekeeper: Gatekeeper;
  readonly #stopping: AbortController;
  readonly #finish: () => Promise<void>;
  #closing: Promise<void> | undefined;

  private constructor(
    listener: Listener,
    gatekeeper: Gatekeeper,
    stopping: AbortController,
    finish: () => Promise<void>,
  ) {
    this.#listener = listener;
    this.#gatekeeper = gatekeeper;
    this.#stopping = stopping;
    this.#finish = finish;
  }

  /** @param finish - What to do with the store when no call is under way any more. */
  static async start(
    store: LogStore,
    finish: () => Promise<void>,
    { address, port, comlogKey, limits, gatekeeper }: ServerSetting,
  ): Promise<RunningServer> {
    const stopping = new AbortController();
    const appendBudget = new ByteBudget(limits.maxBytesInFlight, limits.roomMs);
    const context = { store, limits, appendBudget, stopping: stopping.signal };
    const handleCall = connectHandler({
      routes: serviceRoutes(context, comlogKey, []),
      maxMessageBytes: limits.maxMessageBytes,
      onBroken: () => undefined,
    });
    const handle = (request: NodeRequest, response: NodeResponse, isTurnedAway: boolean) => {
      try {
        if (isTurnedAway) throw tooManyConnections(limits.maxConnections);
        const access = gatekeeper.accessOf(request.headers.authorization);
        const values = createContextValues().set(ACCESS, access);
        if (!handleCall(request, response, values)) response.writeHead(404).end();
      } catch (error) {
        refuse(request, response, error);
      }
    };
    const { tls } = gatekeeper;
    const onRefused = () => undefined;
    const listener = await Listener.open({ host: address, port, limits, tls, handle, onRefused });
    return new RunningServer(listener, gatekeeper, stopping, finish);
  }

  get address(): string {
    return this.#listener.address;
  }

  get port(): number {
    return this.#listener.port;
  }

  get url(): string {
    const { address, port } = this.#listener;
    const scheme = this.#gatekeeper.tls === undefined ? "http" : "https";
    return `${scheme}://${address.includes(":") ? `[${address}]` : address}:${port}`;
  }

  async reload(): Promise<void> {
    await this.#gatekeeper.reload();
    this.#listener.renew(this.#gatekeeper.tls);
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    this.#stopping.abort();
    await this.#listener.close();
    await this.#finish();
  }
}

function tooManyConnections(maxConnections: number): SeglogError {
  return new SeglogError(
    "LIMIT_EXCEEDED",
    `The server has as many connections as it takes (maxConnections, ${maxConnections}). ` +
      "Nothing was done. Try again later, or raise the limit.",
  );
}
