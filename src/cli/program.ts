import { createRequire } from "node:module";
import { Command } from "commander";
import { addAppend } from "./append.js";
import { addCat } from "./cat.js";
import type { CommandContext } from "./context.js";
import { addDump } from "./dump.js";
import { EXIT_CODE_HELP } from "./exit-code.js";
import { addInspect } from "./inspect.js";
import { addOffsets } from "./offsets.js";
import { addRepair } from "./repair.js";
import { addServe } from "./serve.js";
import { addTrim } from "./trim.js";
import { addVerify } from "./verify.js";

const require = createRequire(import.meta.url);

/** The whole command line; parse it with `parseAsync`. */
export function createProgram(context: CommandContext): Command {
  const { version } = require("../../package.json") as { version: string };
  const program = new Command("seglog")
    .description("Looks into commit logs, checks and repairs them, and reads and appends records.")
    .version(version)
    .exitOverride()
    .showSuggestionAfterError()
    // Errors are printed in one place, as one line; see run.ts.
    .configureOutput({
      writeOut: (text) => void context.output.write(text),
      writeErr: () => undefined,
    })
    .addHelpText(
      "after",
      `
Examples:
  $ seq 1 1000 | seglog append events
  $ seglog inspect events
  $ seglog cat events --from 990

cat, inspect, dump, verify and offsets take no lock and change nothing: they work beside a process
that writes. What a terminal would obey or hide in data, keys and names is shown escaped.

${EXIT_CODE_HELP}`,
    );
  const commands = [addAppend, addCat, addInspect, addDump, addVerify, addRepair, addOffsets];
  for (const add of [...commands, addTrim, addServe]) add(program, context);
  return program;
}
