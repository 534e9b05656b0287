import type { DescMessage } from "@bufbuild/protobuf";
import {
  encodeEnvelope,
  readAllBytes,
  transformDecompressEnvelope,
  transformSplitEnvelope,
  type UniversalServerRequest,
} from "@connectrpc/connect/protocol";
import { compressionGzip } from "@connectrpc/connect-node";
import { toConnectError } from "../wire/failure.js";
import { checkElements } from "./message-elements.js";

/** Bodies of messages behind their lengths. Any other is one message without. */
const FRAMED = /^application\/(grpc|connect\+)/;

type Call = UniversalServerRequest & { readonly body: AsyncIterable<Uint8Array> };

/** Whether there is anything in a message of this type that may occur any number of times. */
export function hasElements({ fields }: DescMessage): boolean {
  return fields.some(({ fieldKind }) => fieldKind !== "scalar" && fieldKind !== "enum");
}

/**
 * The call with messages that are not compressed and do not have too many elements; reading others
 * fails with `LIMIT_EXCEEDED`.
 *
 * @param type - Of its messages.
 * @param maxBytes - Longest message, also decompressed.
 */
export function openBody(call: Call, type: DescMessage, maxBytes: number): Call {
  const contentType = call.header.get("content-type") ?? "";
  const isFramed = FRAMED.test(contentType);
  const encodingName = encodingHeader(contentType, isFramed);
  const encoding = call.header.get(encodingName) ?? "identity";
  // Any other is refused by its protocol.
  if (encoding !== "identity" && encoding !== compressionGzip.name) return call;
  const compression = encoding === "identity" ? null : compressionGzip;
  const check = (message: Uint8Array) => {
    try {
      checkElements(message, type, contentType.includes("json"));
    } catch (error) {
      throw toConnectError(error);
    }
  };

  async function* framed() {
    const envelopes = transformSplitEnvelope(maxBytes)(call.body);
    for await (const opened of transformDecompressEnvelope(compression, maxBytes)(envelopes)) {
      check(opened.data);
      yield encodeEnvelope(opened.flags, opened.data);
    }
  }

  async function* whole() {
    const sent = await readAllBytes(call.body, maxBytes, call.header.get("content-length"));
    const message = (await compression?.decompress(sent, maxBytes)) ?? sent;
    check(message);
    yield message;
  }

  const header = new Headers(call.header);
  header.delete(encodingName);
  header.delete("content-length");
  return { ...call, header, body: isFramed ? framed() : whole() };
}

function encodingHeader(contentType: string, isFramed: boolean): string {
  if (!isFramed) return "content-encoding";
  return contentType.startsWith("application/grpc") ? "grpc-encoding" : "connect-content-encoding";
}
