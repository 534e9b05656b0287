import { type Command, Option } from "commander";
import { CommitLog, type LogOptions, LogStore } from "../index.js";
import { parseInteger, parseKey } from "./arguments.js";
import type { CommandContext } from "./context.js";
import { count, offsetRange } from "./display.js";
import { escapeText } from "./escape.js";
import { UsageError } from "./failure.js";
import { openInput, readLines } from "./input.js";
import { kindOfDirectory } from "./location.js";

/** Batches on their way to the disk while the next lines are read. */
const IN_FLIGHT = 16;
/** The default of `maxRecordBytes`. */
const MAX_LINE_BYTES = 16 * 1024 * 1024;

interface AppendFlags {
  readonly key?: string;
  readonly durability?: NonNullable<LogOptions["durability"]>;
  readonly compression?: NonNullable<LogOptions["compression"]>;
  readonly segmentBytes?: number;
}

/** `seglog append`: one record for each line. */
export function addAppend(program: Command, context: CommandContext): void {
  program
    .command("append")
    .summary("append lines from a file or standard input")
    .description(
      "Appends each line of a file, or of standard input, as one record.\n\n" +
        "Without --key <dir> is a single log, with --key it is a store of several; one that does\n" +
        "not exist is made. A line comes without its line feed. Lines are appended as they arrive,\n" +
        "in batches: those that were read in one piece are appended together or not at all.",
    )
    .argument("<dir>", "directory of the log or the store")
    .argument("[file]", "file with the lines; - or nothing for standard input")
    .option("-k, --key <key>", "append to the log of this key in a store", parseKey)
    .addOption(
      new Option("--durability <policy>", "when a line counts as appended")
        .choices(["always", "interval", "os"])
        .default("always"),
    )
    .addOption(
      new Option("--compression <codec>", "compress blocks of lines")
        .choices(["none", "lz4"])
        .default("none"),
    )
    .option("--segment-bytes <bytes>", "begin a new segment at this length", parseInteger)
    .addHelpText(
      "after",
      `
Examples:
  $ seglog append events access.log
  $ journalctl -f -o json | seglog append --key web-1 --compression lz4 store

Exit codes:
  0  all lines are appended, as safely as --durability says
  2  bad usage, locked, disk full …; the message says how many lines were appended before`,
    )
    .action(async (directory: string, file: string | undefined, flags: AppendFlags) => {
      await append(context, directory, file, flags);
    });
}

async function append(
  context: CommandContext,
  directory: string,
  file: string | undefined,
  { key, ...options }: AppendFlags,
): Promise<void> {
  const kind = await kindOfDirectory(context.environment.fileSystem, directory);
  if (key === undefined && kind === "store") {
    throw new UsageError(`${directory} is a store: say which log with --key.`);
  }
  if (key !== undefined && kind === "log") {
    throw new UsageError(`${directory} is a single log, not a store: leave --key out.`);
  }
  const lines =
    file === undefined || file === "-"
      ? readLines(context.streams.stdin, "standard input", MAX_LINE_BYTES)
      : readLines(openInput(file), file, MAX_LINE_BYTES);
  // The file is opened first: a wrong name must not leave a new, empty log behind.
  const first = await lines.next();
  const onError = (error: Error) => context.tell(error.message);
  const store =
    key === undefined ? undefined : await LogStore.open(directory, { ...options, onError });
  const log =
    key === undefined || store === undefined
      ? await CommitLog.open(directory, { ...options, onError })
      : await store.log(key);
  const tally = new Tally();
  try {
    if (first.done !== true) await appendAll(log, first.value, lines, tally);
  } catch (error) {
    context.tell(`appended ${tally.text()} before the failure`);
    throw error;
  } finally {
    await (store ?? log).close();
  }
  const where = key === undefined ? directory : `${directory}, key ${key}`;
  await context.output.line(escapeText(`appended ${tally.text()} to ${where}`));
}

/** What was acknowledged so far. */
class Tally {
  #records = 0;
  #from = 0;
  #to = 0;

  add(baseOffset: number, lastOffset: number): void {
    if (this.#records === 0) this.#from = baseOffset;
    this.#records += lastOffset - baseOffset + 1;
    this.#to = lastOffset + 1;
  }

  text(): string {
    if (this.#records === 0) return "nothing";
    return `${count(this.#records, "record")} (${offsetRange(this.#from, this.#to)})`;
  }
}

/** Reads on while some batches are on their way; memory is bounded by their number. */
async function appendAll(
  log: CommitLog,
  first: Uint8Array[],
  rest: AsyncIterable<Uint8Array[]>,
  tally: Tally,
): Promise<void> {
  const pending: Promise<void>[] = [];
  const start = (lines: Uint8Array[]) => {
    const done = log
      .appendBatch(lines)
      .then(({ baseOffset, lastOffset }) => tally.add(baseOffset, lastOffset));
    // A failure is met when it is this batch's turn to be awaited.
    done.catch(() => undefined);
    pending.push(done);
  };
  try {
    start(first);
    for await (const lines of rest) {
      if (pending.length >= IN_FLIGHT) await pending.shift();
      start(lines);
    }
    await Promise.all(pending);
  } finally {
    // After a failure: what is still on its way counts, if it arrives.
    await Promise.allSettled(pending);
  }
}
