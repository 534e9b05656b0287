#!/usr/bin/env node
import { CommanderError } from "commander";
import { CommandContext } from "./context.js";
import { ExitCode } from "./exit-code.js";
import { failureLine, UsageError } from "./failure.js";
import { BrokenPipe, Output } from "./output.js";
import { createProgram } from "./program.js";

async function main(): Promise<number> {
  const context = new CommandContext(new Output(process.stdout));
  try {
    await createProgram(context).parseAsync(process.argv);
    await context.output.flush();
    return context.exitCode;
  } catch (error) {
    if (error instanceof BrokenPipe) return ExitCode.ok;
    if (error instanceof CommanderError) return usage(error);
    await context.output.flush().catch(() => undefined);
    process.stderr.write(failureLine(error));
    return ExitCode.failure;
  }
}

/** Help and version end the parser with an "error" too; only a failure has something to say. */
function usage(error: CommanderError): number {
  if (error.exitCode === 0) return ExitCode.ok;
  const asked = error.code === "commander.help";
  const message = asked ? "Say which command; seglog --help lists them." : error.message;
  const text = message.replace(/^error: /, "").replaceAll("\n", " ");
  process.stderr.write(failureLine(new UsageError(text)));
  return ExitCode.failure;
}

// Without a reader of the messages, the exit code still tells.
process.stderr.on("error", () => undefined);
process.exitCode = await main();
