import { Code } from "@connectrpc/connect";
import { codeToHttpStatus, codeToString } from "@connectrpc/connect/protocol-connect";
import { toConnectError } from "../wire/failure.js";
import type { NodeRequest, NodeResponse } from "./listener.js";

/**
 * Answers a request before anything of it is read but its headers, in a way that callers of every
 * protocol understand: gRPC's is a status in the headers, all others go by that of HTTP.
 */
export function refuse(request: NodeRequest, response: NodeResponse, error: unknown): void {
  const { code, rawMessage: message } = toConnectError(error);
  const contentType = request.headers["content-type"] ?? "";
  if (contentType.startsWith("application/grpc")) {
    response.writeHead(200, {
      "content-type": contentType,
      "grpc-status": String(code),
      "grpc-message": encodeURIComponent(message),
    });
    response.end();
    return;
  }
  response.writeHead(codeToHttpStatus(code), {
    "content-type": "application/json",
    ...(code === Code.Unauthenticated && { "www-authenticate": "Bearer" }),
    ...(request.httpVersionMajor === 1 && { connection: "close" }),
  });
  response.end(JSON.stringify({ code: codeToString(code), message }));
}
