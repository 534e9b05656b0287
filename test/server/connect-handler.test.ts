import { gzipSync } from "node:zlib";
import { createContextValues } from "@connectrpc/connect";
import { describe, expect, it } from "vitest";
import { ByteBudget } from "../../src/server/byte-budget.js";
import { connectHandler } from "../../src/server/connect-handler.js";
import { routeHealth } from "../../src/server/health-service.js";
import { ServingStatus } from "../../src/server/serving-status.js";
import { Health } from "../../src/wire/generated/grpc/health/v1/health_pb.js";
import { openListener } from "./sockets.js";

const BINARY = { "content-type": "application/proto" };
const GZIP = { "content-encoding": "gzip" };
/** A field that no message has: its tag, and a number. */
const UNKNOWN_FIELD = Buffer.from([0x78, 1]);

/** Calls on a port, with nothing in front of them. */
async function openCalls(routes: Parameters<typeof connectHandler>[0]["routes"]) {
  const handleCall = connectHandler({
    routes,
    maxMessageBytes: 1_000_000,
    budget: new ByteBudget(2_000_000, 0),
    messageMs: 20_000,
    onBroken: () => undefined,
  });
  const { port } = await openListener({
    handle: (request, response) => {
      handleCall(request, response, createContextValues(), undefined);
    },
  });
  return async (method: string, body: Uint8Array, headers: Record<string, string> = BINARY) => {
    const url = `http://127.0.0.1:${port}/${method}`;
    const answer = await fetch(url, { method: "POST", body, headers });
    return { status: answer.status, text: await answer.text() };
  };
}

describe("what a message has that is not known", () => {
  it("is not kept", async () => {
    const seen: unknown[] = [];
    const call = await openCalls((router) => {
      router.service(Health, {
        check: (request) => {
          seen.push(request.$unknown);
          return {};
        },
      });
    });
    expect((await call("grpc.health.v1.Health/Check", UNKNOWN_FIELD)).status).toBe(200);
    expect(seen).toEqual([undefined]);
  });
});

describe("whoever asks for health without a token", () => {
  const checks = () => openCalls((router) => routeHealth(router, new ServingStatus(), []));
  const CHECK = "grpc.health.v1.Health/Check";

  it("may not send a long message", async () => {
    const call = await checks();
    expect((await call(CHECK, Buffer.alloc(4096, UNKNOWN_FIELD))).status).toBe(200);
    const { status, text } = await call(CHECK, Buffer.alloc(4098, UNKNOWN_FIELD));
    expect({ status, text }).toEqual({
      status: 429,
      text: expect.stringContaining("resource_exhausted"),
    });
  });

  it("may not send a compressed one", async () => {
    const call = await checks();
    const { status, text } = await call(CHECK, gzipSync(UNKNOWN_FIELD), { ...BINARY, ...GZIP });
    expect({ status, text }).toEqual({
      status: 501,
      text: expect.stringContaining("unimplemented"),
    });
  });
});
