import { once } from "node:events";
import type { ServerResponse } from "node:http";
import { setImmediate, setTimeout } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import type { Listener, ListenerOptions, NodeResponse } from "../../src/server/listener.js";
import { deferred } from "../support/deferred.js";
import { connect2, dial, openListener, received, request1, request2 } from "./sockets.js";

const PREFACE = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/** Empty settings, as every client of HTTP/2 sends them behind the preface. */
const SETTINGS = Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]);
/** Headers of a request that is complete: GET http://a/ as stream 1. */
const GET_FRAME = Buffer.from([0, 0, 6, 1, 5, 0, 0, 0, 1, 0x82, 0x86, 0x84, 0x41, 0x01, 0x61]);

/** Headers of a POST as stream 1, and two bytes of its body, which goes on. */
const POST_FRAMES = Buffer.from([
  ...[0, 0, 6, 1, 4, 0, 0, 0, 1, 0x83, 0x86, 0x84, 0x41, 0x01, 0x61],
  ...[0, 0, 2, 0, 0, 0, 0, 0, 1, 0x61, 0x62],
]);

/** Resolves when the listener has no connection any more. */
async function emptied(listener: Listener): Promise<void> {
  while (listener.connections > 0) await setImmediate();
}

describe("one port", () => {
  it("serves HTTP/1.1 and HTTP/2 in clear text", async () => {
    const { port } = await openListener();
    expect(await request1(port, "/a")).toMatchObject({ status: 200, body: "1.1 /a" });
    const session = await connect2(port);
    expect(await request2(session, "/b")).toMatchObject({ status: 200, body: "2.0 /b" });
  });

  it("takes a preface that comes byte by byte", async () => {
    const { port } = await openListener();
    const socket = await dial(port);
    socket.setNoDelay();
    for (const byte of PREFACE) {
      socket.write(byte);
      await setImmediate();
    }
    socket.write(SETTINGS);
    const [answer] = await once(socket, "data");
    // A frame of settings: type 4 behind a length of three bytes.
    expect(answer[3]).toBe(4);
  });

  it.each([...PREFACE].map((_, length) => length))(
    "lets go of one who ends after %i bytes of the preface",
    async (length) => {
      const listener = await openListener();
      const socket = await dial(listener.port);
      socket.end(PREFACE.slice(0, length));
      expect(await received(socket)).toBe("");
      await emptied(listener);
    },
  );

  it("closes on one who speaks TLS to it, and tells of it", async () => {
    const told: string[] = [];
    const listener = await openListener({
      onRefused: (reason) => told.push(reason),
      onUnexpectedTls: () => told.push("TLS"),
    });
    const socket = await dial(listener.port);
    socket.write(Buffer.from("\x16\x03\x01\x02\x00\x01", "latin1"));
    expect(await received(socket)).toBe("");
    expect(told).toEqual(["it speaks TLS, and the server does not", "TLS"]);
    await emptied(listener);
  });

  it("answers garbage as HTTP/1.1 does, and lives on", async () => {
    const listener = await openListener();
    for (const garbage of ["\0\0\0\0\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nXX"]) {
      const socket = await dial(listener.port);
      socket.write(Buffer.from(garbage, "latin1"));
      expect(await received(socket)).toMatch(/^HTTP\/1\.1 400 /);
    }
    const afterPreface = await dial(listener.port);
    afterPreface.write(`${PREFACE}this is no frame, whatever else it may be`);
    await received(afterPreface);
    await emptied(listener);
    expect((await request1(listener.port, "/")).status).toBe(200);
  });
});

