import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  type ClientSessionOptions,
  connect,
  constants,
  type OutgoingHttpHeaders,
  type SecureClientSessionOptions,
} from "node:http2";
import type { Socket } from "node:net";
import { Code, ConnectError } from "@connectrpc/connect";
import { connectFailure, endedEarly } from "./connect-failure.js";

/** Times of a connection, in milliseconds, and what may be on its way to this side. */
export interface HttpSessionOptions {
  /** How long it may take until the other side says that it speaks HTTP/2. */
  readonly connectTimeoutMs: number;
  /** With calls under way, the other side is asked for a sign of life when silent this long. */
  readonly pingIntervalMs: number;
  /** Without one within this time, the connection is given up. */
  readonly pingTimeoutMs: number;
  /** Bytes of all streams together that may be under way to this side. */
  readonly windowBytes: number;
  readonly http2: ClientSessionOptions | SecureClientSessionOptions;
}

/**
 * One HTTP/2 connection, from its making to its end. Whatever the other side sends, and whenever it
 * goes away, it ends in a failure of the streams, never in an error that nobody listens to.
 *
 * It keeps the process alive only while it is being made or has streams.
 */
export class HttpSession {
  /** Resolves when the other side has shown that it speaks HTTP/2; else rejects with why not. */
  readonly opened: Promise<void>;
  readonly #origin: string;
  readonly #session: ClientHttp2Session;
  readonly #options: HttpSessionOptions;
  #socket: Socket | undefined;
  #streams = 0;
  #isEnding = false;
  #timer: NodeJS.Timeout | undefined;
  /** What had come by the latest time at which the other side was known to be there. */
  #bytesRead = 0;
  #aliveAtMs = performance.now();
  #ping: Promise<void> | undefined;

  /** @param onClosed - Called once, when it is over. */
  constructor(origin: string, options: HttpSessionOptions, onClosed: () => void) {
    this.#origin = origin;
    this.#options = options;
    this.#session = connect(origin, options.http2);
    const session = this.#session;
    session.on("connect", (_, socket) => this.#connected(socket as Socket));
    session.on("goaway", () => this.#end());
    session.on("close", () => {
      this.#isEnding = true;
      clearTimeout(this.#timer);
      onClosed();
    });
    this.opened = this.#open();
    this.opened.catch(() => undefined);
  }

  /** Whether it takes no streams any more. */
  get isEnding(): boolean {
    return this.#isEnding || this.#session.closed || this.#session.destroyed;
  }

  /** Whether the other side is there; asks it if that was not seen for long. */
  async isAlive(): Promise<boolean> {
    this.#look();
    if (performance.now() - this.#aliveAtMs >= this.#options.pingIntervalMs) await this.#askOnce();
    return !this.isEnding;
  }

  /** Opens a stream; only if it {@link isAlive}. */
  request(headers: OutgoingHttpHeaders): ClientHttp2Stream {
    const stream = this.#session.request(headers);
    // Whoever asked for it listens too, but only from a moment later on.
    stream.on("error", () => undefined);
    this.#streams++;
    if (this.#streams === 1) {
      this.#session.ref();
      this.#watch();
    }
    stream.once("close", () => this.#closed());
    return stream;
  }

  /** Ends it at once, with all its streams. */
  destroy(reason: ConnectError): void {
    this.#isEnding = true;
    if (!this.#session.destroyed) this.#session.destroy(reason, constants.NGHTTP2_CANCEL);
  }

  #open(): Promise<void> {
    const { connectTimeoutMs } = this.#options;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        const text = `nobody who speaks HTTP/2 answered within ${connectTimeoutMs} ms`;
        this.destroy(new ConnectError(text, Code.Unavailable));
      }, connectTimeoutMs);
      const settle = () => clearTimeout(timer);
      this.#session.once("remoteSettings", () => {
        settle();
        if (this.#streams === 0) this.#session.unref();
        resolve();
      });
      // It stays: errors may come in any number, and at any time.
      this.#session.on("error", (error: Error) => {
        settle();
        reject(connectFailure(this.#origin, error));
      });
      this.#session.once("close", () => {
        settle();
        reject(endedEarly(this.#origin));
      });
    });
  }

  #connected(socket: Socket): void {
    // A session tells of its end when its socket is closed. After a failure of TLS, such as that the
    // server wants a certificate, Node.js leaves it open.
    socket.on("error", () => socket.destroy());
    // It comes also after the end.
    if (this.#session.destroyed) return;
    this.#socket = socket;
    this.#session.setLocalWindowSize(this.#options.windowBytes);
  }

  /** The other side takes no new streams; those that there are may go on. */
  #end(): void {
    this.#isEnding = true;
    if (this.#streams === 0 && !this.#session.destroyed) this.#session.destroy();
  }

  #closed(): void {
    this.#streams--;
    if (this.#streams > 0) return;
    clearTimeout(this.#timer);
    if (this.isEnding) this.#end();
    else this.#session.unref();
  }

  /** Notes whether something has come since the last look. */
  #look(): void {
    const bytesRead = this.#socket?.bytesRead ?? 0;
    if (bytesRead === this.#bytesRead) return;
    this.#bytesRead = bytesRead;
    this.#aliveAtMs = performance.now();
  }

  /** Looks from time to time whether the other side is there, as long as there are streams. */
  #watch(): void {
    clearTimeout(this.#timer);
    if (this.#session.destroyed) return;
    this.#timer = setTimeout(async () => {
      this.#look();
      const silentMs = performance.now() - this.#aliveAtMs;
      if (silentMs >= this.#options.pingIntervalMs) await this.#askOnce();
      if (this.#streams > 0) this.#watch();
    }, this.#options.pingIntervalMs);
    this.#timer.unref();
  }

  #askOnce(): Promise<void> {
    this.#ping ??= this.#ask().finally(() => {
      this.#ping = undefined;
    });
    return this.#ping;
  }

  /** Asks for a sign of life; without any in time it ends the connection. */
  #ask(): Promise<void> {
    const { pingTimeoutMs } = this.#options;
    return new Promise((resolve) => {
      if (this.#session.destroyed) {
        resolve();
        return;
      }
      const giveUp = () => {
        const before = this.#aliveAtMs;
        this.#look();
        const text = `the server gave no sign of life for ${pingTimeoutMs} ms`;
        if (this.#aliveAtMs === before) this.destroy(new ConnectError(text, Code.Unavailable));
        resolve();
      };
      const timer = setTimeout(giveUp, pingTimeoutMs);
      this.#session.ping((error) => {
        clearTimeout(timer);
        if (error === null) this.#aliveAtMs = performance.now();
        resolve();
      });
    });
  }
}
