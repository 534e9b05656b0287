import type { CommandContext } from "./context.js";
import { escapeBytes, escapeText } from "./escape.js";
import { ExitCode } from "./exit-code.js";

/** Writes what `dump` finds, line by line, and remembers whether any of it was damage. */
export class DumpPrinter {
  readonly #context: CommandContext;
  readonly #raw: boolean;

  /** @param raw - Show what comes out of the file as it is. */
  constructor(context: CommandContext, raw: boolean) {
    this.#context = context;
    this.#raw = raw;
  }

  /** A line of words that this program made. */
  line(text: string): Promise<void> | undefined {
    return this.#context.output.line(text);
  }

  /** Damage at a position of the file. */
  invalid(position: number, reason: string, rest = ""): Promise<void> | undefined {
    this.#context.exitCode = ExitCode.damage;
    return this.line(`${position}: INVALID: ${reason}${rest}`);
  }

  /** Text that came out of the file. */
  text(text: string): string {
    return this.#raw ? text : escapeText(text);
  }

  /** Bytes that came out of the file. */
  bytes(bytes: Uint8Array): string {
    return this.#raw ? Buffer.from(bytes).toString("utf8") : escapeBytes(bytes);
  }
}
