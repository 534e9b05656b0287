import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import * as grpc from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import { describe, expect, it, onTestFinished } from "vitest";
import type { RecordInput } from "../../src/index.js";
import { openStore } from "../store/stores.js";
import { newPath } from "../support/temporary-directory.js";
import { bytes } from "../wire/bytes.js";
import { host } from "./service-host.js";

const PROTOS = fileURLToPath(new URL("../../src/wire/proto", import.meta.url));

interface GrpcClient extends grpc.Client {
  // biome-ignore lint/suspicious/noExplicitAny: made from a .proto when the test runs
  [method: string]: any;
}

/** A client of another library, made from the .proto files that ship with the package. */
function grpcClient(
  file: string,
  service: string,
  url: string,
  options: grpc.ChannelOptions = {},
): GrpcClient {
  const loaded = grpc.loadPackageDefinition(
    loadSync(file, { includeDirs: [PROTOS, dirname(PROTOS)], longs: Number, defaults: true }),
  );
  const path = service.split(".");
  // biome-ignore lint/suspicious/noExplicitAny: see above
  const Client = path.reduce((place: any, name) => place[name], loaded);
  const client = new Client(new URL(url).host, grpc.credentials.createInsecure(), options);
  onTestFinished(() => client.close());
  return client;
}

function logClient(url: string, options?: grpc.ChannelOptions): GrpcClient {
  return grpcClient("seglog/v1/log_service.proto", "seglog.v1.LogService", url, options);
}

function call(
  client: GrpcClient,
  method: string,
  request: object,
): Promise<Record<string, unknown>> {
  return new Promise((resolve, reject) => {
    client[method](request, (error: Error | null, response: Record<string, unknown>) =>
      error === null ? resolve(response) : reject(error),
    );
  });
}

async function hosted() {
  const store = await openStore(newPath());
  return { store, services: await host(store) };
}

