import type { UniversalServerResponse } from "@connectrpc/connect/protocol";

const STATUS = 415;
const TEXT =
  "A call has one of these content types: application/json or application/proto, of streams " +
  "application/connect+json or application/connect+proto; application/grpc; application/grpc-web. " +
  "With curl: -H 'content-type: application/json'. Nothing was done.\n";

/**
 * Gives a text to the bare refusal of a content type: whoever forgets to say it, as `curl -d` lets
 * them, learns which there are.
 */
export function explainMediaType(response: UniversalServerResponse): UniversalServerResponse {
  if (response.status !== STATUS || response.body !== undefined) return response;
  const header = new Headers(response.header);
  header.set("content-type", "text/plain");
  header.set("x-content-type-options", "nosniff");
  return { ...response, header, body: bodyOf(TEXT) };
}

async function* bodyOf(text: string): AsyncGenerator<Uint8Array> {
  yield new TextEncoder().encode(text);
}
