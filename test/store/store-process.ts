import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { onTestFinished } from "vitest";
import type { StoreOptions } from "../../src/store/log-store.js";

const DIST = new URL("../../dist/index.js", import.meta.url).href;

/** Runs in the child: opens the store, then one command a line, each answered by a line. */
const PROGRAM = `
  import { createInterface } from "node:readline";
  const { LogStore } = await import(${JSON.stringify(DIST)});
  const [directory, options] = JSON.parse(process.argv[1]);
  const store = await LogStore.open(directory, options);
  console.log(JSON.stringify("open"));
  for await (const line of createInterface({ input: process.stdin })) {
    const [command, ...args] = JSON.parse(line);
    const run = {
      append: (key, value) => store.append(key, value),
      commit: (group, offsets) => store.group(group).commit(offsets),
      deleteKey: (key) => store.deleteKey(key),
      truncateTo: async (key, offset) => (await store.log(key)).truncateTo(offset),
      close: () => store.close(),
    }[command];
    const answer = await run(...args).then((value) => value ?? null, (error) => error.code);
    console.log(JSON.stringify(answer));
  }
`;

/** A store that another process has open for writing. */
export class StoreProcess {
  readonly #child: ChildProcess;
  readonly #answers: AsyncIterator<string>;

  private constructor(child: ChildProcess) {
    this.#child = child;
    // Commands that were on their way to a process that is killed are lost with it.
    child.stdin!.on("error", (error) => {
      if (!child.killed) throw error;
    });
    this.#answers = createInterface({ input: child.stdout! })[Symbol.asyncIterator]();
  }

  static async open(directory: string, options: StoreOptions = {}): Promise<StoreProcess> {
    const child = spawn(
      process.execPath,
      ["--input-type=module", "-e", PROGRAM, JSON.stringify([directory, options])],
      { stdio: ["pipe", "pipe", "inherit"] },
    );
    onTestFinished(() => {
      child.kill("SIGKILL");
    });
    const process_ = new StoreProcess(child);
    await process_.#answer();
    return process_;
  }

  /** Sends a command without waiting for what it comes to. */
  send(command: string, ...args: unknown[]): void {
    this.#child.stdin!.write(`${JSON.stringify([command, ...args])}\n`);
  }

  /** Runs a command and gives its result, or the code of its failure. */
  run(command: string, ...args: unknown[]): Promise<unknown> {
    this.send(command, ...args);
    return this.#answer();
  }

  /** The next answer; `undefined` once the process has ended. */
  async #answer(): Promise<unknown> {
    const { value, done } = await this.#answers.next();
    return done === true ? undefined : JSON.parse(value);
  }

  /** Ends it with SIGKILL; resolves when it is gone, with the answers that it had given. */
  async kill(): Promise<unknown[]> {
    const ended = once(this.#child, "exit");
    this.#child.kill("SIGKILL");
    await ended;
    const answers: unknown[] = [];
    for (let each = await this.#answer(); each !== undefined; each = await this.#answer()) {
      answers.push(each);
    }
    return answers;
  }
}
