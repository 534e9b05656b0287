import { SeglogError } from "../../errors.js";

/**
 * What the failures of a log mean for it: most of them poison it for good, for nobody knows what
 * the disk holds then.
 */
export class LogFailures {
  readonly #directory: string;
  readonly #onPoisoned: (poison: SeglogError) => void;
  #poison: SeglogError | undefined;

  /** @param onPoisoned - Told each time that something poisons the log, be it poisoned or not. */
  constructor(directory: string, onPoisoned: (poison: SeglogError) => void) {
    this.#directory = directory;
    this.#onPoisoned = onPoisoned;
  }

  /** Why the log takes nothing any more, if it does not. */
  get poison(): SeglogError | undefined {
    return this.#poison;
  }

  /** @throws SeglogError `LOG_POISONED`. */
  assertSound(): void {
    if (this.#poison !== undefined) throw this.#poison;
  }

  /** What a failure means for the log: a retryable one is passed on, any other poisons it. */
  judge(error: unknown): SeglogError {
    if (this.#poison !== undefined) return this.#poison;
    return isRetryable(error) ? error : this.poisonWith(error);
  }

  /** The log takes nothing any more. */
  poisonWith(cause: unknown): SeglogError {
    this.#poison ??= new SeglogError(
      "LOG_POISONED",
      `${this.#directory} takes no more appends: ${(cause as Error).message} ` +
        "What was acknowledged is safe as the durability policy says; whether appends that were " +
        "waiting are stored is not known. Close the log and open it again.",
      { cause },
    );
    this.#onPoisoned(this.#poison);
    return this.#poison;
  }

  /** Runs a change of bounds; a failure that may have left it half done poisons the log. */
  async change(run: () => Promise<void>): Promise<void> {
    this.assertSound();
    try {
      await run();
    } catch (error) {
      throw this.judge(error);
    }
  }
}

/** Failures that leave nothing half done and may pass: no space, no handles, no access. */
export function isRetryable(error: unknown): error is SeglogError {
  return (
    error instanceof SeglogError &&
    (error.code === "NO_SPACE" ||
      error.code === "TOO_MANY_OPEN_FILES" ||
      error.code === "FILE_ACCESS" ||
      error.code === "OFFSET_OUT_OF_RANGE")
  );
}