describe("a gRPC client of another library", () => {
  it("appends, reads and is told failures", async () => {
    const { services } = await hosted();
    const client = logClient(services.http2Url);
    const records = [{ value: bytes("a") }, { value: bytes("b"), key: bytes("K") }];
    const appended = await call(client, "append", { key: "k", records });
    expect(appended).toMatchObject({ baseOffset: 0, lastOffset: 1 });
    const read = await call(client, "read", { key: "k" });
    expect(read).toMatchObject({ nextOffset: 2, records: [{ offset: 0 }, { offset: 1 }] });
    await expect(call(client, "read", { key: "k", offset: 9 })).rejects.toMatchObject({
      code: grpc.status.OUT_OF_RANGE,
      details: expect.stringContaining("Offset 9 is outside of the log"),
    });
    await expect(call(client, "metadata", { key: "none" })).rejects.toMatchObject({
      code: grpc.status.NOT_FOUND,
    });
  });

  it("appends and follows streams", async () => {
    const { services } = await hosted();
    const client = logClient(services.http2Url);
    const following = client.follow({ keys: [{ key: "k" }] });
    const received: unknown[] = [];
    const all = new Promise<void>((resolve) => {
      following.on("data", ({ records }: { records: { offset: number }[] }) => {
        received.push(...records.map(({ offset }) => offset));
        if (received.length === 3) resolve();
      });
    });
    following.on("error", () => undefined);
    const appending = client.appendStream();
    const answers: unknown[] = [];
    appending.on("data", (answer: { appended: { lastOffset: number } }) => {
      answers.push(answer.appended.lastOffset);
    });
    for (const text of ["a", "b", "c"]) {
      appending.write({ key: "k", pack: { values: bytes(text), lengths: [1] } });
    }
    const ended = new Promise((resolve) => appending.on("end", resolve));
    appending.end();
    await Promise.all([all, ended]);
    following.cancel();
    expect([received, answers]).toEqual([
      [0, 1, 2],
      [0, 1, 2],
    ]);
  });

  it.each([
    ["of a kilobyte", 5000, new Uint8Array(1000)],
    ["of 410 bytes, with a key", 10_500, { value: new Uint8Array(410), key: "k" }],
  ])("reads and follows records %s, by the usual limit of a message", async (_, count, record) => {
    const { store, services } = await hosted();
    const client = logClient(services.http2Url);
    const batch = new Array<RecordInput>(100).fill(record);
    for (let stored = 0; stored < count; stored += 100) await store.appendBatch("k", batch);
    const most = { maxBytes: 2 ** 32 - 1, maxRecords: 2 ** 32 - 1 };
    for (const acceptPacks of [false, true]) {
      let offset = 0;
      while (offset < count) {
        const read = await call(client, "read", { key: "k", offset, acceptPacks, ...most });
        expect(read.nextOffset).toBeGreaterThan(offset);
        offset = read.nextOffset as number;
      }
      const following = client.follow({ keys: [{ key: "k" }], acceptPacks, ...most });
      for await (const { nextOffset } of following) if (nextOffset === count) break;
    }
  });

  it("has to be told when a single record is longer than its messages", async () => {
    const { store, services } = await hosted();
    await store.appendBatch("k", ["a", new Uint8Array(5e6)]);
    const request = { key: "k", offset: 1 };
    await expect(call(logClient(services.http2Url), "read", request)).rejects.toMatchObject({
      code: grpc.status.RESOURCE_EXHAUSTED,
    });
    const options = { "grpc.max_receive_message_length": 17 * 2 ** 20 };
    const read = await call(logClient(services.http2Url, options), "read", request);
    expect(read).toMatchObject({ nextOffset: 2 });
  });

  it("speaks ComLog", async () => {
    const { services } = await hosted();
    const client = grpcClient("api/comlog.proto", "api.ComLogRpc", services.http2Url);
    const batch = [{ data: bytes("x") }, { data: bytes("y") }];
    const { response } = await call(client, "batchAppend", { batch });
    expect(response).toMatchObject([
      { resp: { offset: 0, nbrOfStoredBytes: 9 }, index: 0 },
      { resp: { offset: 1, nbrOfStoredBytes: 9 }, index: 1 },
    ]);
    const read = await call(client, "read", { value: -1 });
    expect(read).toMatchObject({ nbrOfReadBytes: 9 });
    await expect(call(client, "read", { value: 2 })).rejects.toMatchObject({
      code: grpc.status.OUT_OF_RANGE,
    });
    expect(await call(client, "getMetaData", {})).toMatchObject({ lastOffset: 1 });
  });
});

describe("plain HTTP", () => {
  it("takes JSON and answers with JSON", async () => {
    const { services } = await hosted();
    const post = async (method: string, body: object | string) => {
      const response = await fetch(`${services.http1Url}/seglog.v1.LogService/${method}`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: typeof body === "string" ? body : JSON.stringify(body),
      });
      // biome-ignore lint/suspicious/noExplicitAny: it is whatever came
      return [response.status, (await response.json()) as any] as const;
    };
    const value = Buffer.from("hello").toString("base64");
    expect(await post("Append", { key: "k", records: [{ value }, { value }] })).toEqual([
      200,
      { baseOffset: "0", lastOffset: "1" },
    ]);
    const [status, read] = await post("Read", { key: "k", maxRecords: 1 });
    expect([status, read.records[0].value, read.nextOffset]).toEqual([200, value, "1"]);
    const [failed, failure] = await post("Read", { key: "k", offset: "7" });
    expect([failed, failure.code]).toEqual([400, "out_of_range"]);
    expect(failure.details[0].type).toBe("seglog.v1.ErrorDetail");
    expect((await post("Metadata", { key: "none" }))[0]).toBe(404);
    expect((await post("Read", "{"))[0]).toBe(400);
    expect((await post("Read", { key: "\ud800" }))[0]).toBe(400);
    expect((await post("Commit", { group: "g", offsets: { k: "1" } }))[0]).toBe(200);
  });
});
