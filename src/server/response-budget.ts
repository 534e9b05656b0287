import { ResponseRoom, type RoomSource, type StalledResponse } from "./response-room.js";
import { type Reader, type Waiter, WaitingReaders } from "./waiting-readers.js";

/** How many responses are read from the store at a time while nobody knows how long they are. */
const MAX_UNKNOWN = 64;
/** A network that has lost a packet may be silent for so long, whoever reads at its end. */
const LEAST_IDLE_MS = 250;
/** How often what is on its way is looked at, in the time after which a response may be ended. */
const LOOKS = 5;

/** How much responses may hold, and for how long nothing of one may be taken. */
export interface ResponseBudgetOptions {
  readonly maxBytes: number;
  /** For how long, while others wait for room; less than 250 is taken as 250. */
  readonly roomMs: number;
  /** For how long at all. */
  readonly stallMs: number;
}

/**
 * Bytes that responses hold, over all connections: taken before a response is read from the store,
 * and given back when the network has taken it.
 *
 * A caller that takes nothing would keep its bytes, so while others wait, responses of which nothing
 * was taken for `roomMs` are ended. That alone would leave a reader among very many stalled ones a
 * small share. So readers that have not shown that they take what they ask for have at most half of
 * the budget together; the others share what is left, however many stall.
 *
 * Whatever the budget is, one response may go when there is no other.
 */
export class ResponseBudget implements RoomSource {
  readonly #maxBytes: number;
  readonly #idleMs: number;
  readonly #stallMs: number;
  readonly #lookMs: number;
  readonly #readers = new WeakMap<object, Reader>();
  readonly #waiting = new WaitingReaders();
  /** Those of which something is on its way to the network, longest without progress first. */
  readonly #sending = new Set<ResponseRoom>();
  #takenBytes = 0;
  /** By readers that are not proven. */
  #unprovenBytes = 0;
  /** So many looks were taken, each after `#lookMs`. */
  #looks = 0;
  /** Runs while anything is on its way. */
  #timer: NodeJS.Timeout | undefined;

  constructor({ maxBytes, roomMs, stallMs }: ResponseBudgetOptions) {
    this.#maxBytes = maxBytes;
    this.#idleMs = Math.max(LEAST_IDLE_MS, roomMs);
    this.#stallMs = stallMs;
    this.#lookMs = Math.ceil(Math.min(this.#idleMs, stallMs) / LOOKS);
  }

  /** How many bytes are taken now. */
  get taken(): number {
    return this.#takenBytes;
  }

  /**
   * A clock that stands still while the server is too busy to look at its responses: callers are not
   * to blame for that.
   */
  get nowMs(): number {
    return this.#looks * this.#lookMs;
  }

  /** What to take at least for a response of unknown length; see {@link MAX_UNKNOWN}. */
  get leastUnknown(): number {
    return Math.ceil(this.#maxBytes / MAX_UNKNOWN);
  }

  /**
   * Room for the response of a call.
   *
   * @param connection - Over which it goes; all calls with the same one have one reader.
   * @param onStalled - Breaks the call off, of which nothing is counted any more.
   */
  open(connection: object, onStalled: (response: StalledResponse) => void): ResponseRoom {
    let reader = this.#readers.get(connection);
    if (reader === undefined) {
      reader = { isProven: false, takenBytes: 0, waiting: new Set() };
      this.#readers.set(connection, reader);
    }
    return new ResponseRoom(this, reader, onStalled);
  }

  /** Takes so many bytes when it is the reader's turn; rejects with the signal's reason. */
  async take(reader: Reader, bytes: number, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (this.#waiting.isEmpty && this.tryTake(reader, bytes)) return;
    await new Promise<void>((resolve, reject) => {
      const leave = () => {
        this.#waiting.delete(reader, waiter);
        reject(signal.reason);
        // Those behind may have been waiting for this one alone.
        this.#admit();
      };
      const admit = () => {
        signal.removeEventListener("abort", leave);
        resolve();
      };
      const waiter: Waiter = { bytes, admit };
      signal.addEventListener("abort", leave, { once: true });
      this.#waiting.add(reader, waiter);
      this.#admit();
    });
  }

  /** Takes so many bytes if there is room for them, whoever waits. */
  tryTake(reader: Reader, bytes: number): boolean {
    if (!this.#isItsPartFree(reader, bytes) || !this.#isFree(bytes)) return false;
    this.force(reader, bytes);
    return true;
  }

  /** Takes so many bytes, room or not: they are in memory already. */
  force(reader: Reader, bytes: number): void {
    reader.takenBytes += bytes;
    this.#takenBytes += bytes;
    if (!reader.isProven) this.#unprovenBytes += bytes;
  }

  giveBack(reader: Reader, bytes: number): void {
    if (bytes === 0) return;
    this.force(reader, -bytes);
    this.#admit();
  }

  /** Something of a response was given to the network, or the network has taken something of it. */
  moved(room: ResponseRoom): void {
    this.#sending.delete(room);
    this.#sending.add(room);
    this.#timer ??= setInterval(() => this.#look(), this.#lookMs).unref();
  }

  /** Nothing of a response is on its way any more. */
  settled(room: ResponseRoom): void {
    this.#sending.delete(room);
  }

  /** Notes whether a reader has taken its last response. */
  judge(reader: Reader, isProven: boolean): void {
    if (reader.isProven === isProven) return;
    this.#unprovenBytes += isProven ? -reader.takenBytes : reader.takenBytes;
    this.#waiting.judge(reader, isProven);
    this.#admit();
  }

  #isFree(bytes: number): boolean {
    return this.#takenBytes === 0 || this.#takenBytes + bytes <= this.#maxBytes;
  }

  #isItsPartFree({ isProven }: Reader, bytes: number): boolean {
    if (isProven || this.#unprovenBytes === 0) return true;
    return this.#unprovenBytes + bytes <= this.#maxBytes / 2;
  }

  /** Lets in who waits, as far as there is room. */
  #admit(): void {
    while (this.#admitOne());
  }

  #admitOne(): boolean {
    for (const [reader, waiter] of this.#waiting.firsts()) {
      if (!this.#isItsPartFree(reader, waiter.bytes)) continue;
      // Who comes behind does not overtake, or large responses would wait forever.
      if (!this.#isFree(waiter.bytes)) return false;
      this.#waiting.serve(reader, waiter);
      this.force(reader, waiter.bytes);
      waiter.admit();
      return true;
    }
    return false;
  }

  #look(): void {
    this.#looks++;
    for (const room of this.#sending) {
      // At least, as it may have moved right before a look.
      const idleMs = this.nowMs - room.movedAtMs - this.#lookMs;
      if (idleMs < Math.min(this.#idleMs, this.#stallMs)) break;
      if (idleMs >= this.#stallMs) room.end("stalled", idleMs);
      else if (this.#isInTheWay(room)) room.end("room", idleMs);
    }
    if (this.#sending.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  /**
   * Whether ending this response helps someone who waits. Those that hold little are spared: their
   * end makes hardly any room, and there may be very many of them, also of calls that wait.
   */
  #isInTheWay({ reader, sentBytes }: ResponseRoom): boolean {
    if (2 * sentBytes * this.#sending.size < this.#takenBytes) return false;
    for (const [waiting, { bytes }] of this.#waiting.firsts()) {
      // Who waits for the half of the unproven is not helped by the end of another's response.
      if (!reader.isProven || this.#isItsPartFree(waiting, bytes)) return true;
    }
    return false;
  }
}
