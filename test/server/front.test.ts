import { once } from "node:events";
import type { IncomingHttpHeaders } from "node:http";
import { setImmediate } from "node:timers/promises";
import { Code, createClient } from "@connectrpc/connect";
import {
  createConnectTransport,
  createGrpcTransport,
  createGrpcWebTransport,
} from "@connectrpc/connect-node";
import { describe, expect, it } from "vitest";
import { FULL_ACCESS } from "../../src/server/access.js";
import { ByteBudget } from "../../src/server/byte-budget.js";
import { connectHandler } from "../../src/server/connect-handler.js";
import { Front } from "../../src/server/front.js";
import { routeHealth } from "../../src/server/health-service.js";
import type { ServerLimits } from "../../src/server/limits.js";
import { ServerMetrics } from "../../src/server/metrics.js";
import { ResponseBudget } from "../../src/server/response-budget.js";
import { serviceRoutes } from "../../src/server/routes.js";
import { ServingStatus } from "../../src/server/serving-status.js";
import { Tokens } from "../../src/server/tokens.js";
import { Health } from "../../src/wire/generated/grpc/health/v1/health_pb.js";
import { LogService } from "../../src/wire/generated/seglog/v1/log_service_pb.js";
import { toBatch } from "../../src/wire/records.js";
import { fromConnectError } from "../../src/wire/remote-error.js";
import { openStore } from "../store/stores.js";
import { newPath } from "../support/temporary-directory.js";
import { failureOf } from "./service-host.js";
import { connect2, dial, openListener, received, request1, request2 } from "./sockets.js";
import { tokensOf } from "./token-file.js";

const APPEND = "/seglog.v1.LogService/Append";
const CHECK = "/grpc.health.v1.Health/Check";
const TOKENS = Tokens.parse(
  tokensOf({
    reader: { rights: ["read"], prefix: "" },
    operator: { rights: ["admin"], prefix: "" },
    narrow: { rights: ["admin"], prefix: "a" },
  }),
  "tokens.json",
);
const bearer = (token: string) => ({ authorization: `Bearer ${token}` });

interface Given {
  readonly hasTokens?: boolean;
  readonly limits?: ServerLimits;
  readonly messageMs?: number;
}

/** A whole front on a port, before the services of a new store. */
async function openFront({ hasTokens = false, limits = {}, messageMs = 20_000 }: Given = {}) {
  const store = await openStore(newPath());
  const serving = new ServingStatus();
  const budget = new ByteBudget(1_000_000, 0);
  const refusals: string[] = [];
  const context = {
    store,
    limits: { maxMessageBytes: 100_000, maxPollBytes: 1e6, maxPollRecords: 100, maxPageKeys: 10 },
    appendBudget: budget,
    stopping: new AbortController().signal,
    onAppended: () => undefined,
    onBatchFailed: () => undefined,
  };
  const services = serviceRoutes(context, "comlog", []);
  const front = new Front({
    handleCall: connectHandler({
      routes: (router) => {
        services(router);
        routeHealth(router, serving, []);
      },
      maxMessageBytes: 100_000,
      budget,
      responses: new ResponseBudget({ maxBytes: 8_000_000, roomMs: 1000, stallMs: 20_000 }),
      messageMs,
      onBroken: () => undefined,
      onStalled: () => undefined,
    }),
    accessOf: (header) => (hasTokens ? TOKENS.accessOf(header) : FULL_ACCESS),
    origins: new Set(["https://page.example"]),
    hostNames: undefined,
    serving,
    metrics: new ServerMetrics(),
    onRefused: (path, { code }) => refusals.push(`${path} ${code}`),
  });
  const { port } = await openListener({ limits, handle: front.handle.bind(front) });
  const baseUrl = `http://127.0.0.1:${port}`;
  const transports = {
    gRPC: createGrpcTransport({ baseUrl }),
    "gRPC-Web": createGrpcWebTransport({ baseUrl, httpVersion: "1.1" }),
    Connect: createConnectTransport({ baseUrl, httpVersion: "2" }),
    "Connect JSON": createConnectTransport({ baseUrl, httpVersion: "1.1", useBinaryFormat: false }),
  };
  return { port, baseUrl, transports, serving, budget, refusals };
}

/** Resolves when nothing is under way any more. */
async function emptied(budget: ByteBudget): Promise<void> {
  while (budget.taken > 0) await setImmediate();
}

