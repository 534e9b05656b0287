import { MaelstromError } from "../runtime/maelstrom-error.js";
import type { Chain } from "./chain.js";
import type { Place } from "./place.js";

/** The most messages of a batch, and about how many characters. */
const MAX_MESSAGES = 1000;
const MAX_CHARACTERS = 1024 * 1024;

/** How often a place is tried for. If nobody knows then what became of it, senders are told so. */
const ATTEMPTS = 2;

/** Before the next attempt: a store that fails at once is not to be asked without a pause. */
const PAUSE_MS = 100;

interface Send {
  readonly message: string;
  readonly resolve: (offset: number) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Appends messages to a chain. Those that come while a batch is on its way make up the next one:
 * the more there are, the fewer requests each of them takes.
 */
export class ChainAppender {
  readonly #chain: Chain;
  readonly #newId: () => string;
  #waiting: Send[] = [];
  #isRunning = false;

  /** @param newId - Makes up the id of a batch: never one that any batch has had. */
  constructor(chain: Chain, newId: () => string) {
    this.#chain = chain;
    this.#newId = newId;
  }

  /** Whether nothing is on its way. */
  get isIdle(): boolean {
    return !this.#isRunning;
  }

  /**
   * Appends a message behind those of earlier calls; resolves with its offset.
   *
   * @throws MaelstromError `timeout` if it may be stored or not; another one if it is not.
   */
  append(message: string): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ message, resolve, reject });
      if (!this.#isRunning) void this.#run();
    });
  }

  async #run(): Promise<void> {
    this.#isRunning = true;
    while (this.#waiting.length > 0) {
      const sends = this.#waiting.splice(0, countOf(this.#waiting));
      try {
        await this.#store(sends);
      } catch (error) {
        for (const { reject } of sends) reject(error);
      }
    }
    this.#isRunning = false;
  }

  async #store(sends: readonly Send[]): Promise<void> {
    const id = this.#newId();
    const messages = sends.map(({ message }) => message);
    for (;;) {
      const place = this.#chain.end;
      if (!(await this.#claim(place, id, messages))) continue;
      for (const [index, { resolve }] of sends.entries()) resolve(place.baseOffset + index);
      return;
    }
  }

  /** Tries for one place only: there, whatever of it is still on its way does no harm. */
  async #claim(place: Place, id: string, messages: readonly string[]): Promise<boolean> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#chain.claim(place, id, messages);
      } catch (error) {
        if (attempt === 1 && error instanceof MaelstromError && error.isDefinite) throw error;
        if (attempt === ATTEMPTS) {
          this.#refuseWaiting(error);
          throw unknown(error);
        }
      }
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
  }

  /** What has not been tried has not happened, and would wait for long. */
  #refuseWaiting(cause: unknown): void {
    const text = "The key-value store does not answer. Nothing was stored; try again later.";
    const error = new MaelstromError("temporarilyUnavailable", text, { cause });
    for (const { reject } of this.#waiting.splice(0)) reject(error);
  }
}

function countOf(waiting: readonly Send[]): number {
  let characters = 0;
  const end = waiting.findIndex(({ message }, index) => {
    characters += message.length;
    return index > 0 && (index === MAX_MESSAGES || characters > MAX_CHARACTERS);
  });
  return end === -1 ? waiting.length : end;
}

function unknown(cause: unknown): MaelstromError {
  const text = "The key-value store does not answer; the message may be stored or not.";
  return new MaelstromError("timeout", text, { cause });
}
