import type { Command } from "commander";
import type { CommandContext } from "./context.js";
import { UsageError } from "./failure.js";
import { addServeFlags, type ServeFlags, toServeOptions } from "./serve-flags.js";

const STOP_SIGNALS = ["SIGTERM", "SIGINT"] as const;

/** `seglog serve`: a store for other processes. */
export function addServe(program: Command, context: CommandContext): void {
  const command = program
    .command("serve")
    .summary("serve a store to other processes")
    .description(
      "Serves a store over gRPC, gRPC-Web, Connect and plain JSON on one port; one that\n" +
        "does not exist is made. The first line of the output says the address. SIGTERM\n" +
        "and SIGINT stop it: it takes no more calls, answers those it has taken, and puts\n" +
        "everything on stable storage. A second signal ends it at once. SIGHUP makes it\n" +
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
  const signals = new Signals();
  try {
    await using server = await serve({ ...options, logger }).catch(tellMisuse);
    signals.onReload = () => {
      server.reload().catch((error: Error) => {
        logger.warn({ error: error.message }, "certificates and tokens stay as they were");
      });
    };
    await context.output.line(`listening on ${server.url}`);
    await context.output.flush();
    await signals.stop;
  } finally {
    signals.forget();
  }
}

/** A name that there is not, after --store or --limit, or a file that is not what it should be. */
function tellMisuse(error: unknown): never {
  throw error instanceof TypeError ? new UsageError(error.message) : error;
}

/** The signals that a server obeys. */
class Signals {
  /** Called at SIGHUP, which does nothing until the server runs. */
  onReload: () => void = () => undefined;
  /** Resolves at the first signal to stop. The next one ends the process, as it does by default. */
  readonly stop: Promise<void>;
  readonly #onReload = () => this.onReload();
  #onStop: () => void = () => undefined;

  constructor() {
    this.stop = new Promise((resolve) => {
      this.#onStop = () => {
        for (const name of STOP_SIGNALS) process.removeListener(name, this.#onStop);
        resolve();
      };
    });
    for (const name of STOP_SIGNALS) process.on(name, this.#onStop);
    process.on("SIGHUP", this.#onReload);
  }

  /** Leaves the signals to what they do by default. */
  forget(): void {
    for (const name of STOP_SIGNALS) process.removeListener(name, this.#onStop);
    process.removeListener("SIGHUP", this.#onReload);
  }
}
