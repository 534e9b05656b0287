import { cors } from "@connectrpc/connect";
import type { NodeRequest, NodeResponse } from "./listener.js";

/** How long a browser may remember what it was told. */
const REMEMBER_SECONDS = 7200;

/**
 * Deals with requests of web pages, which name their origin. A page of an origin that is not listed
 * is refused, whatever its browser thinks of it: it may have got the name of its own host to lead
 * to this server.
 *
 * @returns Whether the request is answered.
 */
export function admitOrigin(
  request: NodeRequest,
  response: NodeResponse,
  origins: ReadonlySet<string>,
): boolean {
  const { origin } = request.headers;
  if (origin === undefined) return false;
  if (!origins.has(origin)) {
    response.writeHead(403, { "content-type": "text/plain" });
    response.end("The server does not take calls of pages of this origin.\n");
    return true;
  }
  response.setHeader("access-control-allow-origin", origin);
  response.setHeader("vary", "origin");
  if (request.method !== "OPTIONS") {
    response.setHeader("access-control-expose-headers", cors.exposedHeaders.join(", "));
    return false;
  }
  const headers = [...cors.allowedHeaders, "authorization"];
  response.writeHead(204, {
    "access-control-allow-methods": cors.allowedMethods.join(", "),
    "access-control-allow-headers": headers.join(", "),
    "access-control-max-age": String(REMEMBER_SECONDS),
  });
  response.end();
  return true;
}
