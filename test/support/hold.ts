/** A gate at which something waits: a test learns that it is there, looks around, and opens. */
export class Hold<T> {
  #announce!: (who: T) => void;
  #open!: () => void;
  /** Resolves when somebody waits at the gate. */
  readonly reached: Promise<T> = new Promise((resolve) => {
    this.#announce = resolve;
  });
  readonly #opened: Promise<void> = new Promise((resolve) => {
    this.#open = resolve;
  });

  /** Opens the gate, for good. */
  release(): void {
    this.#open();
  }

  /** Waits at the gate. */
  reach(who: T): Promise<void> {
    this.#announce(who);
    return this.#opened;
  }
}
