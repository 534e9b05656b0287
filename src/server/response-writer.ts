import type { UniversalServerResponse } from "@connectrpc/connect/protocol";
import type { NodeResponse } from "./listener.js";

/**
 * Writes the response of a call, no faster than its caller takes it. When the caller goes, the call
 * is ended, also amid a write: what Connect has for this would wait forever then.
 *
 * @throws What the call fails with after its response has begun.
 */
export async function writeResponse(
  { status, header, body, trailer }: UniversalServerResponse,
  response: NodeResponse,
): Promise<void> {
  let isClosed = response.destroyed;
  response.once("close", () => {
    isClosed = true;
  });
  // Headers go with the first piece: until then the call may set them.
  const begin = () => {
    if (!response.headersSent) response.writeHead(status, fieldsOf(header));
  };
  for await (const piece of body ?? []) {
    if (isClosed) return;
    begin();
    if (!write(response, piece)) await drained(response);
    if (isClosed) return;
  }
  begin();
  if (trailer !== undefined) response.addTrailers(fieldsOf(trailer));
  response.end();
}

/** HTTP/1.1 and HTTP/2 differ in their types alone. */
function write(response: Pick<NodeResponse, "write">, piece: Uint8Array): boolean {
  return (response.write as (piece: Uint8Array) => boolean).call(response, piece);
}

/** Resolves when more may be written, or nothing can be any more. */
function drained(response: NodeResponse): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      response.removeListener("drain", done);
      response.removeListener("close", done);
      resolve();
    };
    response.on("drain", done);
    response.on("close", done);
  });
}

function fieldsOf(headers: Headers = new Headers()): Record<string, string> {
  return Object.fromEntries(headers.entries());
}
