import { Code, type ConnectError } from "@connectrpc/connect";
import { describe, expect, it } from "vitest";
import {
  Durability,
  ErrorDetailSchema,
} from "../../src/wire/generated/seglog/v1/log_service_pb.js";
import { MAX_BATCH_RECORDS, packValues } from "../../src/wire/pack.js";
import { compressPack } from "../../src/wire/pack-compression.js";
import { toBatch } from "../../src/wire/records.js";
import { fromStoredRecords } from "../../src/wire/stored-records.js";
import { fill, openStore, textsOf } from "../store/stores.js";
import { newPath } from "../support/temporary-directory.js";
import { bytes } from "../wire/bytes.js";
import { failureOf, host, PROTOCOLS } from "./service-host.js";

async function hosted(limits = {}) {
  const store = await openStore(newPath(), { segmentBytes: 4096 });
  const services = await host(store, { limits });
  return { store, services, client: services.client() };
}

describe.each(PROTOCOLS)("over %s", (protocol) => {
  it("records are appended and read", async () => {
    const { services } = await hosted();
    const client = services.client(protocol);
    const appended = await client.append({ key: "k", ...toBatch(["a", "b"]) });
    expect(appended).toMatchObject({ baseOffset: 0n, lastOffset: 1n });
    const more = { value: "c", key: "K", headers: { h: "1" }, timestamp: 2 ** 51 };
    expect((await client.append({ key: "k", ...toBatch([more]) })).baseOffset).toBe(2n);
    const response = await client.read({ key: "k" });
    expect(response).toMatchObject({ nextOffset: 3n, endOffset: 3n, packs: [] });
    const records = fromStoredRecords(response);
    expect(textsOf(records)).toEqual(["a", "b", "c"]);
    expect(records[2]).toMatchObject({ timestamp: 2 ** 51, key: bytes("K") });
    expect(records[2]!.headers).toEqual([["h", bytes("1")]]);
    const packed = await client.read({ key: "k", maxRecords: 2, acceptPacks: true });
    expect([packed.records.length, packed.nextOffset]).toEqual([0, 2n]);
    expect(textsOf(fromStoredRecords(packed))).toEqual(["a", "b"]);
  });

  it("failures come with a status, a code and the bounds", async () => {
    const { services, store } = await hosted();
    await fill(store, "k", 3);
    const read = services.client(protocol).read({ key: "k", offset: 4n });
    const error = (await failureOf(read)) as ConnectError;
    expect(error.code).toBe(Code.OutOfRange);
    const [detail] = error.findDetails(ErrorDetailSchema);
    expect(detail).toMatchObject({ code: "OFFSET_OUT_OF_RANGE", offset: 4n, endOffset: 3n });
  });

  it("records are followed", async () => {
    const { services, store } = await hosted();
    const seen: string[] = [];
    const gone = new AbortController();
    const call = { signal: gone.signal };
    const following = services.client(protocol).follow({ keys: [{ key: "k" }] }, call);
    for await (const response of following) {
      if (response.records.length === 0) await fill(store, "k", 2);
      seen.push(...textsOf(fromStoredRecords(response)));
      if (seen.length === 2) break;
    }
    gone.abort();
    expect(seen).toEqual(["k 0", "k 1"]);
  });
});

