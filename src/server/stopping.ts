import { setMaxListeners } from "node:events";
import { SeglogError } from "../errors.js";

/** What streams are told that end because the server does. */
export function stoppingError(): SeglogError {
  return new SeglogError("UNAVAILABLE", "The server is stopping. Ask again later.");
}

/**
 * The life of a stream: it ends when its caller goes, when the server stops, and by `end`, after
 * which nothing is kept of it.
 */
export class StreamLife {
  readonly #controller = new AbortController();
  readonly #leave: () => void;

  constructor(caller: AbortSignal, stopping: AbortSignal) {
    // Everything that the stream waits for listens.
    setMaxListeners(0, this.signal);
    const onGone = () => this.#controller.abort(caller.reason);
    const onStop = () => this.#controller.abort(stoppingError());
    caller.addEventListener("abort", onGone);
    stopping.addEventListener("abort", onStop);
    this.#leave = () => {
      caller.removeEventListener("abort", onGone);
      stopping.removeEventListener("abort", onStop);
    };
    if (caller.aborted) onGone();
    else if (stopping.aborted) onStop();
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Wakes all that still waits for something in its name. */
  end(): void {
    this.#leave();
    this.#controller.abort();
  }
}
