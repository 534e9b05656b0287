import { LogStore } from "../store/log-store.js";
import { Gatekeeper } from "./gatekeeper.js";
import { addressOf, assertProtected } from "./listen-address.js";
import { RunningServer, type SeglogServer } from "./running-server.js";
import { resolveServeOptions, type ServeOptions } from "./serve-options.js";

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
 * @throws TypeError or RangeError for wrong options, before any file is touched; also, before the
 *   store is opened, for an address that others can reach and nothing protects, and for what is no
 *   certificate, key or file of tokens. SeglogError `IO_ERROR` if the port cannot be had,
 *   `FILE_ACCESS`, `UNSAFE_PATH`; as `LogStore.open`.
 */
export async function serve(options: ServeOptions): Promise<SeglogServer> {
  const resolved = resolveServeOptions(options);
  const { source, storeOptions, host, secrets, isInsecure } = resolved;
  const address = await addressOf(host);
  assertProtected(address, {
    isEncrypted: secrets.tls !== undefined,
    isAuthenticated: secrets.tokens !== undefined || secrets.tls?.clientAuthorities !== undefined,
    isInsecure,
  });
  const gatekeeper = await Gatekeeper.read(secrets);
  if ("store" in source) {
    const { store } = source;
    return RunningServer.start(store, () => store.flush(), { ...resolved, address, gatekeeper });
  }
  const store = await LogStore.open(source.directory, storeOptions);
  try {
    return await RunningServer.start(store, () => store.close(), {
      ...resolved,
      address,
      gatekeeper,
    });
  } catch (error) {
    // Why the server cannot start is what counts, not what fails after that.
    await store.close().catch(() => undefined);
    throw error;
  }
}