describe("connections that say nothing, or too slowly", () => {
  it("are closed when the time for headers is up", async () => {
    const listener = await openListener({ limits: { headersMs: 50 } });
    const silent = await dial(listener.port);
    const amidPreface = await dial(listener.port);
    amidPreface.write("PRI * ");
    const amidHeaders = await dial(listener.port);
    amidHeaders.write("GET / HTTP/1.1\r\nhost: a\r\n");
    for (const socket of [silent, amidPreface, amidHeaders]) {
      expect(await received(socket)).toBe("");
    }
    await emptied(listener);
  });

  it("are closed when they have been idle for long, over HTTP/1.1", async () => {
    const listener = await openListener({ limits: { idleMs: 50 } });
    const socket = await dial(listener.port);
    socket.write("GET /x HTTP/1.1\r\nhost: a\r\n\r\nGET / HT");
    expect(await received(socket)).toContain("1.1 /x");
    await emptied(listener);
  });

  it("are closed when they have been idle for long, over HTTP/2", async () => {
    const listener = await openListener({ limits: { idleMs: 50 } });
    const session = await connect2(listener.port);
    const goaway = once(session, "goaway");
    expect((await request2(session, "/")).status).toBe(200);
    const [code] = await goaway;
    expect(code).toBe(0);
    await emptied(listener);
  });

  it("are closed when they do not answer a ping, although a call is under way", async () => {
    const listener = await openListener({ limits: { pingMs: 50 }, handle: () => undefined });
    const socket = await dial(listener.port);
    socket.write(Buffer.concat([Buffer.from(PREFACE), SETTINGS, GET_FRAME]));
    // It reads, but answers nothing.
    await received(socket);
    await emptied(listener);
  });

  it("are left alone while a call is under way", async () => {
    let answer: NodeResponse | undefined;
    const called = deferred();
    const listener = await openListener({
      limits: { idleMs: 20, headersMs: 1000, pingMs: 20 },
      handle: (_, response) => {
        answer = response;
        called.resolve();
      },
    });
    const session = await connect2(listener.port);
    const response = request2(session, "/");
    await called.promise;
    await setTimeout(200);
    answer!.end("late");
    expect(await response).toMatchObject({ body: "late" });
  });
});

describe("connections above the limit", () => {
  const handle: ListenerOptions["handle"] = (_, response, isTurnedAway) => {
    response.writeHead(isTurnedAway ? 503 : 200);
    response.end();
  };

  it("are told so over either protocol, and the others are unharmed", async () => {
    const listener = await openListener({ limits: { maxConnections: 1 }, handle });
    const session = await connect2(listener.port);
    expect((await request2(session, "/")).status).toBe(200);

    expect((await request1(listener.port, "/")).status).toBe(503);
    const turnedAway = await connect2(listener.port);
    const closed = once(turnedAway, "close");
    expect((await request2(turnedAway, "/")).status).toBe(503);
    await closed;

    expect((await request2(session, "/")).status).toBe(200);
    session.close();
    await emptied(listener);
    expect((await request1(listener.port, "/")).status).toBe(200);
  });

  it("are closed at once when there are many of them", async () => {
    let refused = 0;
    const allRefused = deferred();
    const listener = await openListener({
      limits: { maxConnections: 1, headersMs: 20_000 },
      handle,
      onRefused: () => {
        refused++;
        if (refused === 200) allRefused.resolve();
      },
    });
    const session = await connect2(listener.port);
    await Promise.all(Array.from({ length: 200 }, () => dial(listener.port)));
    await allRefused.promise;
    expect(listener.connections).toBe(65);
    expect((await request2(session, "/")).status).toBe(200);
  });

  it("may be 1,000 below it", async () => {
    const listener = await openListener();
    const sessions = await Promise.all(Array.from({ length: 1000 }, () => connect2(listener.port)));
    const answers = await Promise.all(sessions.map((session) => request2(session, "/")));
    expect(answers.every(({ status }) => status === 200)).toBe(true);
    expect(listener.connections).toBe(1000);
  });
});

describe("a connection", () => {
  it("has so many calls under way, and those beyond wait", async () => {
    const answers: NodeResponse[] = [];
    const called = deferred();
    const listener = await openListener({
      limits: { maxStreamsPerConnection: 2 },
      handle: (_, response) => {
        answers.push(response);
        if (answers.length === 2) called.resolve();
      },
    });
    const session = await connect2(listener.port);
    await once(session, "remoteSettings");
    const calls = Array.from({ length: 3 }, () => request2(session, "/"));
    await called.promise;
    expect(answers).toHaveLength(2);
    answers[0]!.end();
    await Promise.race(calls);
    while (answers.length < 3) await setImmediate();
    for (const answer of answers.slice(1)) answer.end();
    expect((await Promise.all(calls)).map(({ status }) => status)).toEqual([200, 200, 200]);
  });

  it("is unharmed by callers that read nothing of what they have asked for", async () => {
    const large = Buffer.alloc(4 * 1024 * 1024);
    const listener = await openListener({
      handle: (request, response) => {
        request.resume();
        if (request.url === "/") (response as ServerResponse).write(large);
        else response.end();
      },
    });
    // The bound is the client's own here; that of the server is meant.
    const session = await connect2(listener.port, { maxSessionMemory: 1000 });
    await once(session, "remoteSettings");
    for (let count = 0; count < 127; count++) {
      const stream = session.request({ ":path": "/" });
      await once(stream, "response");
    }
    expect((await request2(session, "/other")).status).toBe(200);
  });

  it("has headers of so many bytes", async () => {
    const { port } = await openListener({ limits: { maxHeaderBytes: 2048 } });
    const headers = { long: "x".repeat(3000) };
    expect((await request1(port, "/", { headers })).status).toBe(431);
    const session = await connect2(port);
    // It holds from when the client has acknowledged it.
    await request2(session, "/");
    const stream = session.request({ ":path": "/", ...headers });
    await expect(once(stream, "response")).rejects.toThrow();
    const other = await connect2(port);
    expect((await request2(other, "/")).status).toBe(200);
  });
});

