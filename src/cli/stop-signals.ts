import { constants } from "node:os";

const STOP_SIGNALS = ["SIGINT", "SIGTERM"] as const;

/**
 * Turns the first SIGINT or SIGTERM, from its making on, into an {@link AbortSignal}, for a command
 * that has something to bring to an end. The next one ends the process, as it does by default.
 */
export class StopSignals {
  readonly #controller = new AbortController();
  #exitCode: number | undefined;
  readonly #stop = (name: NodeJS.Signals) => {
    this.forget();
    this.#exitCode = 128 + constants.signals[name];
    this.#controller.abort();
  };

  constructor() {
    for (const name of STOP_SIGNALS) process.on(name, this.#stop);
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** That of a program which a signal has ended, 130 or 143; `undefined` before there was one. */
  get exitCode(): number | undefined {
    return this.#exitCode;
  }

  /** Leaves the signals to what they do by default. */
  forget(): void {
    for (const name of STOP_SIGNALS) process.removeListener(name, this.#stop);
  }
}
