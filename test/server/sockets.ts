import { once } from "node:events";
import http, { type IncomingHttpHeaders, type RequestOptions } from "node:http";
import http2, { type ClientHttp2Session, type SecureClientSessionOptions } from "node:http2";
import https from "node:https";
import net, { type Socket } from "node:net";
import { onTestFinished } from "vitest";
import { resolveLimits, type ServerLimits } from "../../src/server/limits.js";
import { Listener, type ListenerOptions } from "../../src/server/listener.js";

/** What a listener of a test is given beside defaults. */
export type Given = Omit<Partial<ListenerOptions>, "limits"> & { readonly limits?: ServerLimits };

/** A listener on a free port of loopback, which is closed with the test. */
export async function openListener(given: Given = {}): Promise<Listener> {
  const listener = await Listener.open({
    host: "127.0.0.1",
    port: 0,
    tls: undefined,
    handle: (request, response) => {
      request.resume();
      response.writeHead(200);
      response.end(`${request.httpVersion} ${request.url}`);
    },
    onRefused: () => undefined,
    onUnexpectedTls: () => undefined,
    ...given,
    limits: resolveLimits({ shutdownMs: 200, ...given.limits }),
  });
  onTestFinished(() => listener.close());
  return listener;
}

/** A bare connection; errors are for `closed` to tell. */
export async function dial(port: number): Promise<Socket> {
  const socket = net.connect({ port, host: "127.0.0.1", allowHalfOpen: true });
  socket.on("error", () => undefined);
  onTestFinished(() => {
    socket.destroy();
  });
  await once(socket, "connect");
  return socket;
}

/** All that a socket receives until its peer ends or breaks the connection. */
export async function received(socket: Socket): Promise<string> {
  const chunks: Buffer[] = [];
  socket.on("data", (chunk) => chunks.push(chunk));
  await Promise.race([once(socket, "end"), once(socket, "close")]);
  socket.destroy();
  return Buffer.concat(chunks).toString("latin1");
}

/** An answer with its body. */
export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** One request over HTTP/1.1, as curl makes it. */
export async function request1(
  port: number,
  path: string,
  options: RequestOptions & { readonly body?: string; readonly isEncrypted?: boolean } = {},
): Promise<Answer> {
  const { body, isEncrypted, ...rest } = options;
  const client = isEncrypted ? https : http;
  const request = client.request({ port, host: "127.0.0.1", path, agent: false, ...rest });
  request.end(body);
  const [response] = await once(request, "response");
  response.setEncoding("utf8");
  let text = "";
  for await (const chunk of response) text += chunk;
  return { status: response.statusCode, headers: response.headers, body: text };
}

/** A client of HTTP/2 that knows beforehand what the server speaks. */
export async function connect2(
  port: number,
  options: SecureClientSessionOptions & { readonly isEncrypted?: boolean } = {},
): Promise<ClientHttp2Session> {
  const { isEncrypted, ...rest } = options;
  const session = http2.connect(`${isEncrypted ? "https" : "http"}://127.0.0.1:${port}`, rest);
  onTestFinished(() => session.destroy());
  await once(session, "connect");
  session.on("error", () => undefined);
  return session;
}

/** One request over HTTP/2. */
export async function request2(
  session: ClientHttp2Session,
  path: string,
  headers: http2.OutgoingHttpHeaders = {},
  body?: string | Uint8Array,
): Promise<Answer> {
  const method = body === undefined ? "GET" : "POST";
  const stream = session.request({ ":path": path, ":method": method, ...headers });
  stream.end(body);
  stream.setEncoding("utf8");
  const [answered] = await once(stream, "response");
  let text = "";
  for await (const chunk of stream) text += chunk;
  return { status: answered[":status"], headers: answered, body: text };
}
