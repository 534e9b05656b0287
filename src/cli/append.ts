import { addAbortSignal, type Readable } from "node:stream";
import { type Command, Option } from "commander";
import { CommitLog, type LogOptions, LogStore } from "../index.js";
import { parseInteger, parseKey } from "./arguments.js";
import type { CommandContext } from "./context.js";
import { count, offsetRange } from "./display.js";
import { escapeText } from "./escape.js";
import { ExitCode } from "./exit-code.js";
import { UsageError } from "./failure.js";
import { openInput, readLines } from "./input.js";
import { kindOfDirectory } from "./location.js";
import {
  addRemoteFlags,
  connectRemote,
  directoryOf,
  type RemoteFlags,
  requireKey,
} from "./remote.js";
import { StopSignals } from "./stop-signals.js";

/** Batches on their way to the disk while the next lines are read. */
const IN_FLIGHT = 16;
/** The default of `maxRecordBytes`. */
const MAX_LINE_BYTES = 16 * 1024 * 1024;

interface AppendFlags extends RemoteFlags {
  readonly key?: string;
  readonly durability?: NonNullable<LogOptions["durability"]>;
  readonly compression?: NonNullable<LogOptions["compression"]>;
  readonly segmentBytes?: number;
}

/** Lines that have begun to come. */
interface Lines {
  readonly input: Readable;
  readonly first: IteratorResult<Uint8Array[], void>;
  readonly rest: AsyncIterable<Uint8Array[]>;
}

/** Appends one batch, and tells where. */
type AppendLines = (
  lines: Uint8Array[],
) => Promise<{ readonly baseOffset: number; readonly lastOffset: number }>;

/** `seglog append`: one record for each line. */
export function addAppend(program: Command, context: CommandContext): void {
  const command = program
    .command("append")
    .summary("append lines from a file or standard input")
    .description(
      "Appends each line of a file, or of standard input, as one record.\n\n" +
        "Without --key <dir> is a single log, with --key it is a store of several; one that does " +
        "not exist is made. A line comes without its line feed. Lines are appended as they arrive, " +
        "in batches: those that were read in one piece are appended together or not at all.",
    )
    .argument("[dir]", "directory of the log or the store; none with --url")
    .argument("[file]", "file with the lines; - or nothing for standard input")
    .option("-k, --key <key>", "append to the log of this key in a store", parseKey)
    .addOption(
      new Option(
        "--durability <policy>",
        'when a line counts as appended (default: "always")',
      ).choices(["always", "interval", "os"]),
    )
    .addOption(
      new Option("--compression <codec>", 'compress blocks of lines (default: "none")').choices([
        "none",
        "lz4",
      ]),
    )
    .option("--segment-bytes <bytes>", "begin a new segment at this length", parseInteger);
  addRemoteFlags(command)
    .addHelpText(
      "after",
      `
Examples:
  $ seglog append events access.log
  $ journalctl -f -o json | seglog append --key web-1 --compression lz4 store
  $ seglog append --url http://127.0.0.1:50052 --key web-1 access.log

Exit codes:
  0    all lines are appended, as safely as --durability says
  2    bad usage, locked, disk full …; the message says how many lines were appended before
  130  ended by Ctrl-C (143: by SIGTERM); what was appended is told, and the log is closed`,
    )
    .action(async (first: string | undefined, second: string | undefined, flags: AppendFlags) => {
      if (flags.url === undefined) {
        await append(context, directoryOf(first, flags)!, second, flags);
      } else {
        directoryOf(second, flags);
        await appendRemote(context, first, flags);
      }
    });
}

async function appendRemote(
  context: CommandContext,
  file: string | undefined,
  { key, durability, compression, segmentBytes, ...remote }: AppendFlags,
): Promise<void> {
  if (durability ?? compression ?? segmentBytes) {
    throw new UsageError(
      "--durability, --compression and --segment-bytes are the server's to set.",
    );
  }
  const name = requireKey(key);
  const lines = await linesOf(context, file);
  const client = await connectRemote(remote);
  const appendLines = (batch: Uint8Array[]) => client.appendBatch(name, batch);
  await appendAll(context, client, appendLines, lines, `${remote.url}, key ${name}`);
}

async function append(
  context: CommandContext,
  directory: string,
  file: string | undefined,
  { key, durability, compression, segmentBytes }: AppendFlags,
): Promise<void> {
  const kind = await kindOfDirectory(context.environment.fileSystem, directory);
  if (key === undefined && kind === "store") {
    throw new UsageError(`${directory} is a store: say which log with --key.`);
  }
  if (key !== undefined && kind === "log") {
    throw new UsageError(`${directory} is a single log, not a store: leave --key out.`);
  }
  // The file is opened first: a wrong name must not leave a new, empty log behind.
  const lines = await linesOf(context, file);
  const onError = (error: Error) => context.tell(error.message);
  const options = { durability, compression, segmentBytes, onError };
  if (key === undefined) {
    const log = await CommitLog.open(directory, options);
    await appendAll(context, log, (batch) => log.appendBatch(batch), lines, directory);
  } else {
    const store = await LogStore.open(directory, options);
    const log = await store.log(key);
    const where = `${directory}, key ${key}`;
    await appendAll(context, store, (batch) => log.appendBatch(batch), lines, where);
  }
}

/** Resolves when the first lines are there; until then, a signal ends the program as it is. */
async function linesOf({ streams }: CommandContext, file: string | undefined): Promise<Lines> {
  const isFile = file !== undefined && file !== "-";
  const input = isFile ? openInput(file) : streams.stdin;
  const rest = readLines(input, isFile ? file : "standard input", MAX_LINE_BYTES);
  return { input, first: await rest.next(), rest };
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

/**
 * Appends all lines, or those that came before a signal; closes `target`, and says how many they
 * were, also after a failure.
 */
async function appendAll(
  context: CommandContext,
  target: { close(): Promise<void> },
  appendLines: AppendLines,
  lines: Lines,
  where: string,
): Promise<void> {
  const tally = new Tally();
  const stop = new StopSignals();
  try {
    await appendBatches(appendLines, untilStopped(lines, stop.signal), tally);
  } catch (error) {
    context.tell(`appended ${tally.text()} before the failure`);
    throw error;
  } finally {
    await target.close();
    stop.forget();
  }
  context.exitCode = stop.exitCode ?? ExitCode.ok;
  await context.output.line(escapeText(`appended ${tally.text()} to ${where}`));
}

/** All batches of lines; the signal ends them, also while the next one is waited for. */
async function* untilStopped(
  { input, first, rest }: Lines,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array[], void, void> {
  addAbortSignal(signal, input);
  try {
    if (first.done !== true) yield first.value;
    yield* rest;
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}

/** Reads on while some batches are on their way; memory is bounded by their number. */
async function appendBatches(
  appendLines: AppendLines,
  batches: AsyncIterable<Uint8Array[]>,
  tally: Tally,
): Promise<void> {
  const pending: Promise<void>[] = [];
  const start = (lines: Uint8Array[]) => {
    const done = appendLines(lines).then(({ baseOffset, lastOffset }) =>
      tally.add(baseOffset, lastOffset),
    );
    // A failure is met when it is this batch's turn to be awaited.
    done.catch(() => undefined);
    pending.push(done);
  };
  try {
    for await (const lines of batches) {
      if (pending.length >= IN_FLIGHT) await pending.shift();
      start(lines);
    }
    await Promise.all(pending);
  } finally {
    // After a failure: what is still on its way counts, if it arrives.
    await Promise.allSettled(pending);
  }
}
