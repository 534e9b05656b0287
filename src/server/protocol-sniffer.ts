import type { Socket } from "node:net";

/** What a client speaks on a connection. */
export type Protocol = "http1" | "http2";
/** What a client begins with in clear text: a protocol, or the handshake of TLS. */
export type Greeting = Protocol | "tls";

/** What every HTTP/2 connection begins with. */
const PREFACE = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "latin1");
/** The type of TLS's first record; no method of HTTP begins so. */
const TLS_HANDSHAKE = 22;

/**
 * Looks at the first bytes of a connection in clear text, and leaves them to be read again.
 * Whatever is neither TLS nor the preface of HTTP/2 is taken for HTTP/1.1, whose parser refuses what
 * it is not. Calls `found` once, unless the peer ends before it is clear; then the socket is closed.
 */
export function sniffProtocol(socket: Socket, found: (greeting: Greeting) => void): void {
  let bytes = Buffer.alloc(0);
  const giveUp = () => socket.destroy();
  const look = () => {
    const more: Buffer | null = socket.read();
    if (more === null) return;
    bytes = Buffer.concat([bytes, more]);
    const length = Math.min(bytes.length, PREFACE.length);
    const isPreface = bytes.subarray(0, length).equals(PREFACE.subarray(0, length));
    if (isPreface && length < PREFACE.length) return;
    socket.off("readable", look).off("end", giveUp);
    // Not before: what is put back makes the socket readable at once, again and again.
    socket.unshift(bytes);
    if (bytes[0] === TLS_HANDSHAKE) found("tls");
    else found(isPreface ? "http2" : "http1");
  };
  socket.on("readable", look).on("end", giveUp);
}
