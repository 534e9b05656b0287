import type { UniversalServerResponse } from "@connectrpc/connect/protocol";
import type { NodeResponse } from "./listener.js";
import type { ResponseRoom } from "./response-room.js";

/**
 * How much goes to the network at a time, so that it shows whether a caller takes anything of a long
 * message: little, and twice as much after each slice that was taken quickly, since slices cost time.
 */
const LEAST_SLICE_BYTES = 64 * 1024;
const MOST_SLICE_BYTES = 1024 * 1024;
/** At this pace the longest slice takes a third of a second. */
const QUICK_BYTES_PER_MS = 3 * 1024;
/** Bodies of messages behind their lengths. Any other is one message without. */
const FRAMED = /^application\/(grpc|connect\+)/;

/**
 * Writes the response of a call, no faster than its caller takes it. When the caller goes, the call
 * is ended, also amid a write: what Connect has for this would wait forever then.
 *
 * @param room - Told of what is on its way, and of what was taken.
 * @throws What the call fails with after its response has begun.
 */
export async function writeResponse(
  { status, header, body, trailer }: UniversalServerResponse,
  response: NodeResponse,
  room: Pick<ResponseRoom, "send" | "progress">,
): Promise<void> {
  const isFramed = FRAMED.test(header?.get("content-type") ?? "");
  let sliceBytes = LEAST_SLICE_BYTES;
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
    const done = room.send(piece.length, isFramed);
    for (let start = 0; start < piece.length; ) {
      const slice = piece.subarray(start, start + sliceBytes);
      start += slice.length;
      const taken = start === piece.length ? done : () => room.progress();
      const givenAt = performance.now();
      if (!write(response, slice, taken)) {
        await drained(response);
        const quickMs = slice.length / QUICK_BYTES_PER_MS;
        const isQuick = performance.now() - givenAt < quickMs;
        sliceBytes = isQuick ? Math.min(2 * sliceBytes, MOST_SLICE_BYTES) : LEAST_SLICE_BYTES;
      }
      if (isClosed) return;
    }
  }
  begin();
  if (trailer !== undefined) response.addTrailers(fieldsOf(trailer));
  response.end();
}

/** HTTP/1.1 and HTTP/2 differ in their types alone. */
function write(
  response: Pick<NodeResponse, "write">,
  piece: Uint8Array,
  taken: (error?: unknown) => void,
): boolean {
  const write = response.write as (piece: Uint8Array, taken: (error?: unknown) => void) => boolean;
  return write.call(response, piece, taken);
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
