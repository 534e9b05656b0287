import { Code, ConnectError } from "@connectrpc/connect";

/** Node's code for a first answer that is no TLS, such as that of a server in clear text. */
const NOT_TLS: ReadonlySet<string> = new Set([
  "ERR_SSL_WRONG_VERSION_NUMBER",
  "ERR_SSL_UNEXPECTED_MESSAGE",
  "ERR_SSL_PACKET_LENGTH_TOO_LONG",
]);
const IF_CLEAR = "if the server has no certificate, use http://";
/** Node's codes for a certificate that no authority known here has signed. */
const UNKNOWN_AUTHORITY: ReadonlySet<string> = new Set([
  "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
  "UNABLE_TO_GET_ISSUER_CERT",
  "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
  "SELF_SIGNED_CERT_IN_CHAIN",
  "DEPTH_ZERO_SELF_SIGNED_CERT",
]);
/** A server that takes the handshake for a broken request may end it without any answer. */
const CUT_OFF: ReadonlySet<string> = new Set(["ECONNRESET", "EPIPE"]);

/**
 * Why a connection could not be made, or broke: what probably is the matter, and what to do, where
 * the error of Node.js tells that only to those who know the protocols.
 */
export function connectFailure(origin: string, error: Error): ConnectError {
  if (error instanceof ConnectError) return error;
  return new ConnectError(explain(origin, error), Code.Unavailable, undefined, undefined, error);
}

/** The other side ended a connection before it had said anything. */
export function endedEarly(origin: string): ConnectError {
  const text = "the other side ended the connection before it had begun";
  const hint = isSecure(origin) ? "" : "; if the server speaks TLS, use https://";
  return new ConnectError(text + hint, Code.Unavailable);
}

function explain(origin: string, error: Error): string {
  const { code = "" } = error as NodeJS.ErrnoException;
  if (code === "ERR_HTTP2_ERROR") {
    return `what answers there does not speak HTTP/2 (${error.message})`;
  }
  if (NOT_TLS.has(code)) return `what answers there does not speak TLS; ${IF_CLEAR}`;
  if (code === "ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL") {
    return "what answers there speaks TLS, but not HTTP/2";
  }
  if (UNKNOWN_AUTHORITY.has(code)) {
    return `${error.message}; give the certificates to check the server's against (ca)`;
  }
  // Past the handshake, a connection that is cut off says `read ECONNRESET`.
  if (isSecure(origin) && CUT_OFF.has(code) && error.message.includes("secure TLS connection")) {
    return `the other side ended the connection amid the TLS handshake; ${IF_CLEAR}`;
  }
  // OpenSSL's own text has numbers and files of its sources around this.
  const { reason } = error as { readonly reason?: unknown };
  if (code.startsWith("ERR_SSL_") && typeof reason === "string") return `TLS failed: ${reason}`;
  // Some errors of the network have nothing but a code.
  return error.message === "" ? code : error.message;
}

function isSecure(origin: string): boolean {
  return origin.startsWith("https:");
}
