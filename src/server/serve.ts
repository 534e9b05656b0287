import { createContextValues } from "@connectrpc/connect";
import { LogStore } from "../store/log-store.js";
import { ACCESS, FULL_ACCESS } from "./access.js";
import { ByteBudget } from "./byte-budget.js";
import { type ConnectHandler, connectHandler } from "./connect-handler.js";
import { Listener } from "./listener.js";
import { serviceRoutes } from "./routes.js";
import {
  type ResolvedServeOptions,
  resolveServeOptions,
  type ServeOptions,
} from "./serve-options.js";

/** A server that runs. */
export interface SeglogServer extends AsyncDisposable {
  /** The address that it listens on, such as `127.0.0.1`. */
  readonly address: string;
  /** The port that it listens on. */
  readonly port: number;
  /** For clients on this machine, such as `http://127.0.0.1:50052`. */
  readonly url: string;
  /**
   * Stops: takes no more calls, answers what it has taken, ends streams, puts everything on stable
   * storage, and closes the store if it has opened it. Calls that take longer than `shutdownMs` are
   * broken off. Later calls return the same promise.
   *
   * @throws What flushing or closing the store fails with.
   */
  close(): Promise<void>;
}

/**
 * Serves a store to processes on this machine or on others.
 *
 * @example
 * ```ts
 * import { serve } from "seglog/server";
 *
 * await using server = await serve({ directory: "data", port: 0 });
 * console.log(server.url);
 * ```
 *
 * @throws TypeError or RangeError for wrong options, before any file is touched. SeglogError
 *   `IO_ERROR` if the port cannot be had; as `LogStore.open`.
 */
export async function serve(options: ServeOptions): Promise<SeglogServer> {
  const resolved = resolveServeOptions(options);
  const { source, storeOptions } = resolved;
  const isOwn = "directory" in source;
  const store = isOwn ? await LogStore.open(source.directory, storeOptions) : source.store;
  const stopping = new AbortController();
  let listener: Listener;
  try {
    listener = await listen(store, resolved, stopping.signal);
  } catch (error) {
    // Why the server cannot start is what counts, not what fails after that.
    if (isOwn) await store.close().catch(() => undefined);
    throw error;
  }
  const stop = async () => {
    stopping.abort();
    await listener.close();
    if (isOwn) await store.close();
    else await store.flush();
  };
  let stopped: Promise<void> | undefined;
  const close = () => {
    stopped ??= stop();
    return stopped;
  };
  const { address, port } = listener;
  const url = `http://${address.includes(":") ? `[${address}]` : address}:${port}`;
  return { address, port, url, close, [Symbol.asyncDispose]: close };
}

function listen(
  store: LogStore,
  { host, port, limits, comlogKey }: ResolvedServeOptions,
  stopping: AbortSignal,
): Promise<Listener> {
  const appendBudget = new ByteBudget(limits.maxBytesInFlight, limits.roomMs);
  const context = { store, limits, appendBudget, stopping };
  const handleCall: ConnectHandler = connectHandler({
    routes: serviceRoutes(context, comlogKey, []),
    maxMessageBytes: limits.maxMessageBytes,
    onBroken: () => undefined,
  });
  return Listener.open({
    host,
    port,
    limits,
    tls: undefined,
    handle: (request, response) => {
      const values = createContextValues().set(ACCESS, FULL_ACCESS);
      if (!handleCall(request, response, values)) response.writeHead(404).end();
    },
    onRefused: () => undefined,
  });
}
