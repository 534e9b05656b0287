import { createEnvironment, type LogEnvironment } from "../log/environment.js";
import { escapeText } from "./escape.js";
import type { Output } from "./output.js";

/** What every command gets: where to write, and where to leave its verdict. */
export class CommandContext {
  readonly output: Output;
  readonly environment: LogEnvironment = createEnvironment();
  /** What the process will exit with. */
  exitCode = 0;

  constructor(output: Output) {
    this.output = output;
  }

  /** Tells something on standard error without ending the command. */
  tell(message: string): void {
    process.stderr.write(`seglog: ${escapeText(message)}\n`);
  }
}
