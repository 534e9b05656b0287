import type { KeyQueue } from "./key-queue.js";

/** Above this, what was served is cut off when it is more than half of the line. */
const MOST_SERVED = 1000;

/** Queues that may have something to send, in the order in which they are served. */
export class ServingLine {
  #line: KeyQueue[] = [];
  /** Those before it were served. */
  #start = 0;

  /** Whether there is one. */
  get isEmpty(): boolean {
    return this.#start === this.#line.length;
  }

  /** Puts a queue at the end, unless it stands somewhere in the line. */
  add(queue: KeyQueue): void {
    if (queue.isInLine) return;
    queue.isInLine = true;
    if (this.isEmpty) {
      this.#line.length = 0;
      this.#start = 0;
    } else if (this.#start > this.#line.length / 2 && this.#start > MOST_SERVED) {
      this.#line = this.#line.slice(this.#start);
      this.#start = 0;
    }
    this.#line.push(queue);
  }

  /** Takes the first one out; only if there is one. */
  next(): KeyQueue {
    const queue = this.#line[this.#start++]!;
    queue.isInLine = false;
    return queue;
  }
}
