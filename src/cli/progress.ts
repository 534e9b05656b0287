import { Presets, SingleBar } from "cli-progress";
import { formatBytes } from "./display.js";

/**
 * A progress bar on standard error, if that is a terminal; else nothing. It never mixes with the
 * output, which goes to standard output when the bar is gone.
 */
export class Progress {
  readonly #bar: SingleBar | undefined;
  readonly #total: number;
  #done = 0;

  /** @param total - Bytes that there are to read, more or less. */
  constructor(total: number) {
    this.#total = Math.max(total, 1);
    if (!process.stderr.isTTY) return;
    const options = {
      stream: process.stderr,
      format: "{bar} {percentage}% | {read} of {all} | {eta_formatted} left",
      clearOnComplete: true,
      hideCursor: true,
      // It would swallow the first Ctrl-C; see below.
      gracefulExit: false,
    };
    this.#bar = new SingleBar(options, Presets.shades_classic);
    this.#bar.start(this.#total, 0, { read: "0 B", all: formatBytes(total) });
    process.once("SIGINT", this.#onInterrupt);
  }

  /** Gives the terminal its cursor back, then ends as without a bar. */
  readonly #onInterrupt = (): void => {
    this.stop();
    process.kill(process.pid, "SIGINT");
  };

  /** Whether anybody sees it: else the total need not be found out. */
  static get isShown(): boolean {
    return process.stderr.isTTY === true;
  }

  /** Bound, to be handed on as a callback. */
  readonly add = (bytes: number): void => {
    this.#done = Math.min(this.#done + bytes, this.#total);
    this.#bar?.update(this.#done, { read: formatBytes(this.#done) });
  };

  stop(): void {
    process.removeListener("SIGINT", this.#onInterrupt);
    this.#bar?.stop();
  }
}
