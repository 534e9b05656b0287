import { CommanderError } from "commander";
import type { LogEnvironment } from "../log/environment.js";
import { CommandContext, type Streams } from "./context.js";
import { ExitCode } from "./exit-code.js";
import { failureLine, UsageError } from "./failure.js";
import { BrokenPipe } from "./output.js";
import { createProgram } from "./program.js";

/**
 * Runs one command line, given without the program's name.
 *
 * @param environment - Where the files are; default: the real world.
 * @returns The exit code.
 */
export async function run(
  args: readonly string[],
  streams: Streams,
  environment?: LogEnvironment,
): Promise<number> {
  // Without a reader of the messages, the exit code still tells.
  streams.stderr.on("error", () => undefined);
  const context = new CommandContext(streams, environment);
  const { output } = context;
  try {
    await createProgram(context).parseAsync(args, { from: "user" });
    await output.flush();
    return context.exitCode;
  } catch (error) {
    if (error instanceof BrokenPipe) return ExitCode.ok;
    // What was found before a failure is shown before it is told.
    await output.flush().catch(() => undefined);
    const failure = error instanceof CommanderError ? usageOf(error) : error;
    if (failure === undefined) return ExitCode.ok;
    streams.stderr.write(failureLine(failure));
    return ExitCode.failure;
  }
}

/** Help and version end the parser with an "error" too; they leave nothing to tell. */
function usageOf(error: CommanderError): UsageError | undefined {
  if (error.exitCode === 0) return undefined;
  const isBare = error.code === "commander.help";
  const message = isBare ? "Say which command; seglog --help lists them." : error.message;
  return new UsageError(message.replace(/^error: /, "").replaceAll("\n", " "));
}
