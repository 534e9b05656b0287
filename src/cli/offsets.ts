import type { Command } from "commander";
import { logIdText } from "../format/checkpoint-frame.js";
import { type CommitLog, LogStore, SeglogError } from "../index.js";
import { groupsOf, loadCheckpoint } from "../store/checkpoint-file.js";
import { readStoreMetadata } from "../store/store-files.js";
import type { CommandContext } from "./context.js";
import { isDamage } from "./damage.js";
import { renderTable } from "./display.js";
import { escapeText, safeJson } from "./escape.js";
import { EXIT_CODE_HELP, ExitCode } from "./exit-code.js";
import { UsageError } from "./failure.js";
import { locate } from "./location.js";
import { addRemoteFlags, connectRemote, directoryOf, type RemoteFlags } from "./remote.js";

interface OffsetsFlags extends RemoteFlags {
  readonly json?: boolean;
  readonly raw?: boolean;
}

interface Row {
  readonly group: string;
  readonly key: string;
  readonly committed: number;
  /** `null` where there is no such key, or its log cannot be opened. */
  readonly end: number | null;
  readonly lag: number | null;
}

/** `seglog offsets`: how far each consumer group has come. */
export function addOffsets(program: Command, context: CommandContext): void {
  const command = program
    .command("offsets")
    .summary("show the committed offsets of consumer groups")
    .description(
      "Shows, for every consumer group and key of a store, the next offset to read, the end of the " +
        "log and the distance between them.",
    )
    .argument("[store]", "directory of the store; none with --url")
    .option("--json", "one JSON array instead of a table")
    .option("--raw", "names as they are, not escaped");
  addRemoteFlags(command)
    .addHelpText(
      "after",
      `
Examples:
  $ seglog offsets store
  $ seglog offsets --url http://127.0.0.1:50052

${EXIT_CODE_HELP}`,
    )
    .action(async (given: string | undefined, flags: OffsetsFlags) => {
      const directory = directoryOf(given, flags);
      const rows =
        directory === undefined ? await remoteRows(flags) : await rowsOf(context, directory);
      await show(context, rows, flags);
    });
}

async function remoteRows(flags: RemoteFlags): Promise<Row[]> {
  await using client = await connectRemote(flags);
  const rows: Row[] = [];
  for (const group of await client.groups()) {
    for (const [key, committed] of byKey([...(await client.group(group).committed())])) {
      const end = (await client.bounds(key))?.endOffset ?? null;
      rows.push({ group, key, committed, end, lag: end === null ? null : end - committed });
    }
  }
  return rows;
}

function byKey<T>(entries: [key: string, T][]): [key: string, T][] {
  return entries.sort(([one], [other]) => (one < other ? -1 : 1));
}

async function rowsOf(context: CommandContext, directory: string): Promise<Row[]> {
  const { fileSystem } = context.environment;
  const { kind } = await locate(fileSystem, directory, undefined);
  if (kind === "log") {
    throw new UsageError(`${directory} is a single log; only stores have consumer groups.`);
  }
  await using store = await LogStore.openOn(context.environment, directory, { readOnly: true });
  const damage = store.recovery.checkpointDamage;
  if (damage !== undefined) {
    context.tell(
      `the end of the file of committed offsets is not used: ${damage}. These are the last valid ` +
        "ones; a group may see records again.",
    );
  }
  const { storeId } = await readStoreMetadata(fileSystem, directory);
  const { state } = await loadCheckpoint(fileSystem, directory, storeId);
  const rows: Row[] = [];
  for (const group of groupsOf(state).sort()) {
    // Not by `committed()`: it would not answer beside a log that is damaged.
    for (const [key, entry] of byKey([...(state.get(group) ?? [])])) {
      const log = await logOf(context, store, key);
      if (log === null) {
        rows.push({ group, key, committed: entry.next, end: null, lag: null });
      } else if (logIdText(log.logId) === entry.logId) {
        const end = log.endOffset;
        const committed = Math.min(entry.next, end);
        rows.push({ group, key, committed, end, lag: end - committed });
      }
    }
  }
  return rows;
}

async function show(
  context: CommandContext,
  rows: readonly Row[],
  { json, raw }: OffsetsFlags,
): Promise<void> {
  if (json === true) {
    await context.output.line(safeJson(rows, 2));
    return;
  }
  if (rows.length === 0) {
    await context.output.line("no consumer group has committed an offset");
    return;
  }
  const name = raw === true ? (text: string) => text : escapeText;
  const table = renderTable(
    [
      ["group", "left"],
      ["key", "left"],
      ["committed", "right"],
      ["end", "right"],
      ["lag", "right"],
    ],
    rows.map((row) => [
      name(row.group),
      name(row.key),
      String(row.committed),
      row.end === null ? "-" : String(row.end),
      row.lag === null ? "-" : String(row.lag),
    ]),
  );
  await context.output.line(table);
}

/** `null` for a key that is gone or damaged. */
async function logOf(
  context: CommandContext,
  store: LogStore,
  key: string,
): Promise<CommitLog | null> {
  try {
    return await store.log(key);
  } catch (error) {
    // A forged name may be one that no key can have.
    const noSuchKey = ["KEY_NOT_FOUND", "INVALID_KEY"];
    if (error instanceof SeglogError && noSuchKey.includes(error.code)) return null;
    if (!isDamage(error)) throw error;
    context.exitCode = ExitCode.damage;
    context.tell(`CORRUPTION: ${(error as Error).message}`);
    return null;
  }
}