describe("what breaks", () => {
  it.each(["http1", "http2"] as const)(
    "is survived: a reset amid a request, %s",
    async (protocol) => {
      const called = deferred();
      const ended = deferred();
      const listener = await openListener({
        handle: (request, response) => {
          response.on("close", ended.resolve);
          request.on("data", called.resolve);
          (response as ServerResponse).write("so far");
        },
      });
      const socket = await dial(listener.port);
      socket.write(
        protocol === "http1"
          ? "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 100\r\n\r\nab"
          : Buffer.concat([Buffer.from(PREFACE), SETTINGS, POST_FRAMES]),
      );
      await called.promise;
      socket.resetAndDestroy();
      await ended.promise;
      await emptied(listener);
    },
  );

  it.each(["http1", "http2"] as const)(
    "is survived: a half-closed socket, %s",
    async (protocol) => {
      const ended = deferred();
      const listener = await openListener({
        handle: (_, response) => {
          response.on("close", ended.resolve);
        },
      });
      const socket = await dial(listener.port);
      socket.end(
        protocol === "http1"
          ? "GET / HTTP/1.1\r\nhost: a\r\n\r\n"
          : Buffer.concat([Buffer.from(PREFACE), SETTINGS, GET_FRAME]),
      );
      await received(socket);
      await ended.promise;
      await emptied(listener);
    },
  );

  it("is told at once when the port is taken", async () => {
    const { port } = await openListener();
    await expect(openListener({ port })).rejects.toMatchObject({
      code: "IO_ERROR",
      message: expect.stringContaining("EADDRINUSE"),
    });
  });
});

describe("close", () => {
  it("lets calls end that are under way, and takes no more", async () => {
    const answers: NodeResponse[] = [];
    const called = deferred();
    const listener = await openListener({
      limits: { shutdownMs: 20_000 },
      handle: (_, response) => {
        answers.push(response);
        if (answers.length === 2) called.resolve();
      },
    });
    const { port } = listener;
    const session = await connect2(port);
    const idle = await connect2(port);
    const idle1 = await dial(port);
    const goaways = Promise.all([once(session, "goaway"), once(idle, "goaway"), received(idle1)]);
    const over2 = request2(session, "/");
    const over1 = request1(port, "/", { headers: { connection: "keep-alive" } });
    await called.promise;

    const closed = listener.close();
    await goaways;
    await expect(request1(port, "/")).rejects.toMatchObject({ code: "ECONNREFUSED" });
    for (const answer of answers) answer.end("accepted");
    expect((await over2).body).toBe("accepted");
    expect((await over1).body).toBe("accepted");
    await closed;
    await emptied(listener);
  });

  it("breaks off what takes too long, and what has not begun", async () => {
    const called = deferred();
    const listener = await openListener({
      limits: { shutdownMs: 50 },
      handle: (_, response) => {
        (response as ServerResponse).write("never the end");
        called.resolve();
      },
    });
    const session = await connect2(listener.port);
    const stream = session.request({ ":path": "/" });
    stream.on("error", () => undefined);
    stream.resume();
    const ended = once(session, "close");
    const amidPreface = await dial(listener.port);
    amidPreface.write("PRI");
    const nothing = received(amidPreface);
    await called.promise;
    await listener.close();
    await ended;
    expect(await nothing).toBe("");
    await listener.close();
  });
});
