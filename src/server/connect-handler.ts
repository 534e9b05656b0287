import { constants } from "node:http2";
import {
  Code,
  ConnectError,
  type ConnectRouter,
  type ContextValues,
  createConnectRouter,
} from "@connectrpc/connect";
import { compressionGzip, universalRequestFromNodeRequest } from "@connectrpc/connect-node";
import type { SeglogError } from "../errors.js";
import type { ByteBudget } from "./byte-budget.js";
import type { NodeRequest, NodeResponse } from "./listener.js";
import { hasElements, openBody } from "./open-body.js";
import { RequestBody, refusedBody } from "./request-body.js";
import type { ResponseBudget } from "./response-budget.js";
import { RESPONSE_ROOM, type StalledResponse } from "./response-room.js";
import { writeResponse } from "./response-writer.js";
import { explainMediaType } from "./wrong-media-type.js";

/**
 * Requests may be compressed, responses are not: most clients offer to take them so, and few know
 * that it costs more time than all the rest.
 */
const NEVER_COMPRESS_MIN_BYTES = 2 ** 32 - 1;

/** Methods whose caller sends message after message, over the protocols that can. */
const TAKES_STREAM: ReadonlySet<string> = new Set(["client_streaming", "bidi_streaming"]);

/** How calls are handled. */
export interface ConnectHandlerOptions {
  readonly routes: (router: ConnectRouter) => void;
  /** Longest message of a request; also decompressed. */
  readonly maxMessageBytes: number;
  /** For the messages that are being received. */
  readonly budget: ByteBudget;
  /** For the responses. */
  readonly responses: ResponseBudget;
  /** How long a message may take, see {@link RequestBody}; whoever is slower is cut off. */
  readonly messageMs: number;
  /** Told of a call that broke off outside of its service; that is the caller's doing, mostly. */
  readonly onBroken: (method: string, error: ConnectError) => void;
  /** Told of a response that was ended because its caller took nothing of it. */
  readonly onStalled: (method: string, response: StalledResponse) => void;
}

/**
 * Handles a request if it is a call of a service; `false` if it is not.
 *
 * @param refusal - Why the call is refused, before anything of its body is read.
 */
export type ConnectHandler = (
  request: NodeRequest,
  response: NodeResponse,
  values: ContextValues,
  refusal: SeglogError | undefined,
) => boolean;

/** Makes what speaks gRPC, gRPC-Web and Connect. */
export function connectHandler(options: ConnectHandlerOptions): ConnectHandler {
  const { budget, responses, messageMs, onBroken, onStalled } = options;
  const router = createConnectRouter({
    acceptCompression: [compressionGzip],
    compressMinBytes: NEVER_COMPRESS_MIN_BYTES,
    readMaxBytes: options.maxMessageBytes,
    // Each would be an object of its own, for nobody.
    binaryOptions: { readUnknownFields: false },
    // Who reads JSON by eye or by hand should not have to know that what is missing is 0.
    jsonOptions: { alwaysEmitImplicit: true },
  });
  options.routes(router);
  const handlers = new Map(router.handlers.map((handler) => [handler.requestPath, handler]));
  return (request, response, values, refusal) => {
    const path = request.url?.split("?", 1)[0] ?? "";
    const handler = handlers.get(path);
    if (handler === undefined) return false;
    const connection = "stream" in request ? request.stream.session : request.socket;
    const room = responses.open(connection ?? request, (stalled) => {
      breakOff(response);
      onStalled(path, stalled);
    });
    response.on("close", () => room.close());
    values.set(RESPONSE_ROOM, room);
    const handle = async () => {
      const call = universalRequestFromNodeRequest(request, response, undefined, values);
      const pieces = call.body as AsyncIterable<Uint8Array>;
      const received = new RequestBody(pieces, {
        isStream: TAKES_STREAM.has(handler.method.methodKind),
        budget,
        messageMs,
        signal: call.signal,
        onStalled: () => response.destroy(),
      });
      response.on("close", () => received.release());
      const body = refusal === undefined ? received : refusedBody(refusal);
      try {
        const { input } = handler.method;
        const raw = { ...call, body };
        const opened = hasElements(input) ? openBody(raw, input, options.maxMessageBytes) : raw;
        await writeResponse(explainMediaType(await handler(opened)), response, room);
      } finally {
        received.release();
        // What was taken for a message that nobody came to write.
        room.settle(0);
      }
    };
    handle().catch((reason: unknown) => {
      onBroken(path, ConnectError.from(reason, Code.Internal));
      response.destroy();
    });
    return true;
  };
}

/** Ends a response amid a message, so that over HTTP/2 its caller learns that it was a limit. */
function breakOff(response: NodeResponse): void {
  if ("stream" in response) response.stream.close(constants.NGHTTP2_ENHANCE_YOUR_CALM);
  // What waits to be sent would stay for as long as the connection.
  response.destroy();
}
