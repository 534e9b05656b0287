/** How far the appends of a key have come in this life. */
export class KeyProgress {
  /** One past the last acknowledged offset. */
  end = 0;
  readonly #closing: AbortSignal;
  #appends = 0;
  #isDead = false;
  #wake: (() => void)[] = [];

  constructor(closing: AbortSignal) {
    this.#closing = closing;
    closing.addEventListener("abort", () => this.#announce());
  }

  /** Whether the log takes no more appends. */
  get isDead(): boolean {
    return this.#isDead;
  }

  /** Whether nothing more will come. */
  get isOver(): boolean {
    return this.#isDead || this.#closing.aborted;
  }

  reached(end: number): void {
    this.end = Math.max(this.end, end);
    this.#appends++;
    this.#announce();
  }

  /** The log ends here now. */
  cut(end: number): void {
    this.end = end;
  }

  die(): void {
    this.#isDead = true;
    this.#announce();
  }

  /** Waits for `count` more appends; `false` if the life is over before that. */
  async more(count: number): Promise<boolean> {
    const until = this.#appends + count;
    while (this.#appends < until && !this.isOver) {
      await new Promise<void>((resolve) => this.#wake.push(resolve));
    }
    return !this.isOver;
  }

  #announce(): void {
    for (const wake of this.#wake.splice(0)) wake();
  }
}
