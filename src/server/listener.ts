import type { IncomingMessage, ServerResponse } from "node:http";
import type { Http2ServerRequest, Http2ServerResponse } from "node:http2";

/** A request over HTTP/1.1 or HTTP/2. */
export type NodeRequest = IncomingMessage | Http2ServerRequest;
/** The answer to it. */
export type NodeResponse = ServerResponse | Http2ServerResponse;
/** Answers requests; it never throws. */
export type RequestHandler = (request: NodeRequest, response: NodeResponse) => void;

/** A port that is open. */
export interface Listener {
  /** The address that it listens on, such as `127.0.0.1`. */
  readonly address: string;
  readonly port: number;
  /** Whether there is TLS. */
  readonly isEncrypted: boolean;
  /** How many connections are open. */
  readonly connections: number;
  /**
   * Takes no more connections and requests, lets what is under way finish for as long as the limit
   * `shutdownMs` says, then breaks off what is left. Never fails; once is enough.
   */
  close(): Promise<void>;
}
