import type { ClientHttp2Session } from "node:http2";
import { createClient, type Interceptor } from "@connectrpc/connect";
import { createGrpcTransport, Http2SessionManager } from "@connectrpc/connect-node";
import { SeglogError } from "../errors.js";
import { pause } from "../log/polling.js";
import { LogService } from "../wire/generated/seglog/v1/log_service_pb.js";
import { fromConnectError } from "../wire/remote-error.js";
import { backoffMs } from "./backoff.js";
import type { CallLimits, Calls } from "./calls.js";
import type { ResolvedClientOptions } from "./client-options.js";
import { isTransient } from "./failures.js";

/** A connection with calls under way is asked for a sign of life when it was silent this long. */
const PING_INTERVAL_MS = 10_000;
/** A connection that does not answer that within this time is given up. */
const PING_TIMEOUT_MS = 5000;
/** Bytes of a stream that may be under way to this client before it has read them. */
const STREAM_WINDOW_BYTES = 1024 * 1024;
/** The same of all streams together. */
const CONNECTION_WINDOW_BYTES = 8 * 1024 * 1024;
/**
 * What waits to be written counts, and a stream that is opened while there is more is broken: the
 * default of 10 is less than a long record.
 */
const SESSION_MEBIBYTES = 1024;

/** Where a transport gets its streams. */
type Sessions = NonNullable<Parameters<typeof createGrpcTransport>[0]["sessionManager"]>;

/**
 * One HTTP/2 connection to a server, kept alive, and made anew when it breaks.
 */
export class Connection {
  /** The calls as they are: without a time limit, failing with errors of the protocol. */
  readonly calls: Calls;
  readonly #session: Http2SessionManager;
  readonly #options: ResolvedClientOptions;
  readonly #closing = new AbortController();

  constructor(options: ResolvedClientOptions) {
    const { origin, token, tls } = options;
    this.#options = options;
    this.#session = new Http2SessionManager(
      origin,
      { pingIntervalMs: PING_INTERVAL_MS, pingTimeoutMs: PING_TIMEOUT_MS },
      {
        ...tls,
        settings: { initialWindowSize: STREAM_WINDOW_BYTES },
        maxSessionMemory: SESSION_MEBIBYTES,
      },
    );
    const interceptors = token === undefined ? [] : [authorize(token)];
    const transport = createGrpcTransport({
      baseUrl: origin,
      sessionManager: withWideWindow(this.#session),
      interceptors,
    });
    this.calls = createClient(LogService, transport);
  }

  /** How long a call may take. */
  get timeoutMs(): number {
    return this.#options.timeoutMs;
  }

  /** Aborted by {@link close}, with `CLOSED` as its reason. */
  get closing(): AbortSignal {
    return this.#closing.signal;
  }

  /**
   * Connects, so that a wrong address shows at once.
   *
   * @throws SeglogError `UNAVAILABLE`, `TIMEOUT`.
   */
  async open(): Promise<void> {
    const { origin, timeoutMs } = this.#options;
    const timer = new AbortController();
    const timeout = pause(timeoutMs, timer.signal);
    const state = await Promise.race([this.#session.connect(), timeout]);
    timer.abort();
    if (state !== undefined && state !== "error") return;
    const cause = this.#session.error();
    this.close();
    if (state === undefined) {
      const text = `There was no connection to ${origin} within ${timeoutMs} ms.`;
      throw new SeglogError("TIMEOUT", `${text} Check the address, or raise timeoutMs.`);
    }
    const reason = cause === undefined ? "" : ` ${fromConnectError(cause).message}`;
    throw new SeglogError(
      "UNAVAILABLE",
      `There is no connection to ${origin}:${reason}. Check the address, and that the server runs.`,
      { cause },
    );
  }

  /**
   * One call, once.
   *
   * @throws SeglogError, as the store would throw it; `UNAVAILABLE`, `TIMEOUT`, `CLOSED`.
   */
  async once<T>(call: (calls: Calls, options: CallLimits) => Promise<T>): Promise<T> {
    return this.#attempt(call, this.timeoutMs);
  }

  /** A call that does no harm when it is made again, as often as the time allows. */
  async call<T>(call: (calls: Calls, options: CallLimits) => Promise<T>): Promise<T> {
    const endMs = performance.now() + this.timeoutMs;
    for (let failures = 1; ; failures++) {
      const leftMs = endMs - performance.now();
      try {
        return await this.#attempt(call, Math.max(1, Math.ceil(leftMs)));
      } catch (error) {
        const delayMs = backoffMs(failures);
        if (!isTransient(error) || performance.now() + delayMs >= endMs) throw error;
        await pause(delayMs, this.closing);
      }
    }
  }

  /** Ends at once: calls that are under way fail with `CLOSED`. */
  close(): void {
    if (this.closing.aborted) return;
    const { origin } = this.#options;
    const reason = new SeglogError("CLOSED", `The client of ${origin} is closed. Connect again.`);
    this.#closing.abort(reason);
    this.#session.abort();
  }

  async #attempt<T>(
    call: (calls: Calls, options: CallLimits) => Promise<T>,
    timeoutMs: number,
  ): Promise<T> {
    const signal = this.closing;
    signal.throwIfAborted();
    try {
      return await call(this.calls, { signal, timeoutMs });
    } catch (error) {
      signal.throwIfAborted();
      throw fromConnectError(error);
    }
  }
}

/**
 * All streams of a connection together may have no more on their way than a window of its own, which
 * is 64 KiB unless each side says otherwise: a long answer would wait for the other side again and
 * again.
 */
function withWideWindow(manager: Http2SessionManager): Sessions {
  const widened = new WeakSet<ClientHttp2Session>();
  return {
    authority: manager.authority,
    notifyResponseByteRead: (stream) => manager.notifyResponseByteRead(stream),
    async request(method, path, headers, options) {
      const stream = await manager.request(method, path, headers, options);
      const session = stream.session as ClientHttp2Session | undefined;
      if (session !== undefined && !widened.has(session)) {
        widened.add(session);
        session.setLocalWindowSize(CONNECTION_WINDOW_BYTES);
      }
      return stream;
    },
  };
}

function authorize(token: string): Interceptor {
  return (next) => (request) => {
    request.header.set("authorization", `Bearer ${token}`);
    return next(request);
  };
}
