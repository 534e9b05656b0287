/**
 * What all messages have to pass, one after the other, and so many in a second at most: where a
 * machine is slow, that is what Maelstrom is.
 */
export class Lane {
  readonly #intervalMs: number;
  readonly #waiting: { readonly dueAtMs: number; readonly pass: () => void }[] = [];
  #lastDueAtMs = 0;
  #timer: NodeJS.Timeout | undefined;

  /** @param perSecond - Above 0; `Infinity` for no limit. */
  constructor(perSecond: number) {
    this.#intervalMs = 1000 / perSecond;
  }

  /** Calls `pass` when it is its turn; at once, if there is no limit. */
  enter(pass: () => void): void {
    if (this.#intervalMs === 0) {
      pass();
      return;
    }
    const dueAtMs = Math.max(performance.now(), this.#lastDueAtMs) + this.#intervalMs;
    this.#lastDueAtMs = dueAtMs;
    this.#waiting.push({ dueAtMs, pass });
    this.#timer ??= setTimeout(() => this.#goOn(), dueAtMs - performance.now());
  }

  #goOn(): void {
    this.#timer = undefined;
    const isEarly = ({ dueAtMs }: { readonly dueAtMs: number }) => dueAtMs > performance.now();
    const next = this.#waiting.findIndex(isEarly);
    const due = this.#waiting.splice(0, next === -1 ? this.#waiting.length : next);
    for (const { pass } of due) pass();
    const [first] = this.#waiting;
    if (first) this.#timer ??= setTimeout(() => this.#goOn(), first.dueAtMs - performance.now());
  }
}
