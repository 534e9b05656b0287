import { setMaxListeners } from "node:events";
import { ConnectError, createClient, type Interceptor } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { SeglogError } from "../errors.js";
import { pause } from "../log/directory/polling.js";
import { LogService } from "../wire/generated/seglog/v1/log_service_pb.js";
import { fromConnectError } from "../wire/remote-error.js";
import { backoffMs } from "./backoff.js";
import type { CallLimits, Calls } from "./calls.js";
import type { ResolvedClientOptions } from "./client-options.js";
import { isTransient } from "./failures.js";
import { Sessions } from "./sessions.js";

/** A connection that takes longer to be made is given up. */
const CONNECT_TIMEOUT_MS = 10_000;
/** A connection with calls under way is asked for a sign of life when it was silent this long. */
const PING_INTERVAL_MS = 10_000;
/** A connection that does not answer that within this time is given up. */
const PING_TIMEOUT_MS = 5000;
/** Bytes of a stream that may be under way to this client before it has read them. */
const STREAM_WINDOW_BYTES = 1024 * 1024;
/**
 * The same of all streams together. It would be 64 KiB otherwise: a long answer would wait for this
 * side again and again.
 */
const CONNECTION_WINDOW_BYTES = 8 * 1024 * 1024;
/**
 * What waits to be written counts, and a stream that is opened while there is more is broken: the
 * default of 10 is less than a long record.
 */
const SESSION_MEBIBYTES = 1024;

/**
 * One HTTP/2 connection to a server, kept alive, and made anew when it breaks.
 */
export class Connection {
  /** The calls as they are: without a time limit, failing with errors of the protocol. */
  readonly calls: Calls;
  readonly #sessions: Sessions;
  readonly #options: ResolvedClientOptions;
  readonly #closing = new AbortController();

  constructor(options: ResolvedClientOptions) {
    const { origin, token, tls } = options;
    this.#options = options;
    // Every call that is under way listens to it; Node.js warns of more than ten.
    setMaxListeners(0, this.closing);
    this.#sessions = new Sessions(origin, {
      connectTimeoutMs: CONNECT_TIMEOUT_MS,
      pingIntervalMs: PING_INTERVAL_MS,
      pingTimeoutMs: PING_TIMEOUT_MS,
      windowBytes: CONNECTION_WINDOW_BYTES,
      http2: {
        ...tls,
        settings: { initialWindowSize: STREAM_WINDOW_BYTES },
        maxSessionMemory: SESSION_MEBIBYTES,
      },
    });
    const transport = createGrpcTransport({
      baseUrl: origin,
      sessionManager: this.#sessions,
      interceptors: token === undefined ? [] : [authorize(token)],
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
    let timer: NodeJS.Timeout | undefined;
    const timeout = new Promise<never>((_, reject) => {
      const text = `There was no connection to ${origin} within ${timeoutMs} ms.`;
      const error = new SeglogError("TIMEOUT", `${text} Check the address, or raise timeoutMs.`);
      timer = setTimeout(() => reject(error), timeoutMs);
    });
    try {
      await Promise.race([this.#sessions.connect(), timeout]);
    } catch (cause) {
      this.close();
      if (cause instanceof SeglogError) throw cause;
      const text = `There is no connection to ${origin}: ${ConnectError.from(cause).rawMessage}.`;
      const hint = "Check the address, and that a seglog server runs there.";
      throw new SeglogError("UNAVAILABLE", `${text} ${hint}`, { cause });
    } finally {
      clearTimeout(timer);
    }
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
    this.#sessions.abort();
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

function authorize(token: string): Interceptor {
  return (next) => (request) => {
    request.header.set("authorization", `Bearer ${token}`);
    return next(request);
  };
}
