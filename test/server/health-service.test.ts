import { Code, createClient, createRouterTransport } from "@connectrpc/connect";
import { describe, expect, it } from "vitest";
import { healthService } from "../../src/server/health-service.js";
import { ServingStatus } from "../../src/server/serving-status.js";
import {
  Health,
  HealthCheckResponse_ServingStatus as Status,
} from "../../src/wire/generated/grpc/health/v1/health_pb.js";

function hosted() {
  const serving = new ServingStatus();
  const transport = createRouterTransport(({ service }) => {
    service(Health, healthService(serving, ["seglog.v1.LogService"]));
  });
  return { serving, client: createClient(Health, transport) };
}

describe("the health of a server", () => {
  it("is told for all of it and for each service", async () => {
    const { client } = hosted();
    for (const service of ["", "seglog.v1.LogService"]) {
      expect((await client.check({ service })).status).toBe(Status.SERVING);
    }
    await expect(client.check({ service: "other" })).rejects.toMatchObject({ code: Code.NotFound });
  });

  it("ends with a poisoned log, and when it stops", async () => {
    for (const change of ["poison", "stop"] as const) {
      const { serving, client } = hosted();
      serving[change]();
      expect((await client.check({})).status).toBe(Status.NOT_SERVING);
    }
  });

  it("is told again whenever it changes, until the server stops", async () => {
    const { serving, client } = hosted();
    const told: Status[] = [];
    for await (const { status } of client.watch({})) {
      told.push(status);
      if (told.length === 1) serving.poison();
      else serving.stop();
    }
    expect(told).toEqual([Status.SERVING, Status.NOT_SERVING, Status.NOT_SERVING]);
  });

  it("may be watched for a service that is not known", async () => {
    const { client } = hosted();
    for await (const { status } of client.watch({ service: "other" })) {
      expect(status).toBe(Status.SERVICE_UNKNOWN);
      break;
    }
  });

  it("may be watched by so many, and again when they have left", async () => {
    const { client } = hosted();
    const leaving = new AbortController();
    const { signal } = leaving;
    const watch = () => client.watch({}, { signal })[Symbol.asyncIterator]();
    const watchers = Array.from({ length: 1000 }, watch);
    for (const watcher of watchers) await watcher.next();
    await expect(watch().next()).rejects.toMatchObject({ code: Code.ResourceExhausted });
    leaving.abort();
    await Promise.allSettled(watchers.map((watcher) => watcher.next()));
    for await (const { status } of client.watch({})) {
      expect(status).toBe(Status.SERVING);
      break;
    }
  });
});
