import type { Command } from "commander";
import { parseKey } from "./arguments.js";
import type { CommandContext } from "./context.js";
import { safeJson } from "./escape.js";
import { EXIT_CODE_HELP } from "./exit-code.js";
import { describeLog, logAsText } from "./inspect-log.js";
import { describeStore, storeAsText } from "./inspect-store.js";
import { locate } from "./location.js";

interface InspectFlags {
  readonly key?: string;
  readonly json?: boolean;
  readonly raw?: boolean;
}

/** `seglog inspect`: what a log or a store is made of. */
export function addInspect(program: Command, context: CommandContext): void {
  program
    .command("inspect")
    .summary("show the segments of a log, or the keys of a store")
    .description(
      "Shows what a log is made of, segment by segment; of a store, its keys. Reads headers and\n" +
        "indexes, and data only where an index is missing; seglog verify checks all of it.",
    )
    .argument("<dir>", "directory of the log or the store")
    .option("-k, --key <key>", "the log of this key in a store", parseKey)
    .option("--json", "one JSON object instead of text and a table")
    .option("--raw", "keys and names as they are, not escaped")
    .addHelpText(
      "after",
      `
Examples:
  $ seglog inspect events
  $ seglog inspect store --key web-1 --json

${EXIT_CODE_HELP}`,
    )
    .action((directory: string, flags: InspectFlags) => inspect(context, directory, flags));
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
