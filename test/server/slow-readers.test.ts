import http2, { type ClientHttp2Stream } from "node:http2";
import { Code, createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { describe, expect, it, onTestFinished } from "vitest";
import { connect } from "../../src/client/index.js";
import { type SeglogServer, type ServerLimits, serve } from "../../src/server/index.js";
import { LogService } from "../../src/wire/generated/seglog/v1/log_service_pb.js";
import { fromStoredRecords } from "../../src/wire/stored-records.js";
import { openStore } from "../store/stores.js";
import {
  closedWindow,
  openSession,
  pausedRead,
  stalledCalls,
  takeSlowly,
} from "../support/stalled-peers.js";
import { newPath } from "../support/temporary-directory.js";
import { failureOf } from "./service-host.js";

const MIB = 1024 * 1024;
const LIMIT = { timeout: 20_000 };

/** A server of 16 records of 512 KiB in the key `much`, and one of 12 MiB in `long`. */
async function served(
  limits: ServerLimits,
  logger?: { debug(fields: object, text: string): void },
) {
  const store = await openStore(newPath(), { durability: "os" });
  for (let index = 0; index < 16; index++) {
    await store.append("much", Buffer.alloc(MIB / 2, index));
  }
  await store.append("long", Buffer.alloc(12 * MIB, "l"));
  const silent = { debug: () => undefined, info: () => undefined, warn: () => undefined };
  const server = await serve({ store, port: 0, limits, logger: { ...silent, ...logger } });
  onTestFinished(() => server.close());
  return server;
}

/** What a metric stands at, over all its labels that begin with `labels`. */
async function metric(server: SeglogServer, name: string, labels = ""): Promise<number> {
  const text = await (await fetch(`${server.url}/metrics`)).text();
  const lines = text.split("\n").filter((line) => line.startsWith(`${name}${labels}`));
  return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(" "))), 0);
}

/** Resolves when a metric is as it should be. */
async function until(
  server: SeglogServer,
  name: string,
  isReached: (value: number) => boolean,
): Promise<void> {
  while (!isReached(await metric(server, name)));
}

/** Resolves when a stream is over, however it ends. */
function closed(stream: ClientHttp2Stream): Promise<void> {
  return new Promise((resolve) => stream.once("close", resolve));
}

const TAKEN = "seglog_response_bytes_in_flight";
const ENDED = "seglog_responses_ended_total";

function caller(server: SeglogServer) {
  return createClient(LogService, createGrpcTransport({ baseUrl: server.url }));
}

/** Follows `much` to its end, and says what the first byte of each record is. */
async function followMuch(server: SeglogServer): Promise<number[]> {
  const seen: number[] = [];
  const gone = new AbortController();
  const request = { keys: [{ key: "much", offset: 0n }], acceptPacks: true };
  for await (const response of caller(server).follow(request, { signal: gone.signal })) {
    seen.push(...fromStoredRecords(response).map(({ value }) => value[0]!));
    if (seen.length >= 16) break;
  }
  gone.abort();
  return seen;
}

const ALL = Array.from({ length: 16 }, (_, index) => index);

