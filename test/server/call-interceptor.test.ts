import { createClient, createRouterTransport, type ServiceImpl } from "@connectrpc/connect";
import { describe, expect, it } from "vitest";
import { SeglogError } from "../../src/errors.js";
import { callInterceptor } from "../../src/server/call-interceptor.js";
import { failureInterceptor } from "../../src/server/failure-interceptor.js";
import type { LogFields } from "../../src/server/logging.js";
import { ServerMetrics } from "../../src/server/metrics.js";
import { Health } from "../../src/wire/generated/grpc/health/v1/health_pb.js";

const CHECK = "grpc.health.v1.Health/Check";
const WATCH = "grpc.health.v1.Health/Watch";

/** A service that is followed, and all that is told of its calls. */
function followed(service: Partial<ServiceImpl<typeof Health>>) {
  const metrics = new ServerMetrics();
  const lines: (LogFields & { level: string; message: string })[] = [];
  const write = (level: string) => (fields: LogFields, message: string) => {
    lines.push({ level, message, ...fields });
  };
  const logger = { debug: write("debug"), info: write("info"), warn: write("warn") };
  let poisoned = 0;
  const onPoisoned = () => poisoned++;
  const observe = callInterceptor({ metrics, logger, onPoisoned });
  const transport = createRouterTransport((router) => {
    router.service(Health, service, { interceptors: [failureInterceptor, observe] });
  });
  const client = createClient(Health, transport);
  return { client, lines, metrics, poisonings: () => poisoned };
}

describe("a call", () => {
  it("is counted, timed and logged at debug", async () => {
    const { client, lines, metrics } = followed({ check: () => ({}) });
    await client.check({});
    expect(lines).toEqual([
      {
        level: "debug",
        message: "call",
        method: CHECK,
        caller: "nobody",
        status: "OK",
        durationMs: expect.any(Number),
      },
    ]);
    const text = await metrics.text();
    expect(text).toContain(`seglog_calls_total{method="${CHECK}",status="OK"} 1`);
    expect(text).toContain(`seglog_call_seconds_count{method="${CHECK}"} 1`);
    expect(text).toContain("seglog_calls_under_way 0");
  });

  it.each([
    ["OFFSET_OUT_OF_RANGE", "debug", "OUT_OF_RANGE"],
    ["PERMISSION_DENIED", "debug", "PERMISSION_DENIED"],
    ["LIMIT_EXCEEDED", "debug", "RESOURCE_EXHAUSTED"],
    ["NO_SPACE", "warn", "RESOURCE_EXHAUSTED"],
    ["CORRUPTION", "warn", "DATA_LOSS"],
    ["LOG_POISONED", "warn", "UNAVAILABLE"],
  ] as const)("that fails with %s is logged at %s as %s", async (code, level, status) => {
    const cause = Object.assign(new Error("what the system said"), { code: "EIO" });
    const { client, lines, metrics, poisonings } = followed({
      check: () => Promise.reject(new SeglogError(code, "in /data/logs", { cause })),
    });
    await client.check({}).catch(() => undefined);
    expect(lines).toMatchObject([
      {
        level,
        status,
        code,
        error: "in /data/logs",
        cause: { code: "EIO", error: "what the system said" },
      },
    ]);
    expect(await metrics.text()).toContain(
      `seglog_calls_total{method="${CHECK}",status="${status}"} 1`,
    );
    expect(poisonings()).toBe(code === "LOG_POISONED" ? 1 : 0);
  });

  it("that nobody expected to fail is logged at warn, and its caller learns nothing", async () => {
    const { client, lines } = followed({ check: () => Promise.reject(new Error("secret path")) });
    const failure = await client.check({}).catch((error: Error) => error);
    expect(String(failure)).not.toContain("secret path");
    expect(lines).toMatchObject([{ level: "warn", status: "INTERNAL", error: "secret path" }]);
  });
});

describe("a stream", () => {
  it("is told of when it ends, and not timed", async () => {
    const { client, lines, metrics } = followed({
      async *watch() {
        yield {};
        expect(await metrics.text()).toContain("seglog_calls_under_way 1");
      },
    });
    for await (const _ of client.watch({}));
    expect(lines).toMatchObject([{ level: "debug", method: WATCH, status: "OK" }]);
    expect(await metrics.text()).not.toContain("seglog_call_seconds_count");
  });

  it("is told of when it fails half-way, and when its caller leaves", async () => {
    const failing = followed({
      async *watch() {
        yield {};
        throw new SeglogError("UNAVAILABLE", "stopping");
      },
    });
    const read = async () => {
      for await (const _ of failing.client.watch({}));
    };
    await expect(read()).rejects.toThrow("stopping");
    expect(failing.lines).toMatchObject([
      { level: "debug", status: "UNAVAILABLE", code: "UNAVAILABLE" },
    ]);
    expect(await failing.metrics.text()).toContain("seglog_calls_under_way 0");
  });
});
