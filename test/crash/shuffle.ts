import type { Random } from "../support/random.js";

/**
 * Carries out what was asked of a file system one by one, in an order of chance: whatever is asked
 * for without waiting may be done in any order, as by the threads of Node's pool.
 */
export class Shuffle {
  readonly #random: Random;
  readonly #waiting: (() => void)[] = [];
  #isRunning = false;

  constructor(random: Random) {
    this.#random = random;
  }

  readonly schedule = <T>(perform: () => T): Promise<T> =>
    new Promise((resolve, reject) => {
      this.#waiting.push(() => {
        try {
          resolve(perform());
        } catch (error) {
          reject(error);
        }
      });
      if (this.#isRunning) return;
      this.#isRunning = true;
      setImmediate(this.#runOne);
    });

  readonly #runOne = () => {
    const [next] = this.#waiting.splice(this.#random.below(this.#waiting.length), 1);
    next?.();
    // What the answer leads to comes first: promises, then the next one.
    if (this.#waiting.length > 0) setImmediate(this.#runOne);
    else this.#isRunning = false;
  };
}
