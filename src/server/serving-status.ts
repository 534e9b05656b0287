import { EventEmitter, once } from "node:events";

/** Whether a server serves: until it stops, or until one of its logs takes no more appends. */
export class ServingStatus {
  readonly #changes = new EventEmitter();
  #isStopping = false;
  #isPoisoned = false;

  constructor() {
    // Everybody who watches listens.
    this.#changes.setMaxListeners(0);
  }

  get isServing(): boolean {
    return !this.#isStopping && !this.#isPoisoned;
  }

  get isStopping(): boolean {
    return this.#isStopping;
  }

  /** A log is poisoned, and stays so until the server is started again. */
  poison(): void {
    this.#isPoisoned = true;
    this.#changes.emit("change");
  }

  stop(): void {
    this.#isStopping = true;
    this.#changes.emit("change");
  }

  /** Resolves when something has changed; rejects when the signal is aborted. */
  async changed(signal: AbortSignal): Promise<void> {
    await once(this.#changes, "change", { signal });
  }
}
