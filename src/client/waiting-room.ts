import type { Outbox } from "./outbox.js";
import type { Delivery } from "./outgoing-batch.js";

/** Something that waits until there is room for it. */
interface Waiting {
  readonly bytes: number;
  readonly admit: () => void;
  readonly refuse: (error: Error) => void;
}

/** Lets into an outbox as much as there is room for, in the order of the calls. */
export class WaitingRoom {
  readonly #outbox: Outbox;
  /** In the order of the calls. */
  readonly #waiting = new Set<Waiting>();

  constructor(outbox: Outbox) {
    this.#outbox = outbox;
    outbox.onRoom = () => this.#admit();
  }

  /** Whether something waits. */
  get isOccupied(): boolean {
    return this.#waiting.size > 0;
  }

  /** Whether so many bytes may come in at once, past nobody who waits. */
  hasRoom(bytes: number): boolean {
    return !this.isOccupied && this.#outbox.hasRoom(bytes);
  }

  /** Resolves when there is room for so many bytes, or nothing comes in any more. */
  room(bytes: number): Promise<void> {
    return new Promise((resolve) => {
      this.#wait({ bytes, admit: resolve, refuse: () => resolve() });
    });
  }

  /** Lets something wait until there is room, or its caller gives up. */
  enter(
    bytes: number,
    delivery: Delivery,
    signal: AbortSignal | undefined,
    take: (sinceMs: number) => void,
  ): void {
    const sinceMs = performance.now();
    const stop = () => {
      this.#waiting.delete(entry);
      delivery.failed(signal!.reason as Error);
    };
    const entry: Waiting = {
      bytes,
      admit: () => {
        signal?.removeEventListener("abort", stop);
        try {
          take(sinceMs);
        } catch (error) {
          delivery.failed(error as Error);
        }
      },
      refuse: (error) => {
        signal?.removeEventListener("abort", stop);
        delivery.failed(error);
      },
    };
    signal?.addEventListener("abort", stop, { once: true });
    this.#wait(entry);
  }

  #wait(entry: Waiting): void {
    this.#waiting.add(entry);
    this.#outbox.sendLingering();
  }

  #admit(): void {
    for (const entry of this.#waiting) {
      const { fatalError } = this.#outbox;
      if (fatalError === undefined && !this.#outbox.hasRoom(entry.bytes)) return;
      this.#waiting.delete(entry);
      if (fatalError === undefined) entry.admit();
      else entry.refuse(fatalError);
      // More of them wait: there is no reason to linger.
      if (this.isOccupied) this.#outbox.sendLingering();
    }
  }
}
