import { ResponseRoom, type RoomSource, type StalledResponse } from "./response-room.js";
import { type Reader, type Standing, type Waiter, WaitingReaders } from "./waiting-readers.js";

/** How many responses are read from the store at a time while nobody knows how long they are. */
const MAX_UNKNOWN = 64;

/** How much responses may hold, and for how long nothing of one may be taken. */
export interface ResponseBudgetOptions {
  readonly maxBytes: number;
  /** For how long, while others wait for room. */
  readonly roomMs: number;
  /** For how long at all. */
  readonly stallMs: number;
}

/**
 * Bytes that responses hold, over all connections: taken before a response is read from the store,
 * and given back when the network has taken it.
 *
 * A caller that takes nothing would keep its bytes, so while others wait, the response of which
 * nothing was taken for longest is ended, if that is at least `roomMs`. Readers that have not shown
 * yet that they take what they ask for, and those that have shown the contrary, share half of the
 * budget. So however many they are, the rest goes round among the others.
 *
 * Whatever the budget is, one response may go when there is no other.
 */
export class ResponseBudget implements RoomSource {
  readonly #options: ResponseBudgetOptions;
  readonly #readers = new WeakMap<object, Reader>();
  readonly #waiting = new WaitingReaders();
  /** Those of which something is on its way to the network, longest without progress first. */
  readonly #sending = new Set<ResponseRoom>();
  #takenBytes = 0;
  /** By readers whose standing is not good. */
  #doubtfulBytes = 0;
  #timer: NodeJS.Timeout | undefined;
  #timerDue = Number.POSITIVE_INFINITY;

  constructor(options: ResponseBudgetOptions) {
    this.#options = options;
  }

  /** How many bytes are taken now. */
  get taken(): number {
    return this.#takenBytes;
  }

  /** What to take at least for a response of unknown length; see {@link MAX_UNKNOWN}. */
  get leastUnknown(): number {
    return Math.ceil(this.#options.maxBytes / MAX_UNKNOWN);
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
      reader = { standing: "new", takenBytes: 0, waiting: new Set() };
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
    this.#doubtfulBytes -= doubtfulBytesOf(reader);
    reader.takenBytes += bytes;
    this.#takenBytes += bytes;
    this.#doubtfulBytes += doubtfulBytesOf(reader);
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
    // Any other that is looked at sooner tells when to look next.
    const isSooner = !this.#waiting.isEmpty && this.#timerDue > room.movedAt + this.#options.roomMs;
    if (isSooner || this.#timerDue === Number.POSITIVE_INFINITY) this.#watch();
  }

  /** More of a response was given to the network, which has not taken yet what was before. */
  grown(): void {
    if (!this.#waiting.isEmpty) this.#watch();
  }

  /** Nothing of a response is on its way any more. */
  settled(room: ResponseRoom): void {
    this.#sending.delete(room);
  }

  /** Notes how a reader has taken its last response. */
  judge(reader: Reader, standing: Standing): void {
    if (reader.standing === standing) return;
    this.#doubtfulBytes -= doubtfulBytesOf(reader);
    this.#waiting.move(reader, standing);
    this.#doubtfulBytes += doubtfulBytesOf(reader);
    this.#admit();
  }

  #isFree(bytes: number): boolean {
    return this.#takenBytes === 0 || this.#takenBytes + bytes <= this.#options.maxBytes;
  }

  #isItsPartFree({ standing }: Reader, bytes: number): boolean {
    if (standing === "good" || this.#doubtfulBytes === 0) return true;
    return this.#doubtfulBytes + bytes <= this.#options.maxBytes / 2;
  }

  /** Lets in who waits, as far as there is room. */
  #admit(): void {
    while (this.#admitOne());
    this.#watch();
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

  /**
   * Whether ending this response helps someone who waits. Those that hold little are spared: their
   * end makes hardly any room, and there may be very many of them, also of calls that wait.
   */
  #isInTheWay({ reader, sentBytes }: ResponseRoom): boolean {
    if (2 * sentBytes * this.#sending.size < this.#takenBytes) return false;
    for (const [waiting, { bytes }] of this.#waiting.firsts()) {
      if (this.#isItsPartFree(waiting, bytes) || reader.standing !== "good") return true;
    }
    return false;
  }

  /** Looks again when the next response may have to be ended. */
  #watch(): void {
    const due = this.#nextDue();
    if (due >= this.#timerDue) return;
    clearTimeout(this.#timer);
    this.#timerDue = due;
    this.#timer = setTimeout(() => this.#endStalled(), Math.max(0, due - performance.now()));
    this.#timer.unref();
  }

  #nextDue(): number {
    const [first] = this.#sending;
    if (first === undefined) return Number.POSITIVE_INFINITY;
    const { roomMs, stallMs } = this.#options;
    const due = first.movedAt + stallMs;
    if (this.#waiting.isEmpty) return due;
    for (const room of this.#sending) {
      if (this.#isInTheWay(room)) return Math.min(due, room.movedAt + roomMs);
    }
    return due;
  }

  #endStalled(): void {
    this.#timerDue = Number.POSITIVE_INFINITY;
    const { roomMs, stallMs } = this.#options;
    const now = performance.now();
    for (const room of this.#sending) {
      const idleMs = now - room.movedAt;
      if (idleMs >= stallMs) room.end("stalled", idleMs);
      else if (this.#waiting.isEmpty || idleMs < roomMs) break;
      else if (this.#isInTheWay(room)) room.end("room", idleMs);
    }
    this.#watch();
  }
}

function doubtfulBytesOf({ standing, takenBytes }: Reader): number {
  return standing === "good" ? 0 : takenBytes;
}
