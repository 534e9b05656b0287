import type { ServerHttp2Session } from "node:http2";
import type { Socket } from "node:net";
import type { ResolvedLimits } from "./limits.js";

/**
 * What an HTTP/2 connection may have on its way before it is asked for. With the usual 64 KiB, a
 * larger message takes several trips there and back, however much its own call may have on its way.
 */
const SESSION_WINDOW_BYTES = 1024 * 1024;

/**
 * A connection: counts the calls that are under way on it, and closes it when there have been none
 * for too long, when its peer is gone, or when it is told to.
 */
export class Connection {
  /** Whether it is one too many: its first call is told so. */
  readonly isTurnedAway: boolean;
  readonly #socket: Socket;
  readonly #limits: ResolvedLimits;
  #session: ServerHttp2Session | undefined;
  #callsUnderWay = 0;
  #isClosing = false;
  #deadline: NodeJS.Timeout;
  #pinging: NodeJS.Timeout | undefined;
  #awaitsPong = false;

  /** It has `headersMs` to begin its first call, or to say that it speaks HTTP/2. */
  constructor(socket: Socket, limits: ResolvedLimits, isTurnedAway: boolean) {
    this.#socket = socket;
    this.#limits = limits;
    this.isTurnedAway = isTurnedAway;
    this.#deadline = setTimeout(() => this.destroy(), limits.headersMs);
    // What breaks a connection ends its calls, which tell of it; here it is no news.
    socket.on("error", () => undefined);
    socket.on("close", () => {
      clearTimeout(this.#deadline);
      clearInterval(this.#pinging);
    });
  }

  /** It speaks HTTP/2: calls are streams, idle time begins, and it is asked for signs of life. */
  useSession(session: ServerHttp2Session): void {
    this.#session = session;
    // It may have come and gone.
    if (!session.destroyed) session.setLocalWindowSize(SESSION_WINDOW_BYTES);
    session.on("stream", (stream) => {
      this.begin();
      stream.on("close", () => this.end());
    });
    // A peer that sends no more acknowledges nothing either, so no call could end.
    this.#socket.on("end", () => this.destroy());
    this.#pinging = setInterval(() => this.#ping(session), this.#limits.pingMs);
    this.#awaitCall();
  }

  /** A call began: the connection is not idle. */
  begin(): void {
    this.#callsUnderWay++;
    if (this.isTurnedAway) this.close();
    else if (!this.#isClosing) clearTimeout(this.#deadline);
  }

  /** A call ended. */
  end(): void {
    this.#callsUnderWay--;
    if (this.#callsUnderWay > 0) return;
    if (this.#isClosing) this.#finish();
    else this.#awaitCall();
  }

  /** Takes no more calls, and closes when those that are under way have ended, or `shutdownMs` has. */
  close(): void {
    if (this.#isClosing) return;
    this.#isClosing = true;
    this.#setDeadline(this.#limits.shutdownMs, () => this.destroy());
    if (this.#session !== undefined) this.#session.close();
    else if (this.#callsUnderWay === 0) this.#finish();
  }

  /** Closes at once. */
  destroy(): void {
    this.#socket.destroy();
  }

  /** Of HTTP/2, the session knows best when it has said everything. */
  #finish(): void {
    if (this.#session === undefined) this.#socket.destroySoon();
  }

  #awaitCall(): void {
    // There is no hurry for one who is to be told that there is no room, but no leisure either.
    const { idleMs, headersMs } = this.#limits;
    this.#setDeadline(this.isTurnedAway ? headersMs : idleMs, () => this.close());
  }

  #setDeadline(ms: number, run: () => void): void {
    clearTimeout(this.#deadline);
    if (!this.#socket.destroyed) this.#deadline = setTimeout(run, ms);
  }

  #ping(session: ServerHttp2Session): void {
    if (this.#awaitsPong) {
      this.destroy();
      return;
    }
    if (session.destroyed) return;
    this.#awaitsPong = true;
    session.ping((error) => {
      if (error === null) this.#awaitsPong = false;
    });
  }
}
