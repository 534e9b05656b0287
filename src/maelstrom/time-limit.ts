/** A moment from which on something is not waited for any more. */
export class TimeLimit implements Disposable {
  /** Resolves at that moment; never, if this is disposed of before. */
  readonly over: Promise<void>;
  #isOver = false;
  readonly #timer: NodeJS.Timeout;

  /** @param ms - From now. */
  constructor(ms: number) {
    let resolve: () => void;
    this.over = new Promise((settle) => {
      resolve = settle;
    });
    this.#timer = setTimeout(() => {
      this.#isOver = true;
      resolve();
    }, ms);
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
  }
}
