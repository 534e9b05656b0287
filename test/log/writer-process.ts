import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { onTestFinished } from "vitest";
import type { OpenLogOptions } from "../../src/log/commit-log.js";

const PROGRAM = fileURLToPath(new URL("./programs/writer.mjs", import.meta.url));

interface Answer {
  readonly result?: unknown;
  readonly code?: string;
  readonly message?: string;
}

/** A writer in another process; it is killed with the test. */
export class WriterProcess {
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #answers: AsyncIterator<string>;

  constructor(directory: string, options: OpenLogOptions = {}) {
    this.#child = spawn(process.execPath, [PROGRAM, directory, JSON.stringify(options)]);
    this.#child.stderr.pipe(process.stderr);
    this.#answers = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
    onTestFinished(() => this.kill());
  }

  get pid(): number {
    return this.#child.pid!;
  }

  /** Runs a command of the program and returns its answer. */
  async ask(name: string, argument?: unknown): Promise<Answer> {
    this.#child.stdin.write(`${JSON.stringify([name, argument])}\n`);
    const line = await this.#answers.next();
    if (line.done === true) throw new Error("the writer ended");
    return JSON.parse(line.value) as Answer;
  }

  /** As {@link ask}, for a command that must work. */
  async run(name: string, argument?: unknown): Promise<unknown> {
    const { code, message, result } = await this.ask(name, argument);
    if (code !== undefined || message !== undefined) throw new Error(`${name}: ${message}`);
    return result;
  }

  /** Ends it with SIGKILL. */
  async kill(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = once(this.#child, "exit");
    this.#child.kill("SIGKILL");
    await ended;
  }
}
