import { once } from "node:events";
import { createServer as createHttpServer, request } from "node:http";
import { connect, createServer as createHttp2Server } from "node:http2";
import type { AddressInfo, Server } from "node:net";
import { describe, expect, it, onTestFinished } from "vitest";
import type { NodeRequest, NodeResponse } from "../../src/server/listener.js";
import { writeResponse } from "../../src/server/response-writer.js";

const NO_ROOM = { send: () => () => undefined, progress: () => undefined };

/** A body without an end, and how much of it was taken. */
class EndlessBody {
  pieces = 0;
  readonly ended: Promise<void>;
  #end: () => void = () => undefined;

  constructor() {
    this.ended = new Promise((resolve) => {
      this.#end = resolve;
    });
  }

  async *[Symbol.asyncIterator]() {
    try {
      for (;;) {
        this.pieces++;
        yield new Uint8Array(64 * 1024);
      }
    } finally {
      this.#end();
    }
  }
}

/** Answers the one request that comes with `body`. */
async function answering(server: Server, body: AsyncIterable<Uint8Array>) {
  const header = new Headers({ "content-type": "text/plain" });
  const written = new Promise<void>((resolve, reject) => {
    server.once("request", (_: NodeRequest, response: NodeResponse) => {
      response.on("error", () => undefined);
      const trailer = new Headers({ "x-status": "done" });
      writeResponse({ status: 200, header, body, trailer }, response, NO_ROOM).then(
        resolve,
        reject,
      );
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => void server.close());
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, written };
}

describe("a response whose caller goes amid a write", () => {
  it("over HTTP/2 is ended", async () => {
    const body = new EndlessBody();
    const { url, written } = await answering(createHttp2Server(), body);
    const session = connect(url);
    const stream = session.request({ ":path": "/" });
    stream.on("error", () => undefined);
    await once(stream, "response");
    stream.close(8);
    await Promise.all([body.ended, written]);
    // No more than what the windows of the connection take.
    expect(body.pieces).toBeLessThan(10);
    session.destroy();
  });

  it("over HTTP/1.1 is ended", async () => {
    const body = new EndlessBody();
    const { url, written } = await answering(createHttpServer(), body);
    const call = request(url);
    call.on("error", () => undefined);
    call.end();
    await once(call, "response");
    call.destroy();
    await Promise.all([body.ended, written]);
  });
});

describe("a response", () => {
  it("comes with its status, headers and trailers", async () => {
    async function* body() {
      yield new TextEncoder().encode("a");
      yield new TextEncoder().encode("b");
    }
    const { url, written } = await answering(createHttp2Server(), body());
    const session = connect(url);
    const stream = session.request({ ":path": "/" });
    const head = once(stream, "response");
    const tail = once(stream, "trailers");
    let text = "";
    for await (const piece of stream) text += piece;
    expect([text, (await head)[0]["content-type"], (await tail)[0]["x-status"]]).toEqual([
      "ab",
      "text/plain",
      "done",
    ]);
    await written;
    session.destroy();
  });
});
