import { connect as connectHttp2 } from "node:http2";
import { create, toBinary } from "@bufbuild/protobuf";
import { Code, type ConnectError } from "@connectrpc/connect";
import { describe, expect, it } from "vitest";
import {
  FollowRequestSchema,
  type FollowResponse,
  Start,
} from "../../src/wire/generated/seglog/v1/log_service_pb.js";
import { fromStoredRecords } from "../../src/wire/stored-records.js";
import { fill, openStore, textsOf } from "../store/stores.js";
import { newPath } from "../support/temporary-directory.js";
import { failureOf, host, type ServiceHost } from "./service-host.js";

async function hosted(limits = {}) {
  const store = await openStore(newPath(), { segmentBytes: 4096 });
  return { store, services: await host(store, { limits }) };
}

/** A stream that is read one response at a time. */
class Following {
  readonly #answers: AsyncIterator<FollowResponse>;
  readonly #gone = new AbortController();

  constructor(services: ServiceHost, request: object) {
    const stream = services.client().follow(request, { signal: this.#gone.signal });
    this.#answers = stream[Symbol.asyncIterator]();
  }

  next(): Promise<FollowResponse> {
    return this.#answers.next().then(({ value }) => value);
  }

  /** Records until there are `count`, each with its key. */
  async take(count: number): Promise<string[]> {
    const texts: string[] = [];
    while (texts.length < count) texts.push(...textsOf(fromStoredRecords(await this.next())));
    return texts;
  }

  async end(): Promise<void> {
    const last = failureOf(this.next());
    this.#gone.abort();
    await last;
  }
}

describe("following", () => {
  it("begins where it is told, first of all says where, and goes on with what comes", async () => {
    const { store, services } = await hosted();
    for (const key of ["a", "b", "c", "d"]) await fill(store, key, 3);
    await store.group("g").commit({ b: 1, c: 2 });
    const keys = [{ key: "a", offset: 2n }, { key: "b" }, { key: "d" }, { key: "new" }];
    const following = new Following(services, { keys, group: "g" });
    const begins = [];
    for (const _ of keys) begins.push(await following.next());
    expect(begins.map(({ key, nextOffset, endOffset }) => [key, nextOffset, endOffset])).toEqual([
      ["a", 2n, 3n],
      ["b", 1n, 3n],
      ["d", 0n, 3n],
      ["new", 0n, 0n],
    ]);
    expect(await following.take(6)).toEqual(["a 2", "b 1", "b 2", "d 0", "d 1", "d 2"]);
    await fill(store, "c", 1);
    await fill(store, "new", 2);
    expect(await following.take(2)).toEqual(["new 0", "new 1"]);
    await store.append("a", "a 3");
    expect(await following.take(1)).toEqual(["a 3"]);
    await following.end();
  });

  it("takes turns between keys", async () => {
    const { store, services } = await hosted();
    for (const key of ["a", "b"]) await fill(store, key, 100);
    const keys = [{ key: "a" }, { key: "b" }];
    const following = new Following(services, { keys, maxBytes: 1 });
    expect(await following.take(6)).toEqual(["a 0", "b 0", "a 1", "b 1", "a 2", "b 2"]);
    await following.end();
  });

  it("gives as much as a response may hold", async () => {
    const { store, services } = await hosted({ maxPollRecords: 7 });
    await fill(store, "a", 20);
    const following = new Following(services, { keys: [{ key: "a" }], acceptPacks: true });
    await following.next();
    const sizes = [];
    for (let response = 0; response < 3; response++) {
      sizes.push(fromStoredRecords(await following.next()).length);
    }
    expect(sizes).toEqual([7, 7, 6]);
    await following.end();
  });

  it.each([
    ["earliest", Start.UNSPECIFIED, 5n],
    ["earliest", Start.EARLIEST, 5n],
    ["latest", Start.LATEST, 8n],
  ])("begins at the %s record where an offset is gone", async (_, start, begin) => {
    const { store, services } = await hosted();
    await fill(store, "a", 8);
    await (await store.log("a")).deleteBefore(5);
    for (const key of [{ key: "a", offset: 2n }, { key: "a", offset: 9n }, { key: "a" }]) {
      const following = new Following(services, { keys: [key], start });
      expect((await following.next()).nextOffset).toBe(begin);
      await following.end();
    }
  });

  it("goes on at the first record where retention overtakes it", async () => {
    const { store, services } = await hosted();
    await fill(store, "a", 8);
    const following = new Following(services, { keys: [{ key: "a" }], maxBytes: 1 });
    expect(await following.take(1)).toEqual(["a 0"]);
    await (await store.log("a")).deleteBefore(6);
    const rest: string[] = [];
    while (!rest.includes("a 7")) rest.push(...(await following.take(1)));
    // Some were on their way already.
    expect(rest.slice(-2)).toEqual(["a 6", "a 7"]);
    await following.end();
  });

  it.each([
    ["no keys", { keys: [] }, Code.InvalidArgument],
    ["a key twice", { keys: [{ key: "a" }, { key: "a" }] }, Code.InvalidArgument],
    ["an empty key", { keys: [{ key: "" }] }, Code.InvalidArgument],
    ["an unknown start", { keys: [{ key: "a" }], start: 9 }, Code.InvalidArgument],
    ["no bytes", { keys: [{ key: "a" }], maxBytes: 0 }, Code.InvalidArgument],
    ["an empty group", { keys: [{ key: "a" }], group: "" }, Code.InvalidArgument],
    ["an offset that is gone", { keys: [{ key: "a", offset: "9" }], start: 3 }, Code.OutOfRange],
    ["nothing committed", { keys: [{ key: "a" }], group: "g", start: 3 }, Code.OutOfRange],
  ])("with %s is refused", async (_, request, code) => {
    const { store, services } = await hosted();
    await fill(store, "a", 1);
    const keys = request.keys.map((key) =>
      "offset" in key ? { ...key, offset: BigInt(key.offset as string) } : key,
    );
    const following = new Following(services, { ...request, keys });
    expect(((await failureOf(following.next())) as ConnectError).code).toBe(code);
  });

  it("of more keys than a stream takes is refused, and says what to do", async () => {
    const { services } = await hosted();
    const keys = Array.from({ length: 10_001 }, (_, index) => ({ key: `k${index}` }));
    const following = new Following(services, { keys });
    const error = (await failureOf(following.next())) as ConnectError;
    expect(error.code).toBe(Code.InvalidArgument);
    expect(error.message).toMatch(/at most 10000 keys, not 10001: follow them by several calls/);
  });

  it("fails when records are taken back", async () => {
    const { store, services } = await hosted();
    await fill(store, "a", 5);
    const following = new Following(services, { keys: [{ key: "a" }] });
    await following.take(5);
    const next = failureOf(following.next());
    await (await store.log("a")).truncateTo(2);
    expect(((await next) as ConnectError).code).toBe(Code.Aborted);
  });

  it("ends when the server stops", async () => {
    const { services } = await hosted();
    const following = new Following(services, { keys: [{ key: "a" }] });
    await following.next();
    const next = failureOf(following.next());
    services.stopping.abort();
    expect(((await next) as ConnectError).code).toBe(Code.Unavailable);
  });

  it("by many keys wakes for each of them", async () => {
    const { store, services } = await hosted();
    const keys = Array.from({ length: 300 }, (_, index) => ({ key: `k${index}` }));
    const following = new Following(services, { keys });
    for (const _ of keys) await following.next();
    for (const { key } of keys) void store.append(key, key);
    const found = await following.take(300);
    expect(found.sort()).toEqual(keys.map(({ key }) => key).sort());
    await following.end();
  });

  it("reads nothing for a caller that does not take it", async () => {
    const { store, services } = await hosted();
    const value = new Uint8Array(100_000);
    for (let index = 0; index < 100; index++) await store.append("a", value);
    const log = await store.log("a");
    let reads = 0;
    const readFrom = log.readFrom.bind(log);
    log.readFrom = (...args) => {
      reads++;
      return readFrom(...args);
    };
    const session = connectHttp2(services.http2Url);
    const stream = session.request({
      ":method": "POST",
      ":path": "/seglog.v1.LogService/Follow",
      "content-type": "application/grpc+proto",
      te: "trailers",
    });
    const body = toBinary(
      FollowRequestSchema,
      create(FollowRequestSchema, { keys: [{ key: "a" }], maxBytes: 100_000 }),
    );
    const head = Buffer.alloc(5);
    head.writeUInt32BE(body.length, 1);
    stream.end(Buffer.concat([head, body]));
    await new Promise((resolve) => stream.once("response", resolve));
    // Many calls later it has still read no more than what fills the windows.
    for (let index = 0; index < 50; index++) await services.client().metadata({ key: "a" });
    expect(reads).toBeGreaterThan(0);
    expect(reads).toBeLessThan(5);
    await new Promise<void>((resolve) => session.close(resolve) ?? stream.destroy());
  });
});
