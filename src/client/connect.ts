import { type ClientOptions, resolveClientOptions } from "./client-options.js";
import { Connection } from "./connection.js";
import { SeglogClient } from "./seglog-client.js";

/**
 * Connects to a seglog server. Where a program had `await LogStore.open("data")`, this gives it the
 * store of a server: both are a `KeyedLog`.
 *
 * It resolves when there is a connection, so that a wrong address shows at once. From then on a
 * connection that breaks is made again by itself.
 *
 * @example
 * ```ts
 * import { connect } from "seglog/client";
 * import { serve } from "seglog/server";
 *
 * await using server = await serve({ directory: "data", port: 0 });
 * await using client = await connect(server.url);
 * console.log(await client.append("orders", "one pizza"));
 * ```
 *
 * @param url - Scheme (`http` or `https`), host and port.
 * @throws TypeError or RangeError for wrong options. SeglogError `UNAVAILABLE` if nobody answers
 *   there or TLS fails, `TIMEOUT` after `timeoutMs`.
 */
export async function connect(
  url: string | URL,
  options: ClientOptions = {},
): Promise<SeglogClient> {
  const connection = new Connection(resolveClientOptions(url, options));
  await connection.open();
  return new SeglogClient(connection);
}
