import { SeglogError } from "../errors.js";

interface Waiter {
  readonly bytes: number;
  readonly admit: () => void;
}

/**
 * Bytes that are taken before something is begun, and given back when it is done. Who comes first
 * gets room first, so that a large request is not starved by small ones.
 */
export class ByteBudget {
  readonly #maxBytes: number;
  readonly #roomMs: number;
  readonly #waiting = new Set<Waiter>();
  #taken = 0;

  /** @param roomMs - How long a request waits for room before it is refused. */
  constructor(maxBytes: number, roomMs: number) {
    this.#maxBytes = maxBytes;
    this.#roomMs = roomMs;
  }

  /** How many bytes are taken now. */
  get taken(): number {
    return this.#taken;
  }

  /** Takes so many bytes if there is room for them and nobody waits. */
  tryTake(bytes: number): boolean {
    if (this.#waiting.size > 0 || this.#taken + bytes > this.#maxBytes) return false;
    this.#taken += bytes;
    return true;
  }

  /**
   * Takes so many bytes, waiting briefly until there is room.
   *
   * @returns What gives them back; calling it again does nothing.
   * @throws SeglogError `LIMIT_EXCEEDED`; the signal's reason.
   */
  async take(bytes: number, signal?: AbortSignal): Promise<() => void> {
    signal?.throwIfAborted();
    if (!this.tryTake(bytes)) {
      if (bytes > this.#maxBytes) throw this.#exceeded();
      await this.#wait(bytes, signal);
    }
    let isTaken = true;
    return () => {
      if (isTaken) this.giveBack(bytes);
      isTaken = false;
    };
  }

  /** Gives back what {@link tryTake} took. */
  giveBack(bytes: number): void {
    this.#taken -= bytes;
    this.#admit();
  }

  #wait(bytes: number, signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const leave = () => {
        clearTimeout(timer);
        signal?.removeEventListener("abort", onAbort);
        this.#waiting.delete(waiter);
      };
      const giveUp = (reason: unknown) => {
        leave();
        // Those behind may have been waiting for this one alone.
        this.#admit();
        reject(reason);
      };
      const onAbort = () => giveUp(signal?.reason);
      const admit = () => {
        leave();
        resolve();
      };
      const waiter = { bytes, admit };
      const timer = setTimeout(() => giveUp(this.#exceeded()), this.#roomMs);
      signal?.addEventListener("abort", onAbort, { once: true });
      this.#waiting.add(waiter);
    });
  }

  #admit(): void {
    for (const waiter of this.#waiting) {
      if (this.#taken + waiter.bytes > this.#maxBytes) return;
      this.#taken += waiter.bytes;
      waiter.admit();
    }
  }

  #exceeded(): SeglogError {
    return new SeglogError(
      "LIMIT_EXCEEDED",
      `The server has ${this.#maxBytes} bytes of requests on their way (maxBytesInFlight), and ` +
        "none of them ended soon. Nothing was done. Try again later, or raise the limit.",
    );
  }
}
