import { basename } from "node:path";
import type { Command } from "commander";
import { SeglogError } from "../errors.js";
import { readFile } from "../files/whole-file.js";
import {
  CHECKPOINT_FILE,
  CUT_MARK,
  LOG_METADATA_FILE,
  PRODUCERS_FILE,
  PUBLISHED_FILE,
  parseSegmentFileName,
  STORE_METADATA_FILE,
} from "../format/file-names.js";
import { parsePath } from "./arguments.js";
import type { CommandContext } from "./context.js";
import { dumpCheckpoint } from "./dump-checkpoint.js";
import { dumpDataFile } from "./dump-data-file.js";
import { dumpIndex } from "./dump-index.js";
import { DumpPrinter } from "./dump-printer.js";
import { dumpProducers } from "./dump-producers.js";
import { dumpLogMetadata, dumpPublished, dumpStoreMetadata } from "./dump-small-files.js";
import { EXIT_CODE_HELP } from "./exit-code.js";

interface DumpFlags {
  readonly records?: boolean;
  readonly raw?: boolean;
}

/** Everything but data files is read whole, up to this length. */
const MAX_FILE_BYTES = 1024 * 1024 * 1024;

/** `seglog dump`: one file, byte for byte as far as it makes sense. */
export function addDump(program: Command, context: CommandContext): void {
  program
    .command("dump")
    .summary("take a single file apart")
    .description(
      "Takes one file of a log or a store apart: a data file (.log) block by block, an .index or " +
        ".timeindex, log.meta, store.meta, committed-offsets, producers, or published. Goes on " +
        "behind damage.",
    )
    .argument("<file>", "the file", parsePath)
    .option("--records", "of a data file, the records too")
    .option("--raw", "values, keys and names as they are, not escaped")
    .addHelpText(
      "after",
      `
Examples:
  $ seglog dump events/00000000000000000000.log --records
  $ seglog dump store/committed-offsets

${EXIT_CODE_HELP}`,
    )
    .action((file: string, flags: DumpFlags) => dump(context, file, flags));
}

async function dump(context: CommandContext, file: string, flags: DumpFlags): Promise<void> {
  const printer = new DumpPrinter(context, flags.raw === true);
  const name = basename(file);
  const segment = parseSegmentFileName(name);
  const kind = await context.environment.fileSystem.kindOf(file);
  if (kind !== "file") {
    const what = kind === undefined ? "does not exist" : `is a ${kind}, not a file`;
    throw new SeglogError("NOT_A_LOG", `${file} ${what}. Give one file of a log or a store.`);
  }
  if (segment?.kind === "data") {
    await dumpDataFile(context, printer, file, segment.baseOffset, flags.records === true);
    return;
  }
  const read = () => readFile(context.environment.fileSystem, file, MAX_FILE_BYTES);
  if (segment !== undefined) {
    await dumpIndex(printer, await read(), segment.kind === "timeIndex");
  } else if (name === LOG_METADATA_FILE) await dumpLogMetadata(printer, await read());
  else if (name === STORE_METADATA_FILE) await dumpStoreMetadata(printer, await read());
  else if (name === PRODUCERS_FILE) await dumpProducers(printer, await read());
  else if (name === PUBLISHED_FILE) await dumpPublished(printer, await read());
  else if (name.startsWith(CHECKPOINT_FILE)) await dumpCheckpoint(printer, await read());
  else {
    const hint = name.includes(CUT_MARK)
      ? "it keeps bytes that a recovery cut off, which belong to no log any more"
      : "its name is not one that seglog gives";
    throw new SeglogError("NOT_A_LOG", `${file} cannot be dumped: ${hint}.`);
  }
}
