import type { ClientHttp2Stream, OutgoingHttpHeaders } from "node:http2";
import { Code, ConnectError } from "@connectrpc/connect";
import { HttpSession, type HttpSessionOptions } from "./http-session.js";

/** A server may end a connection in the moment in which it is to be used. */
const MAX_ATTEMPTS = 3;

/** The connection to a server: one at a time, made when it is needed. */
export class Sessions {
  /** Scheme, host and port. */
  readonly authority: string;
  readonly #options: HttpSessionOptions;
  /** The last one takes streams, unless it is ending; the others have some that go on. */
  readonly #sessions: HttpSession[] = [];
  #reason: ConnectError | undefined;

  constructor(authority: string, options: HttpSessionOptions) {
    this.authority = authority;
    this.#options = options;
  }

  /**
   * A connection that takes streams.
   *
   * @throws ConnectError `Unavailable` if there is none.
   */
  async connect(): Promise<HttpSession> {
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
      if (this.#reason !== undefined) throw this.#reason;
      const session = this.#current();
      await session.opened;
      if (await session.isAlive()) return session;
    }
    throw new ConnectError("the server ends each connection at once", Code.Unavailable);
  }

  /** Opens a stream, on a connection that is made if need be. */
  async request(
    method: string,
    path: string,
    headers: OutgoingHttpHeaders,
  ): Promise<ClientHttp2Stream> {
    const session = await this.connect();
    return session.request({ ...headers, ":method": method, ":path": path });
  }

  /** The connections see for themselves what comes. */
  notifyResponseByteRead(): void {}

  /** Ends all connections at once; no other one is made. */
  abort(): void {
    this.#reason = new ConnectError("the connection is closed", Code.Canceled);
    for (const session of this.#sessions) session.destroy(this.#reason);
  }

  #current(): HttpSession {
    const latest = this.#sessions.at(-1);
    if (latest !== undefined && !latest.isEnding) return latest;
    const session = new HttpSession(this.authority, this.#options, () => {
      this.#sessions.splice(this.#sessions.indexOf(session), 1);
    });
    this.#sessions.push(session);
    return session;
  }
}
