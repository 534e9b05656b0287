import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { onTestFinished } from "vitest";

/** The built program. */
const PROGRAM = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));

/** `seglog serve` in a process of its own, which a test can kill and start again. */
export class ServingProcess {
  readonly #directory: string;
  readonly #flags: readonly string[];
  #child!: ChildProcess;
  #port = 0;

  private constructor(directory: string, flags: readonly string[]) {
    this.#directory = directory;
    this.#flags = flags;
  }

  static async start(directory: string, flags: readonly string[] = []): Promise<ServingProcess> {
    const server = new ServingProcess(directory, flags);
    onTestFinished(() => {
      server.#child.kill("SIGKILL");
    });
    await server.restart();
    return server;
  }

  /** Where it listens, also after a restart. */
  get port(): number {
    return this.#port;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  /** Starts it anew; it must have ended. */
  async restart(): Promise<void> {
    const listen = ["--listen", `127.0.0.1:${this.#port}`];
    const args = [PROGRAM, "serve", this.#directory, ...listen, ...this.#flags];
    this.#child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "ignore"] });
    const lines = createInterface({ input: this.#child.stdout! });
    const [line] = (await Promise.race([
      once(lines, "line"),
      once(this.#child, "exit").then(([code]) => [`it ended with ${code}`]),
    ])) as [string];
    const port = /^listening on http:.*:(\d+)$/.exec(line)?.[1];
    if (port === undefined) throw new Error(`The server does not listen: ${line}`);
    this.#port = Number(port);
  }

  /** Kills it, as the system does when memory runs out; resolves when it is gone. */
  kill(): Promise<void> {
    return this.#end("SIGKILL");
  }

  /** Asks it to stop; resolves with its exit code. */
  async stop(): Promise<number | null> {
    await this.#end("SIGTERM");
    return this.#child.exitCode;
  }

  /** The most that a file may grow to; without a number, as much as before. */
  limitFiles(bytes: number | "unlimited"): void {
    execFileSync("prlimit", ["--pid", String(this.#child.pid), `--fsize=${bytes}:unlimited`]);
  }

  /** Memory that it has resident. */
  get residentMib(): number {
    return this.#memoryMib("VmRSS");
  }

  /** The most memory that it has had resident since it was started. */
  get mostResidentMib(): number {
    return this.#memoryMib("VmHWM");
  }

  #memoryMib(name: string): number {
    const status = readFileSync(`/proc/${this.#child.pid}/status`, "utf8");
    return Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, "m").exec(status)![1]) / 1024;
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const gone = once(this.#child, "exit");
    this.#child.kill(signal);
    await gone;
  }
}
