import { Presets, SingleBar } from "cli-progress";
import type { Streams } from "./context.js";
import { formatBytes } from "./display.js";

/**
 * A progress bar on standard error, if that is a terminal; else nothing. It never mixes with the
 * output, which goes to standard output when the bar is gone.
 */
export class Progress {
  readonly #bar: SingleBar | undefined;
  readonly #total: number;
  #done = 0;

  /**
   * @param stream - Where to draw it.
   * @param total - Bytes that there are to read, more or less.
   */
  constructor(stream: Streams["stderr"], total: number) {
    this.#total = Math.max(total, 1);
    if (stream.isTTY !== true) return;
    const options = {
      stream: stream as NodeJS.WriteStream,
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
