import { type ChildProcess, fork, type Serializable } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** A program beside this file that uses seglog in a process of its own. */
export class LibraryProgram {
  readonly #child: ChildProcess;

  /** Starts it; seglog's path is its first argument. */
  constructor(name: string, ...args: readonly (string | number)[]) {
    const path = join(process.cwd(), "test", "bench", name);
    this.#child = fork(path, [libraryPath(), ...args.map(String)], { serialization: "advanced" });
  }

  tell(message: Serializable): void {
    this.#child.send(message);
  }

  /** Tells it to end, and waits until it has. */
  async end(): Promise<void> {
    const gone = once(this.#child, "close");
    this.tell("end");
    await gone;
  }

  /**
   * The next thing that it tells. Ask before it can tell it.
   *
   * @throws Error if it ends instead.
   */
  next(): Promise<unknown> {
    const child = this.#child;
    return new Promise((resolve, reject) => {
      const ended = (code: number | null, signal: string | null) =>
        reject(new Error(`${child.spawnargs[1]} ended with ${signal ?? code}`));
      // Not "exit", which may come before the last message.
      child.once("close", ended);
      child.once("message", (message) => {
        child.off("close", ended);
        resolve(message);
      });
    });
  }
}

/** What was compiled for this run; under Vitest, which runs the sources, what it has built. */
function libraryPath(): string {
  const compiled = fileURLToPath(new URL("../../src/index.js", import.meta.url));
  return existsSync(compiled) ? compiled : join(process.cwd(), "dist", "index.js");
}
