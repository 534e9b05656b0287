import { backoffMs } from "./backoff.js";
import { isTransient } from "./failures.js";
import type { KeyQueue } from "./key-queue.js";

/** Questions that are under way at a time. */
const MAX_ASKING = 16;

/** Who asks, and what becomes of the answers. */
export interface KeyPlacesOwner {
  /** Asks the server for the number of what comes next in a key. */
  find(key: string): Promise<number>;
  placed(queue: KeyQueue, nextSequence: number): void;
  /** It will not be found out. */
  refused(queue: KeyQueue, error: Error): void;
  /** Asked in vain; it goes on. */
  note(failure: Error): void;
}

/** Finds out where queues stand that do not know it, for as long as something waits in them. */
export class KeyPlaces {
  readonly #owner: KeyPlacesOwner;
  readonly #waiting = new Set<KeyQueue>();
  #asking = 0;

  constructor(owner: KeyPlacesOwner) {
    this.#owner = owner;
  }

  /** Takes a queue on into which something is about to come. */
  ask(queue: KeyQueue): void {
    this.#waiting.add(queue);
    if (this.#asking === MAX_ASKING) return;
    this.#asking++;
    queueMicrotask(() => void this.#askAll());
  }

  async #askAll(): Promise<void> {
    for (const queue of this.#waiting) {
      this.#waiting.delete(queue);
      await this.#find(queue);
    }
    this.#asking--;
  }

  async #find(queue: KeyQueue): Promise<void> {
    for (let failures = 1; !queue.isIdle; failures++) {
      try {
        this.#owner.placed(queue, await this.#owner.find(queue.key));
        return;
      } catch (error) {
        if (!isTransient(error)) {
          this.#owner.refused(queue, error as Error);
          return;
        }
        this.#owner.note(error as Error);
      }
      await new Promise((resolve) => setTimeout(resolve, backoffMs(failures)));
    }
  }
}
