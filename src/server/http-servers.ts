import { createServer, type Server } from "node:http";
import http2, { type Http2Server, type ServerHttp2Stream } from "node:http2";
import type { ResolvedLimits } from "./limits.js";

/** How much of a request may be on its way before it is asked for: enough for a quick network. */
const STREAM_WINDOW_BYTES = 256 * 1024;
/** How long a caller may go on to send after it has its answer. */
const LINGER_MS = 1000;
/** The unit in which Node bounds the memory of a session. */
const MEGABYTE = 1_000_000;

/** A server of HTTP/1.1 that does not listen: it is handed its connections. */
export function createHttp1Server({ maxHeaderBytes }: ResolvedLimits): Server {
  return createServer({ maxHeaderSize: maxHeaderBytes, keepAliveTimeout: 0 });
}

/** A server of HTTP/2 that does not listen: it is handed its connections. */
export function createHttp2Server(limits: ResolvedLimits): Http2Server {
  const server = http2.createServer({
    maxSessionMemory: sessionMegabytes(limits),
    settings: {
      maxConcurrentStreams: limits.maxStreamsPerConnection,
      maxHeaderListSize: limits.maxHeaderBytes,
      initialWindowSize: STREAM_WINDOW_BYTES,
      enablePush: false,
    },
  });
  server.on("stream", (stream) => {
    stream.on("wantTrailers", () => endRequest(stream));
  });
  return server;
}

/**
 * What the calls of a session may hold together. They are bounded one by one; Node's own bound of
 * 10 MB would end the session, and all its calls, when some of its readers are slow.
 */
function sessionMegabytes(limits: ResolvedLimits): number {
  const longestMessageBytes = Math.max(limits.maxMessageBytes, limits.maxPollBytes);
  const callBytes = STREAM_WINDOW_BYTES + longestMessageBytes;
  return Math.ceil((limits.maxStreamsPerConnection * callBytes) / MEGABYTE);
}

/**
 * Ends a call whose answer is said: without it, a request that nobody reads to its end would keep
 * the call open for as long as its caller likes.
 */
function endRequest(stream: ServerHttp2Stream): void {
  if (stream.readableEnded) return;
  // Ended at once, it would overtake the trailers, which wait for the network.
  const timer = setTimeout(() => {
    stream.close(http2.constants.NGHTTP2_NO_ERROR);
    // What has come of the request and was not read would keep it.
    stream.destroy();
  }, LINGER_MS);
  stream.on("close", () => clearTimeout(timer));
}
