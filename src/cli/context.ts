import type { Readable, Writable } from "node:stream";
import { createEnvironment, type LogEnvironment } from "../log/environment.js";
import { escapeText } from "./escape.js";
import { Output } from "./output.js";

/** The three streams of the process. */
export interface Streams {
  readonly stdin: Readable;
  readonly stdout: Writable;
  readonly stderr: Writable & { readonly isTTY?: boolean };
}

/** What every command gets: where to read and write, and where to leave its verdict. */
export class CommandContext {
  readonly streams: Streams;
  readonly output: Output;
  readonly environment: LogEnvironment;
  /** What the process will exit with. */
  exitCode = 0;

  constructor(streams: Streams, environment: LogEnvironment = createEnvironment()) {
    this.streams = streams;
    this.environment = environment;
    this.output = new Output(streams.stdout);
  }

  /** Tells something on standard error without ending the command. */
  tell(message: string): void {
    this.streams.stderr.write(`seglog: ${escapeText(message)}\n`);
  }
}