describe("readers that take nothing", LIMIT, () => {
  it.each(["Follow", "Read"] as const)(
    "share what %s may hold, and honest ones go on",
    async (method) => {
      const lines: string[] = [];
      const logger = { debug: (_: object, text: string) => void lines.push(text) };
      const maxResponseBytesInFlight = 64 * MIB;
      const server = await served({ maxResponseBytesInFlight, roomMs: 250 }, logger);
      const session = await closedWindow(server.port);
      const streams = stalledCalls(session, method, "much", 128);
      const [ended] = streams.map((stream) => closed(stream));
      await until(server, TAKEN, (bytes) => bytes > 20 * MIB);
      for (let round = 0; round < 3; round++) {
        expect(await followMuch(server)).toEqual(ALL);
        expect(await metric(server, TAKEN)).toBeLessThanOrEqual(maxResponseBytesInFlight);
      }
      await ended;
      const codes = new Set(streams.filter(({ closed }) => closed).map(({ rstCode }) => rstCode));
      expect(codes).toEqual(new Set([http2.constants.NGHTTP2_ENHANCE_YOUR_CALM]));
      expect(await metric(server, ENDED, '{reason="room"}')).toBeGreaterThan(0);
      expect(lines).toContain("response ended, its caller took nothing of it");
      const calls = `{method="seglog.v1.LogService/${method}",status="RESOURCE_EXHAUSTED"}`;
      expect(await metric(server, "seglog_calls_total", calls)).toBeGreaterThan(0);
      session.destroy();
      await until(server, TAKEN, (bytes) => bytes === 0);
    },
  );

  it("over HTTP/1.1 are cut off", async () => {
    const server = await served({ maxResponseBytesInFlight: 40 * MIB, roomMs: 250 });
    const sockets = await Promise.all(
      Array.from({ length: 8 }, () => pausedRead(server.port, "long")),
    );
    await until(server, ENDED, (count) => count >= 3);
    expect(await followMuch(server)).toEqual(ALL);
    for (const socket of sockets) socket.destroy();
    await until(server, TAKEN, (bytes) => bytes === 0);
  });

  it("are ended after some time also where nobody waits", async () => {
    const server = await served({ stallMs: 300 });
    const session = await closedWindow(server.port);
    const [stream] = stalledCalls(session, "Follow", "much", 1);
    await closed(stream!);
    expect(stream!.rstCode).toBe(http2.constants.NGHTTP2_ENHANCE_YOUR_CALM);
    expect(await metric(server, ENDED, '{reason="stalled"}')).toBe(1);
    const calls = '{method="seglog.v1.LogService/Follow",status="RESOURCE_EXHAUSTED"}';
    expect(await metric(server, "seglog_calls_total", calls)).toBe(1);
  });

  it("and vanish leave nothing behind", async () => {
    const server = await served({ maxResponseBytesInFlight: 64 * MIB, roomMs: 20_000 });
    for (const method of ["Follow", "Read"] as const) {
      const session = await closedWindow(server.port);
      stalledCalls(session, method, "much", 20);
      await until(server, TAKEN, (bytes) => bytes > 20 * MIB);
      session.destroy();
      await until(server, TAKEN, (bytes) => bytes === 0);
    }
    const sockets = await Promise.all([1, 2].map(() => pausedRead(server.port, "long")));
    await until(server, TAKEN, (bytes) => bytes > 10 * MIB);
    for (const socket of sockets) socket.resetAndDestroy();
    await until(server, TAKEN, (bytes) => bytes === 0);
    expect(await metric(server, ENDED)).toBe(0);
  });

  it("do not keep a server from stopping, nor those who wait behind them", async () => {
    const limits = { maxResponseBytesInFlight: MIB, roomMs: 60_000, shutdownMs: 200 };
    const server = await served(limits);
    const session = await closedWindow(server.port);
    stalledCalls(session, "Read", "much", 100);
    await until(server, TAKEN, (bytes) => bytes > MIB);
    // It may get the room of the one that is broken off first.
    const read = caller(server)
      .read({ key: "long" })
      .catch(() => undefined);
    const follow = failureOf(followMuch(server));
    await until(server, "seglog_calls_under_way", (calls) => calls === 102);
    await server.close();
    await read;
    expect(await follow).toMatchObject({ code: Code.Unavailable });
  });
});

describe("honest readers", LIMIT, () => {
  it("are served one at a time where there is room for less than one", async () => {
    const server = await served({ maxResponseBytesInFlight: 1024 });
    const found = await Promise.all([1, 2, 3, 4].map(() => followMuch(server)));
    expect(found).toEqual([ALL, ALL, ALL, ALL]);
    const { records } = await caller(server).read({ key: "long", maxBytes: 1 });
    expect(records[0]!.value).toHaveLength(12 * MIB);
    await until(server, TAKEN, (bytes) => bytes === 0);
  });

  it("that are slow keep their streams where nobody waits", async () => {
    const server = await served({ stallMs: 1500 });
    const session = await openSession(server.port, 64 * 1024);
    const [stream] = stalledCalls(session, "Follow", "much", 1);
    expect(await takeSlowly(stream!, MIB, 200_000)).toBeGreaterThanOrEqual(MIB);
    expect(await metric(server, ENDED)).toBe(0);
  });

  it("go on where they were when they were ended for a pause", async () => {
    const server = await served({ stallMs: 100 });
    const client = await connect(server.url);
    onTestFinished(() => client.close());
    const consumer = client.consumer({ group: "g", keys: ["much"] });
    const seen: number[] = [];
    const take = async () => {
      for (const { record } of await consumer.poll({ maxRecords: 1 })) seen.push(record.value[0]!);
    };
    while (seen.length === 0) await take();
    await until(server, ENDED, (count) => count > 0);
    while (seen.length < 16) await take();
    expect(seen).toEqual(ALL);
    await consumer.close();
  });
});