describe.each(["gRPC", "gRPC-Web", "Connect", "Connect JSON"] as const)("over %s", (protocol) => {
  it("a missing or wrong token is refused, with its code", async () => {
    const { transports, refusals } = await openFront({ hasTokens: true });
    const client = createClient(LogService, transports[protocol]);
    const calls = [
      (options: object) => client.append({ key: "k", ...toBatch(["a"]) }, options),
      (options: object) =>
        client
          .follow({ keys: [{ key: "k" }] }, options)
          [Symbol.asyncIterator]()
          .next(),
    ];
    for (const call of calls) {
      for (const headers of [{}, bearer("wrong")]) {
        expect(fromConnectError(await failureOf(call({ headers })))).toMatchObject({
          code: "UNAUTHENTICATED",
        });
      }
    }
    expect(refusals).toHaveLength(4);
    expect((await client.read({ key: "k" }, { headers: bearer("reader") })).endOffset).toBe(0n);
    const denied = client.append({ key: "k", ...toBatch(["a"]) }, { headers: bearer("reader") });
    expect(fromConnectError(await failureOf(denied))).toMatchObject({ code: "PERMISSION_DENIED" });
  });

  it("one connection too many is told so, with its code", async () => {
    const { port, transports } = await openFront({ limits: { maxConnections: 1 } });
    const first = await connect2(port);
    await request2(first, "/healthz");
    const client = createClient(LogService, transports[protocol]);
    expect(fromConnectError(await failureOf(client.read({ key: "k" })))).toMatchObject({
      code: "LIMIT_EXCEEDED",
    });
  });

  it("a message that is too long is refused, and one that has no room", async () => {
    const { transports, budget } = await openFront();
    const client = createClient(LogService, transports[protocol]);
    const append = () => client.append({ key: "k", ...toBatch([Buffer.alloc(100_001)]) });
    expect(fromConnectError(await failureOf(append()))).toMatchObject({ code: "LIMIT_EXCEEDED" });
    await emptied(budget);
    const giveBack = await budget.take(1_000_000);
    const small = () => client.append({ key: "k", ...toBatch(["a"]) });
    expect(fromConnectError(await failureOf(small()))).toMatchObject({ code: "LIMIT_EXCEEDED" });
    giveBack();
    expect((await small()).lastOffset).toBe(0n);
    await emptied(budget);
  });

  it("health is told without a token", async () => {
    const { transports, serving } = await openFront({ hasTokens: true });
    const client = createClient(Health, transports[protocol]);
    expect((await client.check({})).status).toBe(1);
    serving.poison();
    expect((await client.check({})).status).toBe(2);
  });
});

describe("a refused call", () => {
  it.each([
    ["gRPC", "/seglog.v1.LogService/AppendStream", "application/grpc+proto"],
    ["Connect", APPEND, "application/proto"],
    ["no call", "/nothing", "text/plain"],
  ])("is cut off, however much its caller sends: %s", async (_, path, type) => {
    const { port, budget } = await openFront({ hasTokens: true });
    const session = await connect2(port);
    const stream = session.request({ ":path": path, ":method": "POST", "content-type": type });
    stream.on("error", () => undefined);
    const closed = once(stream, "close");
    const trailers: IncomingHttpHeaders = {};
    stream.on("trailers", (got) => Object.assign(trailers, got));
    const piece = Buffer.alloc(64 * 1024);
    const send = () => {
      while (!stream.destroyed && stream.write(piece));
    };
    stream.on("drain", send);
    send();
    stream.resume();
    await closed;
    const isGrpc = type.startsWith("application/grpc");
    expect(trailers["grpc-status"]).toBe(isGrpc ? String(Code.Unauthenticated) : undefined);
    expect(budget.taken).toBe(0);
  });
});

describe("a message that stalls", () => {
  it.each(["1.1", "2"] as const)("is cut off, over HTTP/%s", async (version) => {
    const { port, budget } = await openFront({ messageMs: 50 });
    const headers = { "content-type": "application/json" };
    if (version === "1.1") {
      const socket = await dial(port);
      const length = "content-length: 100";
      const head = `POST ${APPEND} HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n`;
      socket.write(`${head}${length}\r\n\r\n{`);
      expect(await received(socket)).toBe("");
    } else {
      const session = await connect2(port);
      const stream = session.request({ ":path": APPEND, ":method": "POST", ...headers });
      stream.on("error", () => undefined);
      stream.write("{");
      await once(stream, "close").catch(() => undefined);
      expect((await request2(session, "/healthz")).status).toBe(200);
    }
    await emptied(budget);
  });
});

describe("a request whose end does not come", () => {
  it.each(["1.1", "2"] as const)("is cut off, over HTTP/%s", async (version) => {
    const { port, budget } = await openFront({ hasTokens: true, messageMs: 50 });
    if (version === "1.1") {
      const socket = await dial(port);
      const head = `POST ${CHECK} HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n`;
      socket.write(`${head}content-length: 2\r\n\r\n`);
      expect(await received(socket)).toBe("");
    } else {
      const session = await connect2(port);
      const headers = { "content-type": "application/grpc", te: "trailers" };
      const stream = session.request({ ":path": CHECK, ":method": "POST", ...headers });
      stream.on("error", () => undefined);
      // An empty message, and that is all of it.
      stream.write(Buffer.alloc(5));
      await once(stream, "close").catch(() => undefined);
      expect((await request2(session, "/healthz")).status).toBe(200);
    }
    await emptied(budget);
  });
});

