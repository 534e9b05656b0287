import { SeglogError } from "../../errors.js";

/** A clock that never goes back: while the real one is behind, it stands still and says so once. */
export class LogClock {
  readonly #now: () => number;
  readonly #directory: string;
  readonly #maxStepMs: number;
  readonly #onStep: (error: SeglogError) => void;
  #latest: number;
  #isReported = false;

  /**
   * @param latest - What it gave last in an earlier session, in milliseconds since 1970.
   * @param maxStepMs - A step back by more than this is reported.
   */
  constructor(
    now: () => number,
    latest: number,
    directory: string,
    maxStepMs: number,
    onStep: (error: SeglogError) => void,
  ) {
    this.#now = now;
    this.#latest = latest;
    this.#directory = directory;
    this.#maxStepMs = maxStepMs;
    this.#onStep = onStep;
  }

  /** The latest timestamp that it gave. */
  get latest(): number {
    return this.#latest;
  }

  /** The time, in milliseconds since 1970. */
  timestamp(): number {
    const now = this.#now();
    const behindMs = this.#latest - now;
    if (behindMs <= 0) {
      this.#latest = now;
      this.#isReported = false;
    } else if (behindMs > this.#maxStepMs && !this.#isReported) {
      this.#isReported = true;
      this.#onStep(
        new SeglogError(
          "CLOCK_STEPPED_BACK",
          `${this.#directory}: the clock is ${behindMs} ms behind the last record. Records get ` +
            "its timestamp until the clock has caught up.",
        ),
      );
    }
    return this.#latest;
  }
}
