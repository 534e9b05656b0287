import { type Command, InvalidArgumentError, Option } from "commander";
import type { LogOptions } from "../index.js";
import { parseInteger, parseKey } from "./arguments.js";
import type { CommandContext } from "./context.js";
import { UsageError } from "./failure.js";

/** Ends the server gracefully; the second one ends the process. */
const STOP_SIGNALS = ["SIGTERM", "SIGINT"] as const;

interface Address {
  readonly host: string;
  readonly port: number;
}

interface ServeFlags {
  readonly listen: Address;
  readonly comlogKey?: string;
  readonly durability?: NonNullable<LogOptions["durability"]>;
  readonly compression?: NonNullable<LogOptions["compression"]>;
  readonly retentionBytes?: number;
  readonly retentionMs?: number;
  readonly store: Readonly<Record<string, number>>;
  readonly limit: Readonly<Record<string, number>>;
}

/** `seglog serve`: a store for other processes. */
export function addServe(program: Command, context: CommandContext): void {
  program
    .command("serve")
    .summary("serve a store to other processes")
    .description(
      "Serves a store over gRPC, gRPC-Web, Connect and plain JSON on one port; one that does not\n" +
        "exist is made. The first line of the output says the address. SIGTERM and SIGINT stop it:\n" +
        "it takes no more calls, answers those it has taken, and puts everything on stable storage.\n" +
        "A second signal ends it at once.",
    )
    .argument("<dir>", "directory of the store")
    .addOption(
      new Option("--listen <host:port>", "where to listen; port 0 takes one that is free")
        .argParser(parseAddress)
        .default({ host: "127.0.0.1", port: 50_052 }, "127.0.0.1:50052"),
    )
    .option("--comlog-key <key>", "the key that ComLog's clients work on (comlog)", parseKey)
    .addOption(
      new Option("--durability <policy>", "when a record counts as appended")
        .choices(["always", "interval", "os"])
        .default("always"),
    )
    .addOption(
      new Option("--compression <codec>", "compress blocks of records")
        .choices(["none", "lz4"])
        .default("none"),
    )
    .option("--retention-bytes <bytes>", "delete a key's oldest segments above this", parseInteger)
    .option("--retention-ms <ms>", "delete segments whose records are all older", parseInteger)
    .option(
      "--store <name=number>",
      "another option of the store, such as segmentBytes",
      number,
      {},
    )
    .option("--limit <name=number>", "a limit of the server, such as maxConnections", number, {})
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
  const { durability, compression, retentionBytes: bytes, retentionMs: ms, comlogKey } = flags;
  // Other commands need not wait until all of it is loaded.
  const { serve } = await import("../server/index.js");
  const stop = awaitStop();
  try {
    await using server = await serve({
      directory,
      storeOptions: {
        ...flags.store,
        durability,
        compression,
        retention: { bytes, ms },
        onError: (error) => context.tell(`${error.code}: ${error.message}`),
      },
      ...flags.listen,
      comlogKey,
      limits: flags.limit,
    });
    await context.output.line(`listening on ${server.url}`);
    await context.output.flush();
    await stop.signal;
    await server.close();
  } catch (error) {
    // An unknown name after --store or --limit; what is wrong in itself is told before all else.
    throw error instanceof TypeError ? new UsageError(error.message) : error;
  } finally {
    stop.forget();
  }
}

/** Resolves at the first signal to stop; by then the next one does what it does by default. */
function awaitStop(): { readonly signal: Promise<void>; readonly forget: () => void } {
  let onSignal = () => {};
  const forget = () => {
    for (const name of STOP_SIGNALS) process.removeListener(name, onSignal);
  };
  const signal = new Promise<void>((resolve) => {
    onSignal = () => {
      forget();
      resolve();
    };
  });
  for (const name of STOP_SIGNALS) process.on(name, onSignal);
  return { signal, forget };
}

function parseAddress(text: string): Address {
  const match = /^(?:\[([^\]]+)\]|([^:[\]]+)):([0-9]{1,5})$/.exec(text);
  const host = match?.[1] ?? match?.[2];
  if (host !== undefined) return { host, port: Number(match![3]) };
  throw new InvalidArgumentError("It must be host:port, such as 127.0.0.1:50052 or [::1]:50052.");
}

function number(text: string, before: Readonly<Record<string, number>>): Record<string, number> {
  const at = text.indexOf("=");
  if (at < 1) throw new InvalidArgumentError("It must be name=number.");
  return { ...before, [text.slice(0, at)]: parseInteger(text.slice(at + 1)) };
}