describe("pages", () => {
  it("tell of health without a token", async () => {
    const { port, serving } = await openFront({ hasTokens: true });
    expect(await request1(port, "/healthz")).toMatchObject({ status: 200, body: "serving\n" });
    serving.stop();
    expect(await request1(port, "/healthz?x")).toMatchObject({ status: 503 });
    expect((await request2(await connect2(port), "/healthz")).status).toBe(503);
  });

  it("tell of metrics to whoever has the right to all keys", async () => {
    const { port } = await openFront({ hasTokens: true });
    expect((await request1(port, "/metrics")).status).toBe(401);
    for (const name of ["reader", "narrow"]) {
      const { status, body } = await request1(port, "/metrics", { headers: bearer(name) });
      expect({ status, body }).toMatchObject({
        status: 403,
        body: expect.stringContaining("admin"),
      });
    }
    const { status, body, headers } = await request1(port, "/metrics", {
      headers: bearer("operator"),
    });
    expect(status).toBe(200);
    expect(headers["content-type"]).toContain("text/plain");
    expect(body).toContain("seglog_appends_total 0");
    const open = await openFront();
    expect((await request1(open.port, "/metrics")).status).toBe(200);
  });

  it("are not there elsewhere", async () => {
    const { port } = await openFront();
    expect((await request1(port, "/")).status).toBe(404);
    expect((await request1(port, "/seglog.v1.LogService/Nothing", { method: "POST" })).status).toBe(
      404,
    );
    expect((await request1(port, APPEND, { method: "DELETE" })).status).toBe(405);
  });
});

describe("web pages", () => {
  const preflight = {
    "access-control-request-method": "POST",
    "access-control-request-headers": "content-type,authorization",
  };

  it("of an origin that is listed may call", async () => {
    const { port } = await openFront();
    const origin = "https://page.example";
    const asked = await request1(port, APPEND, {
      method: "OPTIONS",
      headers: { origin, ...preflight },
    });
    expect(asked.status).toBe(204);
    expect(asked.headers).toMatchObject({
      "access-control-allow-origin": origin,
      "access-control-allow-methods": expect.stringContaining("POST"),
      "access-control-allow-headers": expect.stringContaining("authorization"),
    });
    const body = JSON.stringify({ key: "k", records: [{ value: "YQ==" }, {}] });
    const headers = { origin, "content-type": "application/json" };
    const called = await request1(port, APPEND, { method: "POST", headers, body });
    expect(called).toMatchObject({ status: 200, body: '{"baseOffset":"0","lastOffset":"1"}' });
    expect(called.headers["access-control-allow-origin"]).toBe(origin);
  });

  it("of any other may not, whatever host their name leads to", async () => {
    const { port } = await openFront();
    for (const origin of ["https://other.example", "null", `http://127.0.0.1:${port}`]) {
      const headers = { origin, ...preflight };
      expect((await request1(port, APPEND, { method: "OPTIONS", headers })).status).toBe(403);
      expect((await request1(port, "/metrics", { headers: { origin } })).status).toBe(403);
    }
  });
});

describe("requests that are odd", () => {
  it.each([
    ["no host", `POST ${APPEND} HTTP/1.0\r\ncontent-type: application/json\r\n\r\n{}`],
    ["a host that is none", `POST ${APPEND} HTTP/1.1\r\nhost: [\r\ncontent-length: 0\r\n\r\n`],
    ["a path that is none", "GET //[ HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n"],
    ["CONNECT", "CONNECT a:1 HTTP/1.1\r\nhost: a\r\n\r\n"],
    ["an upgrade", "GET / HTTP/1.1\r\nhost: a\r\nupgrade: h2c\r\nconnection: upgrade\r\n\r\n"],
    ["many headers", `GET / HTTP/1.1\r\nhost: a\r\n${"x: y\r\n".repeat(10_000)}\r\n`],
    [
      "two lengths",
      "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab",
    ],
  ])("do no harm: %s", async (_, text) => {
    const { port } = await openFront({ limits: { idleMs: 100 } });
    const socket = await dial(port);
    socket.write(text);
    await received(socket);
    expect((await request1(port, "/healthz")).status).toBe(200);
  });

  it("do no harm over HTTP/2 either", async () => {
    const { port } = await openFront();
    const session = await connect2(port);
    const odd = [
      { ":method": "CONNECT", ":authority": "a:1" },
      { ":path": "*", ":method": "OPTIONS" },
      { ":path": APPEND, ":method": "POST", ":authority": "[", "content-type": "application/json" },
    ];
    for (const headers of odd) {
      const stream = session.request(headers, { endStream: true });
      stream.on("error", () => undefined);
      stream.resume();
      await once(stream, "close").catch(() => undefined);
    }
    expect((await request2(session, "/healthz")).status).toBe(200);
  });
});
