import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";

/** How a process ended. */
export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** A program of Node.js that reads lines and writes lines, as Maelstrom starts one for each node. */
export class ProgramProcess {
  readonly child: ChildProcess;
  /** Resolves when the process has ended and all its output is here. */
  readonly exit: Promise<Exit>;
  /** All of standard error so far. */
  log = "";

  /**
   * @param program - Path of the compiled program.
   * @param args - Its command line.
   * @param onLine - Takes each line of its standard output.
   */
  constructor(program: string, args: readonly string[], onLine: (line: string) => void) {
    this.child = spawn(process.execPath, [program, ...args], { stdio: "pipe" });
    this.exit = new Promise((resolve) => {
      this.child.once("close", (code, signal) => resolve({ code, signal }));
    });
    if (!this.child.stdout) throw new Error("the process has no output");
    createInterface({ input: this.child.stdout }).on("line", onLine);
    this.child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.log += text;
    });
    // Writing to a process that was killed is part of the tests.
    this.child.stdin?.on("error", () => {});
  }

  /** Writes to standard input. */
  write(data: string | Uint8Array): void {
    this.child.stdin?.write(data);
  }

  /** Closes standard input and resolves when the process has ended. */
  async end(): Promise<Exit> {
    this.child.stdin?.end();
    return await this.exit;
  }

  /** Kills the process as the machine would and resolves when it is gone. */
  async kill(): Promise<Exit> {
    this.child.kill("SIGKILL");
    return await this.exit;
  }
}
