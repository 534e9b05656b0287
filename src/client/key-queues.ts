import { randomBytes } from "node:crypto";
import { KeyQueue, type KeyQueueOwner, type ProducerIdentity } from "./key-queue.js";

/** An identity that no other producer has. */
function anonymousIdentity(): ProducerIdentity {
  return { id: randomBytes(8).readBigUInt64LE(), epoch: 0 };
}

/**
 * The queues of the keys that a producer sends to, and of those that it sent to lately: what is kept
 * is bounded, however many keys there are in the course of time.
 *
 * The numbers of a key that was forgotten must not begin anew under the same identity, for then what
 * is sent would be taken for what is stored already. Without a name the keys that come from then on
 * get another identity. With a name there is but one, so the server has to be asked.
 */
export class KeyQueues {
  readonly #owner: KeyQueueOwner;
  readonly #maxIdleKeys: number;
  #identity = anonymousIdentity();
  /** Whether a key that is not here may be one that was sent to under the same identity. */
  #hasForgotten = false;
  readonly #queues = new Map<string, KeyQueue>();
  /** Those that are idle, in the order in which they became so, and some that are used again. */
  readonly #resting = new Set<KeyQueue>();

  /** @param maxIdleKeys - Keys that are remembered while nothing is to be sent to them. */
  constructor(owner: KeyQueueOwner, maxIdleKeys: number) {
    this.#owner = owner;
    this.#maxIdleKeys = maxIdleKeys;
  }

  /** Sets who sends, before anything is taken. */
  identify(identity: ProducerIdentity): void {
    this.#identity = identity;
    for (const queue of this.#queues.values()) queue.identify(identity);
  }

  /** That of a key, if there is one. */
  get(key: string): KeyQueue | undefined {
    return this.#queues.get(key);
  }

  /** Makes that of a key; only if there is none. */
  make(key: string): KeyQueue {
    const queue = new KeyQueue(key, this.#identity, !this.#hasForgotten, this.#owner);
    this.#queues.set(key, queue);
    return queue;
  }

  /**
   * One of them is idle now: forgets the one that has been idle for longest if need be. One that does
   * not know where it stands is forgotten at once, since nobody asks any more.
   */
  rest(queue: KeyQueue): void {
    if (!queue.isPlaced) {
      this.#queues.delete(queue.key);
      return;
    }
    this.#resting.delete(queue);
    this.#resting.add(queue);
    if (this.#resting.size > this.#maxIdleKeys) this.#forgetOldest();
  }

  /** Fails everything, and forgets all. */
  abandon(error: Error): void {
    for (const queue of this.#queues.values()) queue.abandon(error);
    this.#queues.clear();
    this.#resting.clear();
  }

  #forgetOldest(): void {
    const oldest: KeyQueue = this.#resting.values().next().value!;
    this.#resting.delete(oldest);
    // It will come to rest again.
    if (!oldest.isIdle) return;
    this.#queues.delete(oldest.key);
    if (this.#owner.isNamed) this.#hasForgotten = true;
    else this.#identity = anonymousIdentity();
  }
}
