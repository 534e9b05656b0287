import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { atExit } from "./clean-up.js";
import type { Entry, JournalLine } from "./journal.js";
import type { Workload } from "./workload.js";

const PROGRAM = fileURLToPath(new URL("./victim.js", import.meta.url));
/** Much longer than anything should take, also on a busy machine. */
const PATIENCE_MS = 60_000;

/** How a victim is to be run. */
export interface VictimSettings {
  /** A command line that runs the one that follows it, such as that of strace. */
  readonly wrapper?: readonly string[];
  readonly environment?: NodeJS.ProcessEnv;
}

/** A running victim, and its journal on this side of the pipe. */
export class VictimProcess {
  readonly journal: JournalLine[] = [];
  readonly #child: ChildProcess;
  readonly #exit: Promise<void>;
  readonly #forget: () => void;
  #listeners: (() => void)[] = [];
  #isOver = false;
  #isCut = false;
  #errors = "";

  constructor(workload: Workload, { wrapper = [], environment = {} }: VictimSettings = {}) {
    const program = [process.execPath, PROGRAM, JSON.stringify(workload)];
    const [command = "", ...args] = [...wrapper, ...program];
    // A group of its own, so that what the wrapper started goes with it.
    this.#child = spawn(command, args, {
      detached: true,
      env: { ...process.env, ...environment },
    });
    this.#forget = atExit(() => this.#signal());
    this.#child.stdin!.on("error", () => {});
    this.#child.stderr!.setEncoding("utf8").on("data", (text: string) => {
      this.#errors += text;
    });
    this.#readJournal();
    this.#exit = new Promise((resolve, reject) => {
      this.#child.once("error", reject);
      this.#child.once("close", () => {
        this.#isOver = true;
        this.#forget();
        this.#announce();
        resolve();
      });
    });
  }

  get pid(): number {
    return this.#child.pid!;
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** What it wrote to standard error. */
  get errors(): string {
    return this.#errors;
  }

  get exitCode(): number | null {
    return this.#child.exitCode;
  }

  /** From now on what is read counts as submitted only. */
  powerIsCut(): void {
    this.#isCut = true;
  }

  /** Resolves with the first entry that fits, or with `undefined` if the process ends before. */
  async first(fits: (entry: Entry) => boolean): Promise<Entry | undefined> {
    let seen = 0;
    return this.#until(() => {
      for (; seen < this.journal.length; seen++) {
        const { entry } = this.journal[seen]!;
        if (fits(entry)) return entry;
      }
      return undefined;
    });
  }

  /** Resolves when the journal has more entries than `count`, or when the process has ended. */
  async moreThan(count: number): Promise<void> {
    await this.#until(() => (this.journal.length > count ? true : undefined));
  }

  /** Resolves when so many appends are acknowledged, or when the process has ended. */
  async acknowledged(count: number): Promise<void> {
    let found = 0;
    await this.first(({ type }) => {
      if (type === "appended") found++;
      return found >= count;
    });
  }

  /** Asks it to close the store and to end. */
  close(): void {
    this.#child.stdin!.write("close\n");
  }

  /** Ends it as the system would, if it has not ended, and resolves when all its output is here. */
  async kill(): Promise<void> {
    this.#signal();
    await this.ended();
  }

  /** Resolves when it has ended. */
  async ended(): Promise<void> {
    await withPatience(this.#exit, () => this.#describe());
  }

  #signal(): void {
    const { pid, exitCode, signalCode } = this.#child;
    if (pid === undefined || exitCode !== null || signalCode !== null) return;
    try {
      process.kill(-pid, "SIGKILL");
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
    }
  }

  #readJournal(): void {
    let rest = "";
    this.#child.stdout!.setEncoding("utf8").on("data", (text: string) => {
      const lines = (rest + text).split("\n");
      // Of a line that the process did not come to end, nothing was acknowledged.
      rest = lines.pop()!;
      for (const line of lines) {
        this.journal.push({ entry: JSON.parse(line) as Entry, isLate: this.#isCut });
      }
      this.#announce();
    });
  }

  async #until<T>(find: () => T | undefined): Promise<T | undefined> {
    for (;;) {
      const found = find();
      if (found !== undefined || this.#isOver) return found;
      const change = new Promise<void>((resolve) => this.#listeners.push(resolve));
      await withPatience(change, () => this.#describe());
    }
  }

  #announce(): void {
    for (const listener of this.#listeners.splice(0)) listener();
  }

  #describe(): string {
    const last = JSON.stringify(this.journal.at(-1)?.entry);
    return `process ${this.#child.pid}, last entry ${last}, errors ${this.#errors}`;
  }
}

async function withPatience<T>(work: Promise<T>, describe: () => string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const tooLong = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(new Error(`the victim stands still since ${PATIENCE_MS} ms: ${describe()}`));
    }, PATIENCE_MS);
  });
  return await Promise.race([work, tooLong]).finally(() => clearTimeout(timer));
}
