import type { Command } from "commander";
import { CommitLog, LogStore } from "../index.js";
import { parseInteger, parseKey } from "./arguments.js";
import type { CommandContext } from "./context.js";
import { count, formatBytes } from "./display.js";
import { escapeText } from "./escape.js";
import { UsageError } from "./failure.js";
import { locate } from "./location.js";

interface TrimFlags {
  readonly before: number;
  readonly key?: string;
}

/** `seglog trim`: deletes the oldest records. */
export function addTrim(program: Command, context: CommandContext): void {
  program
    .command("trim")
    .summary("delete the records before an offset")
    .description(
      "Moves the start of a log up to an offset and deletes the segments that hold nothing at or " +
        "behind it. Records before the offset cannot be read any more; space is freed by whole " +
        "segments. Takes the lock, so no other process may have the log open for writing.",
    )
    .argument("<dir>", "directory of the log or the store")
    .requiredOption("--before <offset>", "first offset to keep", parseInteger)
    .option("-k, --key <key>", "the log of this key in a store", parseKey)
    .addHelpText(
      "after",
      `
Example:
  $ seglog trim events --before 5000

Exit codes:
  0  done, also when there was nothing to delete
  2  bad usage, offset behind the end, locked, no access; nothing was deleted`,
    )
    .action((directory: string, flags: TrimFlags) => trim(context, directory, flags));
}

async function trim(
  context: CommandContext,
  directory: string,
  { before, key }: TrimFlags,
): Promise<void> {
  const location = await locate(context.environment.fileSystem, directory, key);
  if (location.kind === "store") throw new UsageError(`${directory} is a store: give a --key.`);
  const store = key === undefined ? undefined : await LogStore.open(directory);
  try {
    const log =
      key === undefined || store === undefined
        ? await CommitLog.open(directory)
        : await store.log(key);
    try {
      const { startOffset } = log;
      const segments = log.segments();
      await log.deleteBefore(before);
      const kept = new Set(log.segments().map(({ path }) => path));
      const gone = segments.filter(({ path }) => !kept.has(path));
      const freed = gone.reduce((sum, { bytes }) => sum + bytes, 0);
      const moved =
        log.startOffset === startOffset
          ? `start offset stays ${startOffset}`
          : `start offset ${startOffset} -> ${log.startOffset}`;
      const text = `${moved}; ${count(gone.length, "segment")} deleted, ${formatBytes(freed)} freed`;
      await context.output.line(escapeText(`${directory}: ${text}`));
    } finally {
      await log.close();
    }
  } finally {
    await store?.close();
  }
}
