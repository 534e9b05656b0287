import { gzipSync } from "node:zlib";
import { type ConnectRouter, createClient, createContextValues } from "@connectrpc/connect";
import {
  compressionGzip,
  createConnectTransport,
  createGrpcTransport,
} from "@connectrpc/connect-node";
import { describe, expect, it } from "vitest";
import { ByteBudget } from "../../src/server/byte-budget.js";
import { connectHandler } from "../../src/server/connect-handler.js";
import { routeHealth } from "../../src/server/health-service.js";
import { checkElements } from "../../src/server/message-elements.js";
import { ResponseBudget } from "../../src/server/response-budget.js";
import { ServingStatus } from "../../src/server/serving-status.js";
import { Health } from "../../src/wire/generated/grpc/health/v1/health_pb.js";
import {
  AppendRequestSchema,
  LogService,
} from "../../src/wire/generated/seglog/v1/log_service_pb.js";
import { fromConnectError } from "../../src/wire/remote-error.js";
import { openListener } from "./sockets.js";

const BINARY = { "content-type": "application/proto" };
const APPEND = "seglog.v1.LogService/Append";
const GZIP = { "content-encoding": "gzip" };
/** A field that no message has: its tag, and a number. */
const UNKNOWN_FIELD = Buffer.from([0x78, 1]);

type Routes = (router: ConnectRouter) => void;

/** @returns The address of a server of calls, with nothing in front of them. */
async function openPort(routes: Routes): Promise<string> {
  const handleCall = connectHandler({
    routes,
    maxMessageBytes: 4_000_000,
    budget: new ByteBudget(8_000_000, 0),
    responses: new ResponseBudget({ maxBytes: 8_000_000, roomMs: 1000, stallMs: 20_000 }),
    messageMs: 20_000,
    onBroken: () => undefined,
    onStalled: () => undefined,
  });
  const { port } = await openListener({
    handle: (request, response) => {
      handleCall(request, response, createContextValues(), undefined);
    },
  });
  return `http://127.0.0.1:${port}`;
}

/** @returns What calls a server of calls, and what that answers. */
async function openCalls(routes: Routes) {
  const baseUrl = await openPort(routes);
  return async (method: string, body: Uint8Array, headers: Record<string, string> = BINARY) => {
    const answer = await fetch(`${baseUrl}/${method}`, { method: "POST", body, headers });
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

describe("a message of many elements", () => {
  const EMPTY_RECORD = Buffer.from([0x12, 0]);
  const EMPTY_HEADER = Buffer.from([0x1a, 0]);
  const packed = (body: Buffer) => Buffer.concat([lengthPrefix(0x1a, body), body]);
  const lengths = Buffer.alloc(66_561, 1);
  const headers = Buffer.alloc(2 * 1_048_577, EMPTY_HEADER);
  const JSON_TYPE = "application/json";

  function lengthPrefix(tag: number, { length }: Buffer): Buffer {
    const low = [0, 7, 14].map((shift) => ((length >> shift) & 127) | 128);
    return Buffer.from([tag, ...low, length >> 21]);
  }

  async function appends() {
    let calls = 0;
    const call = await openCalls((router) => {
      router.service(LogService, {
        append: ({ records }) => {
          calls++;
          return { lastOffset: BigInt(records.length) };
        },
      });
    });
    return { call, calls: () => calls };
  }

  it.each([
    ["records", Buffer.alloc(2 * 66_561, EMPTY_RECORD), "application/proto"],
    ["numbers", packed(Buffer.concat([lengthPrefix(0x12, lengths), lengths])), "application/proto"],
    ["records in JSON", Buffer.from(`{"records":[{}${",{}".repeat(524_288)}]}`), JSON_TYPE],
  ])("is refused before it is decoded, compressed or not: %s", async (_, body, type) => {
    const { call, calls } = await appends();
    for (const [sent, headers] of [
      [body, {}],
      [gzipSync(body), GZIP],
    ] as const) {
      const answer = await call(APPEND, sent, { "content-type": type, ...headers });
      expect(answer.status).toBe(429);
      expect(answer.text).toContain("LIMIT_EXCEEDED");
    }
    expect(calls()).toBe(0);
  });

  it.each([undefined, compressionGzip])("is refused amid a stream", async (compression) => {
    const url = await openPort((router) => {
      router.service(LogService, {
        async *appendStream(requests) {
          for await (const { records } of requests) {
            const lastOffset = BigInt(records.length);
            yield { result: { case: "appended", value: { lastOffset } } };
          }
        },
      });
    });
    const sending = compression && { sendCompression: compression, compressMinBytes: 0 };
    for (const transport of [
      createGrpcTransport({ baseUrl: url, ...sending }),
      createConnectTransport({ baseUrl: url, httpVersion: "2", ...sending }),
    ]) {
      async function* requests() {
        for (const count of [1, 66_000, 67_000]) {
          yield { key: "k", records: Array.from({ length: count }, () => ({})) };
        }
      }
      const answered: unknown[] = [];
      const read = async () => {
        for await (const { result } of createClient(LogService, transport).appendStream(
          requests(),
        )) {
          if (result.case === "appended") answered.push(result.value.lastOffset);
        }
      };
      const failure = await read().catch(fromConnectError);
      expect(failure).toMatchObject({ code: "LIMIT_EXCEEDED" });
      expect(answered).toEqual([1n, 66_000n]);
    }
  });

  it("is refused within a record, too", () => {
    const record = Buffer.concat([lengthPrefix(0x12, headers), headers]);
    const check = () => checkElements(record, AppendRequestSchema, false);
    expect(check).toThrow(expect.objectContaining({ code: "LIMIT_EXCEEDED" }));
  });

  it("is taken up to the limit, whatever its texts hold", async () => {
    const { call } = await appends();
    const most = Buffer.alloc(2 * 66_560, EMPTY_RECORD);
    for (const [sent, headers] of [
      [most, {}],
      [gzipSync(most), GZIP],
    ] as const) {
      const { text } = await call(APPEND, sent, { ...BINARY, ...headers });
      expect(text).toBe(Buffer.from([0x10, 0x80, 0x88, 0x04]).toString());
    }
    const key = `\\"${",".repeat(1_048_576)}\\`;
    const json = Buffer.from(JSON.stringify({ key, records: [{}] }));
    expect((await call(APPEND, gzipSync(json), { "content-type": JSON_TYPE, ...GZIP })).text).toBe(
      '{"baseOffset":"0","lastOffset":"1"}',
    );
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
