import { once } from "node:events";
import http2, { type ClientHttp2Session, type ClientHttp2Stream } from "node:http2";
import net, { type Socket } from "node:net";
import { create, toBinary } from "@bufbuild/protobuf";
import { onTestFinished } from "vitest";
import {
  FollowRequestSchema,
  ReadRequestSchema,
} from "../../src/wire/generated/seglog/v1/log_service_pb.js";

/** The methods that a hostile peer asks for much with. */
export type Method = "Follow" | "Read";

/** A connection over HTTP/2 that lets the server send nothing but headers. */
export function closedWindow(port: number): Promise<ClientHttp2Session> {
  return openSession(port, 0);
}

/** A connection over HTTP/2 that lets the server send so much of each stream before it is taken. */
export async function openSession(
  port: number,
  initialWindowSize: number,
): Promise<ClientHttp2Session> {
  const settings = { initialWindowSize, enablePush: false };
  const session = http2.connect(`http://127.0.0.1:${port}`, { settings });
  session.on("error", () => undefined);
  onTestFinished(() => session.destroy());
  // The server knows of the window before it has a request.
  await once(session, "localSettings");
  return session;
}

/** Calls over gRPC that ask for all of `key`, and take nothing of it. */
export function stalledCalls(
  session: ClientHttp2Session,
  method: Method,
  key: string,
  count: number,
): ClientHttp2Stream[] {
  const body = framed(bodyOf(method, key));
  return Array.from({ length: count }, () => {
    const stream = session.request({
      ":method": "POST",
      ":path": `/seglog.v1.LogService/${method}`,
      "content-type": "application/grpc+proto",
      te: "trailers",
    });
    stream.on("error", () => undefined);
    stream.end(body);
    return stream;
  });
}

/** Calls as {@link stalledCalls}, each of which is made anew whenever it is ended. */
export function lastingCalls(
  session: ClientHttp2Session,
  method: Method,
  key: string,
  count: number,
): void {
  const again = () => {
    if (!session.destroyed && !session.closed) lastingCalls(session, method, key, 1);
  };
  for (const stream of stalledCalls(session, method, key, count)) stream.once("close", again);
}

/** Takes so many bytes of a stream, at a pace; resolves when it has them, or the stream is over. */
export function takeSlowly(
  stream: ClientHttp2Stream,
  bytes: number,
  bytesPerSecond: number,
): Promise<number> {
  const PACES = 20;
  return new Promise((resolve) => {
    let taken = 0;
    const end = () => {
      clearInterval(timer);
      resolve(taken);
    };
    const timer = setInterval(() => {
      const piece: Buffer | null = stream.read(bytesPerSecond / PACES) ?? stream.read();
      taken += piece?.length ?? 0;
      if (taken >= bytes) end();
    }, 1000 / PACES);
    stream.once("close", end);
  });
}

/** A connection over HTTP/1.1 that asks to read `key`, and takes nothing of the answer. */
export async function pausedRead(port: number, key: string): Promise<Socket> {
  const socket = net.connect({ port, host: "127.0.0.1" });
  socket.on("error", () => undefined);
  socket.pause();
  onTestFinished(() => {
    socket.destroy();
  });
  await once(socket, "connect");
  const body = bodyOf("Read", key);
  socket.write(
    "POST /seglog.v1.LogService/Read HTTP/1.1\r\nhost: localhost\r\n" +
      `content-type: application/proto\r\ncontent-length: ${body.length}\r\n\r\n`,
  );
  socket.write(body);
  return socket;
}

function bodyOf(method: Method, key: string): Uint8Array {
  const maxBytes = 4 * 1024 * 1024;
  return method === "Follow"
    ? toBinary(
        FollowRequestSchema,
        create(FollowRequestSchema, { keys: [{ key, offset: 0n }], maxBytes, acceptPacks: true }),
      )
    : toBinary(ReadRequestSchema, create(ReadRequestSchema, { key, maxBytes, acceptPacks: true }));
}

function framed(message: Uint8Array): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}
