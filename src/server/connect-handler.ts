import {
  Code,
  ConnectError,
  type ConnectRouter,
  type ContextValues,
  createConnectRouter,
} from "@connectrpc/connect";
import {
  compressionGzip,
  universalRequestFromNodeRequest,
  universalResponseToNodeResponse,
} from "@connectrpc/connect-node";
import type { NodeRequest, NodeResponse } from "./listener.js";

/**
 * Requests may be compressed, responses are not: most clients offer to take them so, and few know
 * that it costs more time than all the rest.
 */
const NEVER_COMPRESS_MIN_BYTES = 2 ** 32 - 1;

/** How calls are handled. */
export interface ConnectHandlerOptions {
  readonly routes: (router: ConnectRouter) => void;
  /** Longest message of a request; also decompressed. */
  readonly maxMessageBytes: number;
  /** Told of a call that broke off outside of its service; that is the caller's doing, mostly. */
  readonly onBroken: (method: string, error: ConnectError) => void;
}

/** Handles a request if it is a call of a service; `false` if it is not. */
export type ConnectHandler = (
  request: NodeRequest,
  response: NodeResponse,
  values: ContextValues,
) => boolean;

/** Makes what speaks gRPC, gRPC-Web and Connect. */
export function connectHandler(options: ConnectHandlerOptions): ConnectHandler {
  const router = createConnectRouter({
    acceptCompression: [compressionGzip],
    compressMinBytes: NEVER_COMPRESS_MIN_BYTES,
    readMaxBytes: options.maxMessageBytes,
  });
  options.routes(router);
  const handlers = new Map(router.handlers.map((handler) => [handler.requestPath, handler]));
  return (request, response, values) => {
    const path = request.url?.split("?", 1)[0] ?? "";
    const handler = handlers.get(path);
    if (handler === undefined) return false;
    const handle = async () => {
      const call = universalRequestFromNodeRequest(request, response, undefined, values);
      await universalResponseToNodeResponse(await handler(call), response);
    };
    handle().catch((reason: unknown) => {
      const error = ConnectError.from(reason, Code.Internal);
      options.onBroken(path, error);
      response.destroy();
    });
    return true;
  };
}
