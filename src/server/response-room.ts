import { createContextKey } from "@connectrpc/connect";
import { SeglogError } from "../errors.js";
import type { Reader } from "./waiting-readers.js";

/** Where room comes from: the budget of all responses. */
export interface RoomSource {
  readonly nowMs: number;
  readonly leastUnknown: number;
  take(reader: Reader, bytes: number, signal: AbortSignal): Promise<void>;
  tryTake(reader: Reader, bytes: number): boolean;
  force(reader: Reader, bytes: number): void;
  giveBack(reader: Reader, bytes: number): void;
  moved(room: ResponseRoom): void;
  settled(room: ResponseRoom): void;
  judge(reader: Reader, isProven: boolean): void;
}

/** Why a response was ended: others waited for its room, or nothing was taken of it for too long. */
export type StallReason = "room" | "stalled";

/** A response that was ended because its caller took nothing of it. */
export interface StalledResponse {
  readonly reason: StallReason;
  /** What it held. */
  readonly bytes: number;
  /** For how long nothing of it was taken. */
  readonly idleMs: number;
}

/**
 * What a service takes before it makes a response. What it has taken then goes over to the message
 * that it gives next, and is given back when the network has taken that.
 */
export interface CallRoom {
  /** Why the response was ended before its caller had all of it. */
  readonly failure: SeglogError | undefined;
  /** The least to take for what is read from the store while nobody knows how long it is. */
  readonly leastUnknown: number;
  /**
   * Takes so many bytes, waiting until there is room.
   *
   * @throws The signal's reason.
   */
  take(bytes: number, signal: AbortSignal): Promise<void>;
  /**
   * Corrects what is taken to what is needed. Where that is more and there is no room for it,
   * everything is given back.
   *
   * @returns Whether so much is taken now.
   */
  settle(bytes: number): boolean;
  /**
   * Tells when the network has taken what is held, at once if that is nothing, or when the call has
   * ended, see {@link failure}.
   */
  whenTaken(then: () => void): void;
}

/** Where nothing is counted. */
const BOUNDLESS: CallRoom = {
  failure: undefined,
  leastUnknown: 0,
  take: () => Promise.resolve(),
  settle: () => true,
  whenTaken: (then) => then(),
};

/** Under which a call's context has its {@link CallRoom}. */
export const RESPONSE_ROOM = createContextKey<CallRoom>(BOUNDLESS, { description: "room" });

/**
 * In how many copies a message is in memory while it goes out behind its length: itself, encoded,
 * and with the length. A message without one is in memory once.
 */
const COPIES = 3;

/** What the response of one call holds of the budget of all. */
export class ResponseRoom implements CallRoom {
  readonly reader: Reader;
  readonly #source: RoomSource;
  readonly #onStalled: (response: StalledResponse) => void;
  #failure: SeglogError | undefined;
  #movedAtMs = 0;
  /** For what is being made. */
  #reservedBytes = 0;
  /** Of what the network has not taken yet. */
  #sentBytes = 0;
  #pieces = 0;
  #isClosed = false;
  #onTaken: () => void = () => undefined;

  constructor(source: RoomSource, reader: Reader, onStalled: (response: StalledResponse) => void) {
    this.#source = source;
    this.reader = reader;
    this.#onStalled = onStalled;
  }

  get failure(): SeglogError | undefined {
    return this.#failure;
  }

  get leastUnknown(): number {
    return this.#source.leastUnknown;
  }

  /** What is held by messages that the network has not taken yet. */
  get sentBytes(): number {
    return this.#sentBytes;
  }

  /** When the network last took something, by the clock of the budget. */
  get movedAtMs(): number {
    return this.#movedAtMs;
  }

  get #heldBytes(): number {
    return this.#reservedBytes + this.#sentBytes;
  }

  async take(bytes: number, signal: AbortSignal): Promise<void> {
    await this.#source.take(this.reader, bytes, signal);
    this.#reservedBytes += bytes;
    if (this.#isClosed) this.close();
  }

  settle(bytes: number): boolean {
    if (this.#isClosed) return true;
    const more = bytes - this.#reservedBytes;
    const isTaken = more <= 0 || this.#source.tryTake(this.reader, more);
    const surplus = isTaken ? Math.max(0, -more) : this.#reservedBytes;
    this.#reservedBytes = isTaken ? bytes : 0;
    this.#source.giveBack(this.reader, surplus);
    return isTaken;
  }

  whenTaken(then: () => void): void {
    this.#onTaken = () => {
      this.#onTaken = () => undefined;
      then();
    };
    if (this.#heldBytes === 0) this.#onTaken();
  }

  /**
   * Something of the response is on its way to the network.
   *
   * @param isFramed - Whether it is a message behind its length.
   * @returns What to call when the network has taken all of it, or has failed to.
   */
  send(pieceBytes: number, isFramed: boolean): (error?: unknown) => void {
    if (this.#isClosed) return () => undefined;
    const { reader } = this;
    const reserved = this.#reservedBytes;
    const held = isFramed ? Math.max(reserved, COPIES * pieceBytes) : pieceBytes;
    this.#reservedBytes = 0;
    this.#sentBytes += held;
    this.#pieces++;
    if (held > reserved) this.#source.force(reader, held - reserved);
    else this.#source.giveBack(reader, reserved - held);
    if (this.#pieces === 1) this.progress();
    return (error) => {
      // A network that has failed ends the call.
      if (this.#isClosed || error) return;
      this.#sentBytes -= held;
      this.#pieces--;
      if (this.#pieces === 0) this.#source.settled(this);
      else this.progress();
      // What was not read from the store may be so short that every network takes it.
      if (reserved > 0) this.#source.judge(reader, true);
      this.#source.giveBack(reader, held);
      if (this.#heldBytes === 0) this.#onTaken();
    };
  }

  /** The network has taken something of what is on its way. */
  progress(): void {
    if (this.#isClosed) return;
    this.#movedAtMs = this.#source.nowMs;
    this.#source.moved(this);
  }

  /** Gives everything back and breaks the call off, because its caller takes nothing. */
  end(reason: StallReason, idleMs: number): void {
    const response = { reason, idleMs, bytes: this.#heldBytes };
    this.#failure = stalledError(response);
    this.#source.judge(this.reader, false);
    this.close();
    this.#onStalled(response);
  }

  /** Gives everything back: the call is over. */
  close(): void {
    const bytes = this.#heldBytes;
    this.#isClosed = true;
    this.#sentBytes = 0;
    this.#reservedBytes = 0;
    this.#source.settled(this);
    this.#source.giveBack(this.reader, bytes);
    this.#onTaken();
  }
}

function stalledError({ reason, bytes, idleMs }: StalledResponse): SeglogError {
  const why =
    reason === "room"
      ? "while others waited for room (maxResponseBytesInFlight)"
      : "which is longer than stallMs";
  return new SeglogError(
    "LIMIT_EXCEEDED",
    `Nothing of a response was taken for ${idleMs} ms, ${why}. It held ${bytes} ` +
      "bytes and was ended. Call again, and go on where you were.",
  );
}
