import { nodeFileSystem } from "../files/node-file-system.js";
import { createEnvironment } from "../log/environment.js";
import { LogStore } from "../store/log-store.js";
import { Gatekeeper } from "./gatekeeper.js";
import { addressOf, assertProtected, isLoopback } from "./listen-address.js";
import { failureFields } from "./logging.js";
import { MeteredFileSystem } from "./metered-file-system.js";
import { ServerMetrics } from "./metrics.js";
import { RunningServer } from "./running-server.js";
import type { SeglogServer } from "./seglog-server.js";
import { resolveServeOptions, type ServeOptions } from "./serve-options.js";
import { ServingStatus } from "./serving-status.js";

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
 *   certificate, key or file of tokens. SeglogError `IO_ERROR` if the port cannot be had, `CLOSED`
 *   for a store that is closed, `FILE_ACCESS`, `UNSAFE_PATH`; as `LogStore.open`.
 */
export async function serve(options: ServeOptions): Promise<SeglogServer> {
  const resolved = resolveServeOptions(options);
  const { source, storeOptions, host, secrets, isInsecure, logger } = resolved;
  const address = await addressOf(host);
  const isAuthenticated =
    secrets.tokens !== undefined || secrets.tls?.clientAuthorities !== undefined;
  assertProtected(address, {
    isEncrypted: secrets.tls !== undefined,
    isAuthenticated,
    isInsecure,
  });
  // Where other machines can connect, they may know it by any name.
  const hostNames =
    isAuthenticated || !isLoopback(address)
      ? undefined
      : new Set(["localhost", host.toLowerCase()]);
  const gatekeeper = await Gatekeeper.read(secrets);
  const serving = new ServingStatus();
  const metrics = new ServerMetrics();
  const parts = { ...resolved, address, hostNames, gatekeeper, serving, metrics };
  if ("store" in source) {
    const { store } = source;
    return RunningServer.start({ ...parts, store, finish: () => store.flush() });
  }
  const { maxOpenFiles, onError } = storeOptions;
  const fileSystem = new MeteredFileSystem(nodeFileSystem, metrics.fileMeter);
  const store = await LogStore.openOn(
    createEnvironment(fileSystem, maxOpenFiles),
    source.directory,
    {
      ...storeOptions,
      onError: (error) => {
        logger.warn(failureFields(error), "a failure that no call has met");
        if (error.code === "LOG_POISONED") serving.poison();
        onError?.(error);
      },
    },
  );
  try {
    return await RunningServer.start({ ...parts, store, finish: () => store.close() });
  } catch (error) {
    // Why the server cannot start is what counts, not what fails after that.
    await store.close().catch(() => undefined);
    throw error;
  }
}