describe("an append", () => {
  it("takes a compressed pack", async () => {
    const { client, store } = await hosted();
    const values = Array.from({ length: 100 }, () => bytes("the same again and again"));
    await client.append({ key: "k", pack: compressPack(packValues(values)) });
    expect((await store.read("k", 0)).records).toHaveLength(100);
  });

  it("of a pack is one batch", async () => {
    const { client, store } = await hosted();
    await client.append({ key: "k", ...toBatch(["a", "b", "c"]) });
    const [segment] = (await store.log("k")).segments();
    expect(segment!.contents).toMatchObject({ records: 3, batches: 1 });
  });

  it("is on stable storage when it is asked to be", async () => {
    const store = await openStore(newPath(), { durability: "os" });
    const client = (await host(store)).client();
    let flushes = 0;
    const log = await store.log("k");
    const flush = log.flush.bind(log);
    log.flush = () => {
      flushes++;
      return flush();
    };
    await client.append({ key: "k", ...toBatch(["a"]) });
    expect(flushes).toBe(0);
    await client.append({ key: "k", ...toBatch(["a"]), durability: Durability.SYNCED });
    expect(flushes).toBe(1);
    const one = { key: "k", ...toBatch(["a"]), durability: Durability.SYNCED };
    await Promise.all(Array.from({ length: 20 }, () => client.append(one)));
    expect(flushes).toBeLessThan(21);
    await client.flush({ key: "k" });
  });

  const tooMany = { lengths: new Array(MAX_BATCH_RECORDS + 1).fill(0) };
  it.each([
    ["no record", {}, /at least one record/],
    ["an empty pack", { pack: {} }, /at least one record/],
    ["records and a pack", { records: [{}], pack: { lengths: [0] } }, /not both/],
    ["a pack that lies", { pack: { values: bytes("abc"), lengths: [4] } }, /add up to 4/],
    ["too many records", { pack: tooMany }, /at most 65536/],
    ["too many messages", { records: new Array(MAX_BATCH_RECORDS + 1).fill({}) }, /at most 65536/],
    ["a codec of the future", { pack: { lengths: [1], codec: 9 as never } }, /codec 9/],
    ["too many bytes", { pack: { lengths: [1e9], codec: 1 as never } }, /at most 20971520 bytes/],
    ["an unknown durability", { records: [{}], durability: 9 as never }, /Durability 9/],
    ["a timestamp above 2^53", { records: [{ timestampMs: 2n ** 60n }] }, /timestamp_ms/],
    ["no key", { records: [{}], key: "" }, /key must not be empty/],
    ["a long key", { records: [{}], key: "k".repeat(300) }, /key/i],
  ])("with %s is refused", async (_, fields, message) => {
    const { client, store } = await hosted();
    const error = (await failureOf(client.append({ key: "k", ...fields }))) as ConnectError;
    expect(error.code).toBe(Code.InvalidArgument);
    expect(error.message).toMatch(message);
    expect(store.keys()).toEqual([]);
  });

  it("beyond the budget is refused, and what was taken is given back", async () => {
    const store = await openStore(newPath());
    const taken: number[] = [];
    const appendBudget = {
      take: (size: number) => {
        taken.push(size);
        return Promise.resolve(() => void taken.push(-size));
      },
    };
    const client = (await host(store, { appendBudget })).client();
    await client.append({ key: "k", ...toBatch(["abc", "d"]) });
    await failureOf(client.append({ key: "", ...toBatch(["abcdef"]) }));
    expect(taken).toEqual([4, -4, 6, -6]);
  });
});

describe("a read", () => {
  it("of a key that does not exist is empty and makes none", async () => {
    const { client, store } = await hosted();
    expect(await client.read({ key: "k" })).toMatchObject({ nextOffset: 0n, endOffset: 0n });
    expect(store.keys()).toEqual([]);
  });

  it("is bounded by the caller and by the server", async () => {
    // Four records of three bytes, with room for all that can stand around them.
    const { client, store } = await hosted({ maxPollRecords: 5, maxPollBytes: 720 });
    await fill(store, "k", 20);
    const count = async (limits: object) => {
      return (await client.read({ key: "k", acceptPacks: false, ...limits })).records.length;
    };
    expect(await count({ maxRecords: 2 })).toBe(2);
    expect(await count({ maxRecords: 9 })).toBe(4);
    expect(await count({ maxBytes: 1 })).toBe(1);
    expect(await count({ maxBytes: 6 })).toBe(2);
    expect(await count({})).toBe(4);
  });

  it.each([
    ["an offset above 2^53 - 1", { offset: 2n ** 53n }, /offset must be/],
    ["no records", { maxRecords: 0 }, /maxRecords/],
    ["no bytes", { maxBytes: 0 }, /maxBytes/],
  ])("of %s is refused", async (_, fields, message) => {
    const { client } = await hosted();
    const error = (await failureOf(client.read({ key: "k", ...fields }))) as ConnectError;
    expect([error.code, error.message]).toEqual([
      Code.InvalidArgument,
      expect.stringMatching(message),
    ]);
  });
});

