import type { ConsumedRecord, Consumer } from "seglog/client";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { codeOf, thrownBy } from "../support/failure.js";
import { CuttableProxy, RemoteStore } from "./remote.js";

const textOf = ({ record }: ConsumedRecord) => Buffer.from(record.value).toString();

async function take(consumer: Consumer, count: number): Promise<string[]> {
  const values: string[] = [];
  for await (const consumed of consumer) {
    values.push(`${consumed.key}${textOf(consumed)}`);
    if (values.length === count) break;
  }
  return values;
}

describe("a consumer", () => {
  test("reads several keys, each in its order, also one that is made later", async () => {
    const client = await (await RemoteStore.start()).connect();
    await client.appendBatch("a", ["1", "2"]);
    await client.append("b", "1");
    const consumer = client.consumer({ keys: ["a", "b", "c"] });
    const taken = take(consumer, 5);
    await client.append("c", "1");
    await client.append("a", "3");
    const values = await taken;
    expect([...values].sort()).toEqual(["a1", "a2", "a3", "b1", "c1"]);
    expect(values.filter((value) => value.startsWith("a"))).toEqual(["a1", "a2", "a3"]);
    expect(consumer.position("a")).toBe(3);
  });

  test("reads more keys than a server gives by one stream, and commits them", async () => {
    const client = await (await RemoteStore.start()).connect();
    const keys = Array.from({ length: 10_001 }, (_, index) => `k${index}-`);
    const [first, last] = [keys[0]!, keys[10_000]!];
    await client.append(first, "1");
    await client.append(last, "1");
    const consumer = client.consumer({ keys, group: "g", autoCommit: false });
    expect((await take(consumer, 2)).sort()).toEqual([`${first}1`, `${last}1`]);
    for (const key of [first, last]) {
      await client.append(key, "2");
      expect(await take(consumer, 1)).toEqual([`${key}2`]);
    }
    await consumer.commit();
    const committed = await client.group("g").committed();
    expect([...committed].sort()).toEqual([
      [first, 2],
      [last, 2],
    ]);
  });

  test("begins where its group has committed, or where reset says", async () => {
    const client = await (await RemoteStore.start()).connect();
    await client.appendBatch("a", [..."1234"]);
    await client.group("g").commit({ a: 2 });
    const options = { keys: ["a"], autoCommit: false } as const;
    expect(await take(client.consumer({ ...options, group: "g" }), 1)).toEqual(["a3"]);
    expect(await take(client.consumer({ keys: ["a"] }), 1)).toEqual(["a1"]);
    const latest = client.consumer({ ...options, group: "other", reset: "latest" });
    expect(await latest.poll({ timeoutMs: 0 })).toEqual([]);
    const next = take(latest, 1);
    await vi.waitFor(() => expect(latest.position("a")).toBe(4));
    await client.append("a", "5");
    expect(await next).toEqual(["a5"]);
    const picky = client.consumer({ ...options, group: "other", reset: "error" });
    expect(await codeOf(picky.poll())).toBe("OFFSET_OUT_OF_RANGE");
  });

  test("goes past what retention deleted as reset says", async () => {
    const client = await (await RemoteStore.start()).connect();
    await client.appendBatch("a", [..."1234"]);
    await client.group("g").commit({ a: 1 });
    await client.deleteBefore("a", 3);
    const options = { keys: ["a"], group: "g", autoCommit: false };
    expect(await take(client.consumer(options), 1)).toEqual(["a4"]);
    const picky = client.consumer({ ...options, reset: "error" });
    expect(await codeOf(picky.poll())).toBe("OFFSET_OUT_OF_RANGE");
  });

  test("polls as many as are asked for, and none in time", async () => {
    const client = await (await RemoteStore.start()).connect();
    await client.appendBatch("a", [..."12345"]);
    const consumer = client.consumer({ keys: ["a"] });
    expect((await consumer.poll({ maxRecords: 2, timeoutMs: 10_000 })).map(textOf)).toEqual([
      "1",
      "2",
    ]);
    expect((await consumer.poll()).map(textOf)).toEqual(["3", "4", "5"]);
    expect(await consumer.poll({ timeoutMs: 1 })).toEqual([]);
    const waiting = consumer.poll({ timeoutMs: 10_000 });
    await client.append("a", "6");
    expect((await waiting).map(textOf)).toEqual(["6"]);
  });

  test("gives batches", async () => {
    const client = await (await RemoteStore.start()).connect();
    await client.appendBatch("a", [..."123"]);
    for await (const { key, records, nextOffset } of client.consumer({ keys: ["a"] }).batches()) {
      expect([key, records.length, nextOffset]).toEqual(["a", 3, 3]);
      break;
    }
  });

  test("commits what it moved past when it is closed, not what it was at", async () => {
    const client = await (await RemoteStore.start()).connect();
    await client.appendBatch("a", [..."1234"]);
    const consumer = client.consumer({ keys: ["a"], group: "g" });
    await take(consumer, 3);
    await consumer.close();
    expect(await client.group("g").committed()).toEqual(new Map([["a", 2]]));
  });

  test("commits what it moved past from time to time", async () => {
    const client = await (await RemoteStore.start()).connect();
    await client.appendBatch("a", [..."1234"]);
    const consumer = client.consumer({ keys: ["a"], group: "g", autoCommitMs: 5 });
    expect((await consumer.poll()).length).toBe(4);
    expect(await consumer.poll({ timeoutMs: 1 })).toEqual([]);
    await vi.waitFor(async () =>
      expect(await client.group("g").committed()).toEqual(new Map([["a", 4]])),
    );
  });

  test("commits on demand all that was handed out", async () => {
    const client = await (await RemoteStore.start()).connect();
    await client.appendBatch("a", [..."1234"]);
    const consumer = client.consumer({ keys: ["a"], group: "g", autoCommit: false });
    await take(consumer, 3);
    await consumer.commit();
    expect(await client.group("g").committed()).toEqual(new Map([["a", 3]]));
    await take(consumer, 1);
    await consumer.close();
    expect(await client.group("g").committed()).toEqual(new Map([["a", 3]]));
    const alone = client.consumer({ keys: ["a"] });
    expect(await thrownBy(alone.commit())).toBeInstanceOf(TypeError);
  });

  test("seeks, also while somebody waits", async () => {
    const client = await (await RemoteStore.start()).connect();
    await client.appendBatch("a", [..."1234"]);
    await client.appendBatch("b", [..."12"]);
    const consumer = client.consumer({ keys: ["a", "b"] });
    await take(consumer, 6);
    consumer.seek({ a: 2 });
    expect(await take(consumer, 2)).toEqual(["a3", "a4"]);
    const waiting = take(consumer, 4);
    await consumer.seekToBeginning(["a"]);
    expect(await waiting).toEqual(["a1", "a2", "a3", "a4"]);
    await consumer.seekToBeginning();
    await consumer.seekToEnd();
    expect([consumer.position("a"), consumer.position("b")]).toEqual([4, 2]);
    const next = take(consumer, 1);
    await client.append("b", "3");
    expect(await next).toEqual(["b3"]);
    expect(await thrownBy(() => consumer.seek({ c: 0 }))).toBeInstanceOf(RangeError);
    expect(await thrownBy(() => consumer.position("c"))).toBeInstanceOf(RangeError);
    consumer.seek({ a: 9 });
    expect((await consumer.poll({ timeoutMs: 10_000 })).map(textOf)).toEqual([..."1234"]);
  });

  test("ends its iterations when it is closed", async () => {
    const client = await (await RemoteStore.start()).connect();
    const consumer = client.consumer({ keys: ["a"] });
    const all = take(consumer, 1);
    await consumer.close();
    expect(await all).toEqual([]);
    expect(await codeOf(consumer.poll())).toBe("CLOSED");
  });

  test("goes on after its connection broke, without gaps or repetitions", async () => {
    const store = await RemoteStore.start();
    const proxy = await CuttableProxy.start(store.port);
    const writer = await store.connect();
    const onError = vi.fn();
    const reader = await store.connect({}, proxy.url);
    const consumer = reader.consumer({ keys: ["a"], onError });
    const values: string[] = [];
    for (let round = 0; round < 5; round++) {
      const batch = Array.from({ length: 1000 }, (_, index) => `${round * 1000 + index}`);
      await writer.appendBatch("a", batch);
      while (values.length < round * 1000 + 500) {
        values.push(...(await consumer.poll({ maxRecords: 100, timeoutMs: 10_000 })).map(textOf));
      }
      proxy.cut();
    }
    while (values.length < 5000) values.push(...(await consumer.poll()).map(textOf));
    expect(values).toEqual(Array.from({ length: 5000 }, (_, index) => `${index}`));
    expect(onError.mock.calls[0]![0]).toMatchObject({ code: "UNAVAILABLE" });
  });

  test("goes on although onError throws, which is an uncaught exception", async () => {
    const uncaught: unknown[] = [];
    const queue = globalThis.queueMicrotask;
    const spy = vi.spyOn(globalThis, "queueMicrotask").mockImplementation((callback) =>
      queue(() => {
        try {
          callback();
        } catch (error) {
          uncaught.push(error);
        }
      }),
    );
    onTestFinished(() => spy.mockRestore());
    const store = await RemoteStore.start();
    const client = await store.connect({ timeoutMs: 100 });
    await client.append("a", "1");
    const mine = new Error("mine");
    const onError = vi.fn(() => {
      throw mine;
    });
    const consumer = client.consumer({ keys: ["a"], group: "g", autoCommitMs: 5, onError });
    expect((await consumer.poll()).map(textOf)).toEqual(["1"]);
    await store.stop();
    const next = consumer.poll({ timeoutMs: 60_000 });
    await vi.waitFor(() => expect(onError.mock.calls.length).toBeGreaterThan(2));
    await store.start();
    await (await store.connect()).append("a", "2");
    expect((await next).map(textOf)).toEqual(["2"]);
    expect(uncaught).toEqual(onError.mock.calls.map(() => mine));
  });

  test("waits for a server that is started again", async () => {
    const store = await RemoteStore.start();
    const client = await store.connect();
    await client.append("a", "1");
    const consumer = client.consumer({ keys: ["a"] });
    expect(await take(consumer, 1)).toEqual(["a1"]);
    await store.stop();
    const next = take(consumer, 1);
    await store.start();
    await client.append("a", "2");
    expect(await next).toEqual(["a2"]);
  });

  test("refuses wrong options", async () => {
    const client = await (await RemoteStore.start()).connect();
    const wrong: [unknown, unknown][] = [
      [undefined, TypeError],
      [{}, TypeError],
      [{ keys: 7 }, TypeError],
      [{ keys: [] }, RangeError],
      [{ keys: ["k"], reset: "first" }, RangeError],
      [{ keys: ["k"], autoCommit: true }, TypeError],
      [{ keys: ["k"], autoCommitMs: 0 }, RangeError],
      [{ keys: ["k"], colour: "red" }, TypeError],
      [{ keys: ["k"], onError: 7 }, TypeError],
    ];
    for (const [options, type] of wrong) {
      expect(await thrownBy(() => client.consumer(options as never))).toBeInstanceOf(type);
    }
    expect(await codeOf(() => client.consumer({ keys: [""] }))).toBe("INVALID_KEY");
    expect(await codeOf(() => client.consumer({ keys: ["k"], group: "" }))).toBe("INVALID_KEY");
  });
});
