import { once } from "node:events";
import type { Command } from "commander";
import type { CommandContext } from "./context.js";
import { UsageError } from "./failure.js";
import { addServeFlags, type ServeFlags, toServeOptions } from "./serve-flags.js";
import { StopSignals } from "./stop-signals.js";

/** `seglog serve`: a store for other processes. */
export function addServe(program: Command, context: CommandContext): void {
  const command = program
    .command("serve")
    .summary("serve a store to other processes")
    .description(
      "Serves a store over gRPC, gRPC-Web, Connect and plain JSON on one port; one that " +
        "does not exist is made. The first line of the output says the address. SIGTERM " +
        "and SIGINT stop it: it takes no more calls, answers those it has taken, and puts " +
        "everything on stable storage. A second signal ends it at once. SIGHUP makes it " +
        "read certificates and tokens again.",
    )
    .argument("<dir>", "directory of the store");
  addServeFlags(command)
    .addHelpText(
      "after",
      `
Example:
  $ seglog serve store --listen 127.0.0.1:50052 --limit maxConnections=100

Exit codes:
  0  stopped by a signal, with everything on stable storage
  2  bad usage, locked, the port is taken, no access, disk full …`,
    )
    .action((directory: string, flags: ServeFlags) => serveStore(context, directory, flags));
}

async function serveStore(
  context: CommandContext,
  directory: string,
  flags: ServeFlags,
): Promise<void> {
  const options = { ...toServeOptions(flags), directory };
  // Other commands need not wait until all of it is loaded.
  const { createLogger, serve } = await import("../server/index.js");
  const logger = createLogger(flags.logLevel);
  const stop = new StopSignals();
  let onReload = () => {};
  const reload = () => onReload();
  // Before the server runs, SIGHUP does nothing.
  process.on("SIGHUP", reload);
  try {
    await using server = await serve({ ...options, logger }).catch(tellMisuse);
    onReload = () => {
      server.reload().catch((error: Error) => {
        logger.warn({ error: error.message }, "certificates and tokens stay as they were");
      });
    };
    await context.output.line(`listening on ${server.url}`);
    await context.output.flush();
    if (!stop.signal.aborted) await once(stop.signal, "abort");
  } finally {
    stop.forget();
    process.removeListener("SIGHUP", reload);
  }
}

/** A name that there is not, after --store or --limit, or a file that is not what it should be. */
function tellMisuse(error: unknown): never {
  throw error instanceof TypeError ? new UsageError(error.message) : error;
}