describe("groups", () => {
  it("commit, seek and tell what was committed", async () => {
    const { client, store } = await hosted();
    for (const key of ["a", "b", "__proto__"]) await fill(store, key, 5);
    const offsets = Object.fromEntries([
      ["a", 3n],
      ["__proto__", 4n],
    ]);
    await client.commit({ group: "g", offsets });
    await client.commit({ group: "g", offsets: { a: 1n } });
    const all = (await client.committed({ group: "g" })).offsets;
    expect(Object.entries(all).sort()).toEqual([
      ["__proto__", 4n],
      ["a", 3n],
    ]);
    await client.seek({ group: "g", offsets: { a: 1n } });
    const some = await client.committed({ group: "g", keys: ["a", "b"] });
    expect(some.offsets).toEqual({ a: 1n });
    expect((await client.listGroups({})).groups).toEqual(["g"]);
  });

  it.each([
    ["without a name", { group: "", offsets: { a: 1n } }, "INVALID_KEY"],
    ["one of no such key", { group: "g", offsets: { a: 1n, b: 1n } }, "KEY_NOT_FOUND"],
    ["one past the end", { group: "g", offsets: { a: 6n } }, "OFFSET_OUT_OF_RANGE"],
  ])("refuse offsets: %s", async (_, request, code) => {
    const { client, store } = await hosted();
    await fill(store, "a", 5);
    const error = (await failureOf(client.commit(request))) as ConnectError;
    expect(error.findDetails(ErrorDetailSchema)[0]!.code).toBe(code);
    expect(await store.group("g").committed()).toEqual(new Map());
  });
});

describe("keys", () => {
  it("are listed in order, by prefix and page", async () => {
    const { client, store } = await hosted({ maxPageKeys: 3 });
    for (const key of ["b2", "a", "b1", "b3", "c", "b4"]) await fill(store, key, 1);
    const first = await client.listKeys({ prefix: "b", pageSize: 100 });
    expect(first.keys).toEqual(["b1", "b2", "b3"]);
    const rest = await client.listKeys({ prefix: "b", pageToken: first.nextPageToken });
    expect(rest).toMatchObject({ keys: ["b4"], nextPageToken: "" });
    expect((await client.listKeys({ pageSize: 1 })).keys).toEqual(["a"]);
  });

  it("have metadata, timestamps and a start that moves", async () => {
    const { client, store } = await hosted();
    for (let round = 0; round < 20; round++) {
      await store.appendBatch("k", [{ value: new Uint8Array(1000), timestamp: round * 10 }]);
    }
    const before = await client.metadata({ key: "k" });
    expect(before).toMatchObject({ startOffset: 0n, endOffset: 20n });
    expect(before.segments.length).toBeGreaterThan(2);
    const sizes = before.segments.map(({ sizeBytes }) => Number(sizeBytes));
    expect(Number(before.sizeBytes)).toBe(sizes.reduce((sum, size) => sum + size, 0));
    const found = await client.offsetForTimestamp({ key: "k", timestampMs: 55n });
    expect(found.offset).toBe(6n);
    expect((await client.deleteBefore({ key: "k", offset: 7n })).startOffset).toBe(7n);
    const after = await client.metadata({ key: "k" });
    expect(after.segments.length).toBeLessThan(before.segments.length);
  });

  it("that do not exist are not found and not made", async () => {
    const { client, store } = await hosted();
    const calls = [
      client.metadata({ key: "k" }),
      client.offsetForTimestamp({ key: "k" }),
      client.deleteBefore({ key: "k" }),
      client.flush({ key: "k" }),
    ];
    for (const call of calls) {
      expect(await failureOf(call)).toMatchObject({ code: Code.NotFound });
    }
    expect(store.keys()).toEqual([]);
  });
});
