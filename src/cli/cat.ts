import { type Command, Option } from "commander";
import { SeglogError } from "../errors.js";
import type { LogRecord } from "../format/record.js";
import { CommitLog } from "../index.js";
import { startOf, surveyLog } from "../log/recovery/log-survey.js";
import { parseInteger, parseKey } from "./arguments.js";
import { keyMade, waitingFor } from "./awaited-key.js";
import type { CommandContext } from "./context.js";
import { isDamage } from "./damage.js";
import { EXIT_CODE_HELP, ExitCode } from "./exit-code.js";
import { UsageError } from "./failure.js";
import { locateLog } from "./location.js";
import { readAround } from "./read-around.js";
import { printRecord, RECORD_FORMATS } from "./record-printer.js";
import { addRemoteFlags, directoryOf } from "./remote.js";
import { RemoteCat, type RemoteCatFlags } from "./remote-cat.js";
import { findJournal, journaledOf, journaledRecords } from "./store-journal.js";

interface CatFlags extends RemoteCatFlags {
  readonly raw?: boolean;
}

/** `seglog cat`: the records themselves. */
export function addCat(program: Command, context: CommandContext): void {
  const command = program
    .command("cat")
    .summary("print records, and follow new ones")
    .description(
      "Prints the records of a log, beside a living writer too. Damage is stepped over " +
        "and told on standard error.",
    )
    .argument("[dir]", "directory of the log or the store; none with --url")
    .option("-k, --key <key>", "the log of this key in a store", parseKey)
    .option("--from <offset>", "first offset (default: the start)", parseInteger)
    .option("--to <offset>", "end here, this offset not included", parseInteger)
    .option("-n, --limit <count>", "print at most so many records", parseInteger)
    .option("-f, --follow", "wait for new records, also for the key; Ctrl-C ends it")
    .addOption(
      new Option("--format <format>", "text: values, escaped; json: all fields; hex; raw")
        .choices([...RECORD_FORMATS])
        .default("text"),
    )
    .option("--raw", "the same as --format raw: bytes as they are, not escaped");
  addRemoteFlags(command)
    .addHelpText(
      "after",
      `
Examples:
  $ seglog cat events --from 1000 --limit 10
  $ seglog cat store --key web-1 --follow --format json
  $ seglog cat --url http://127.0.0.1:50052 --key web-1 --follow

${EXIT_CODE_HELP}
  130  ended by Ctrl-C while following`,
    )
    .action(async (given: string | undefined, flags: CatFlags) => {
      const format = flags.raw === true ? "raw" : flags.format;
      if (flags.to !== undefined && flags.from !== undefined && flags.to < flags.from) {
        throw new UsageError("--to must not be before --from.");
      }
      const directory = directoryOf(given, flags);
      if (directory === undefined) {
        await new RemoteCat(context, { ...flags, format }).run();
        return;
      }
      await new Cat(context, directory, { ...flags, format }).run();
    });
}

/** Thrown when as many records are printed as were asked for. */
class EnoughRecords extends Error {}

class Cat {
  readonly #context: CommandContext;
  /** Of the log; before it is found, as it was given. */
  #directory: string;
  readonly #flags: CatFlags;
  readonly #interrupt = new AbortController();
  #next: number | undefined;
  #left: number;

  constructor(context: CommandContext, directory: string, flags: CatFlags) {
    this.#context = context;
    this.#directory = directory;
    this.#flags = flags;
    this.#next = flags.from;
    this.#left = flags.limit ?? Number.POSITIVE_INFINITY;
  }

  async run(): Promise<void> {
    if (this.#flags.follow === true) process.once("SIGINT", () => this.#interrupt.abort());
    try {
      this.#directory = await this.#locate();
      if (this.#left === 0) return;
      await this.#readSound();
    } catch (error) {
      if (error instanceof EnoughRecords) return;
      if (this.#interrupt.signal.aborted) {
        this.#context.exitCode ||= ExitCode.interrupted;
        return;
      }
      if (!isDamage(error)) throw error;
      this.#context.exitCode = ExitCode.damage;
      this.#context.tell(`CORRUPTION: ${(error as Error).message}`);
      await this.#readRest();
    }
  }

  /** Finds the log; who follows waits for its key to be made. */
  async #locate(): Promise<string> {
    const { environment } = this.#context;
    const { key, follow } = this.#flags;
    const find = () => locateLog(environment.fileSystem, this.#directory, key);
    if (key === undefined || follow !== true) return find();
    try {
      return await find();
    } catch (error) {
      if (!(error instanceof SeglogError && error.code === "KEY_NOT_FOUND")) throw error;
      this.#context.tell(waitingFor(this.#directory, key));
      await keyMade(environment, this.#directory, key, this.#interrupt.signal);
      return find();
    }
  }

  /** Reads as any reader does, until the end or until it meets damage. */
  async #readSound(): Promise<void> {
    const { to, follow } = this.#flags;
    const { environment } = this.#context;
    await using log = await CommitLog.openOn(environment, this.#directory, { readOnly: true });
    const { signal } = this.#interrupt;
    const options = { from: this.#next, to, follow, signal };
    for await (const batch of log.batches(options)) {
      for (const record of batch) await this.#print(record);
      if (follow === true) await this.#context.output.flush();
    }
    // The end of an unclean log may hide damage; looking again tells.
    await log.refresh();
  }

  /** Prints what can be read around damage. */
  async #readRest(): Promise<void> {
    const { environment } = this.#context;
    const place = { kind: "log", directory: this.#directory } as const;
    const journal = await findJournal(environment.fileSystem, place);
    const skipped = (message: string) => this.#context.tell(message);
    const journaled = await journaledRecords(environment, journal, skipped);
    const survey = await surveyLog(environment, this.#directory);
    const { to = Number.POSITIVE_INFINITY } = this.#flags;
    try {
      for await (const piece of readAround(survey, this.#next)) {
        if ("skipped" in piece) {
          this.#context.tell(piece.skipped);
          continue;
        }
        for (const record of piece.records) {
          if (record.offset >= to) throw new EnoughRecords();
          await this.#print(record);
        }
      }
      const truncatedAt = survey.pending?.offset ?? Number.POSITIVE_INFINITY;
      for (const { record } of journaledOf(journaled, survey.metadata?.logId)) {
        if (record.offset < (this.#next ?? startOf(survey))) continue;
        if (record.offset >= truncatedAt) break;
        if (record.offset >= to) throw new EnoughRecords();
        await this.#print(record);
      }
    } catch (error) {
      if (!(error instanceof EnoughRecords)) throw error;
    }
  }

  async #print(record: LogRecord): Promise<void> {
    const written = this.#context.output.write(printRecord(this.#flags.format, record));
    if (written !== undefined) await written;
    this.#next = record.offset + 1;
    this.#left--;
    if (this.#left === 0) throw new EnoughRecords();
  }
}
