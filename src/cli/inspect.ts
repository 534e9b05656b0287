import type { Command } from "commander";
import { parseKey } from "./arguments.js";
import type { CommandContext } from "./context.js";
import { safeJson } from "./escape.js";
import { EXIT_CODE_HELP } from "./exit-code.js";
import { describeLog, logAsText } from "./inspect-log.js";
import { describeStore, storeAsText } from "./inspect-store.js";
import { locate } from "./location.js";
import { addRemoteFlags, directoryOf, type RemoteFlags } from "./remote.js";
import { inspectRemote } from "./remote-inspect.js";

interface InspectFlags extends RemoteFlags {
  readonly key?: string;
  readonly json?: boolean;
  readonly raw?: boolean;
}

/** `seglog inspect`: what a log or a store is made of. */
export function addInspect(program: Command, context: CommandContext): void {
  const command = program
    .command("inspect")
    .summary("show the segments of a log, or the keys of a store")
    .description(
      "Shows what a log is made of, segment by segment; of a store, its keys. Reads headers and " +
        "indexes, and data only where an index is missing; seglog verify checks all of it.",
    )
    .argument("[dir]", "directory of the log or the store; none with --url")
    .option("-k, --key <key>", "the log of this key in a store", parseKey)
    .option("--json", "one JSON object instead of text and a table")
    .option("--raw", "keys and names as they are, not escaped");
  addRemoteFlags(command)
    .addHelpText(
      "after",
      `
Examples:
  $ seglog inspect events
  $ seglog inspect store --key web-1 --json
  $ seglog inspect --url http://127.0.0.1:50052

${EXIT_CODE_HELP}`,
    )
    .action(async (given: string | undefined, flags: InspectFlags) => {
      const directory = directoryOf(given, flags);
      if (directory === undefined) await inspectRemote(context, flags);
      else await inspect(context, directory, flags);
    });
}

async function inspect(
  context: CommandContext,
  directory: string,
  { key, json, raw = false }: InspectFlags,
): Promise<void> {
  const location = await locate(context.environment.fileSystem, directory, key);
  if (location.kind === "log") {
    const log = await describeLog(context, location.directory);
    await context.output.line(json === true ? safeJson(log, 2) : logAsText(log, raw));
  } else {
    const store = await describeStore(context, directory);
    await context.output.line(json === true ? safeJson(store, 2) : storeAsText(store, raw));
  }
}
