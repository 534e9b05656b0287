import { createServer } from "node:net";
import { connect } from "seglog/client";
import { describe, expect, onTestFinished, test } from "vitest";
import { codeOf, failureOf, thrownBy } from "../support/failure.js";
import { CuttableProxy, RemoteStore } from "./remote.js";

async function valuesOf(store: RemoteStore, key: string): Promise<string[]> {
  const client = await store.connect();
  const values: string[] = [];
  for (let from = 0; ; ) {
    const { records, nextOffset, endOffset } = await client.read(key, from);
    values.push(...records.map(({ value }) => Buffer.from(value).toString()));
    if (nextOffset === endOffset) return values;
    from = nextOffset;
  }
}

describe("connect", () => {
  test("fails at once where nobody listens, and says where", async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as { port: number };
    await new Promise((resolve) => server.close(resolve));
    const error = await failureOf(connect(`http://127.0.0.1:${port}`));
    expect(error.code).toBe("UNAVAILABLE");
    expect(error.message).toContain(`127.0.0.1:${port}`);
    expect(error.message).toContain("ECONNREFUSED");
  });

  test("or its first call fails in time where nobody answers", async () => {
    const server = createServer(() => undefined);
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    onTestFinished(() => void server.close());
    const { port } = server.address() as { port: number };
    const run = async () => {
      await using client = await connect(`http://127.0.0.1:${port}`, { timeoutMs: 200 });
      await client.read("k", 0);
    };
    expect(await codeOf(run())).toBe("TIMEOUT");
    const append = async () => {
      await using client = await connect(`http://127.0.0.1:${port}`, { timeoutMs: 200 });
      await client.append("k", "v");
    };
    expect(await codeOf(append())).toBe("TIMEOUT");
  });

  test("refuses wrong addresses and options, without showing the token", async () => {
    const wrong: [unknown, object?][] = [
      ["localhost:50052"],
      ["ftp://localhost"],
      [7],
      ["http://user:secret@localhost"],
      ["http://localhost/path"],
      ["http://localhost", { timeout: 1 }],
      ["http://localhost", { token: "two words" }],
      ["http://localhost", { token: 7 }],
      ["https://localhost", { ca: "/etc/ca.pem" }],
      ["https://localhost", { cert: "-----BEGIN CERTIFICATE-----" }],
      ["http://localhost", { ca: "-----BEGIN CERTIFICATE-----" }],
    ];
    for (const [url, options] of wrong) {
      const error = await thrownBy(connect(url as string, options));
      expect(error).toBeInstanceOf(TypeError);
      expect(String(error)).not.toMatch(/secret|two words/);
    }
    expect(await thrownBy(connect("http://localhost", { timeoutMs: 0 }))).toBeInstanceOf(
      RangeError,
    );
  });

  test("takes calls up again when the server is back", async () => {
    const store = await RemoteStore.start();
    const client = await store.connect();
    await client.append("k", "a");
    await store.stop();
    const calls = Promise.all([client.append("k", "b"), client.bounds("k"), client.keys()]);
    await store.start();
    const [offset, bounds] = await calls;
    expect(offset).toBe(1);
    expect(bounds!.startOffset).toBe(0);
    expect(await client.offsetForTimestamp("k", 0)).toBe(0);
    await client.flush("k");
    expect((await client.metadata("k"))!.segments.length).toBe(1);
    expect(await codeOf(client.flush("missing"))).toBe("KEY_NOT_FOUND");
    await client.group("g").commit({ k: 2 });
    expect(await client.groups()).toEqual(["g"]);
  });
});

describe("appends over a connection that is cut again and again", () => {
  test("are stored once and in order", async () => {
    const store = await RemoteStore.start();
    const proxy = await CuttableProxy.start(store.port);
    const client = await store.connect({}, proxy.url);
    const producer = client.producer({ batchBytes: 500, lingerMs: 1 });
    const sent: Promise<{ offset: number }>[] = [];
    const appended: Promise<number>[] = [];
    for (let round = 0; round < 30; round++) {
      for (let count = 0; count < 100; count++) {
        sent.push(producer.send("sent", `${sent.length}`));
        appended.push(client.append("appended", `${appended.length}`));
      }
      await Promise.race([sent.at(-1), appended.at(-50)]);
      proxy.cut();
    }
    await producer.close();
    const offsets = (await Promise.all(sent)).map(({ offset }) => offset);
    const numbers = Array.from({ length: 3000 }, (_, index) => index);
    expect(offsets).toEqual(numbers);
    expect(await Promise.all(appended)).toEqual(numbers);
    expect(await valuesOf(store, "sent")).toEqual(numbers.map(String));
    expect(await valuesOf(store, "appended")).toEqual(numbers.map(String));
  });

  test("and a server that is stopped and started are stored once and in order", async () => {
    const store = await RemoteStore.start();
    const client = await store.connect();
    const producer = client.producer({ batchBytes: 500 });
    const sent: Promise<{ offset: number }>[] = [];
    for (let round = 0; round < 4; round++) {
      for (let count = 0; count < 500; count++) sent.push(producer.send("k", `${sent.length}`));
      await sent.at(-400);
      await store.stop();
      await store.start();
    }
    await producer.flush();
    expect((await Promise.all(sent)).map(({ offset }) => offset)).toEqual([...sent.keys()]);
    expect(await valuesOf(store, "k")).toEqual([...sent.keys()].map(String));
  });
});

test("calls go on beside long records that are on their way", async () => {
  const client = await (await RemoteStore.start()).connect();
  const long = new Uint8Array(15 * 1024 * 1024);
  const appends = ["a", "b", "c", "d"].map((key) => client.append(key, long));
  const reads = Array.from({ length: 20 }, () => client.read("other", 0));
  expect(await Promise.all(appends)).toEqual([0, 0, 0, 0]);
  expect((await Promise.all(reads)).every(({ endOffset }) => endOffset === 0)).toBe(true);
});

describe("a producer", () => {
  test("compresses what it sends", async () => {
    const store = await RemoteStore.start();
    const client = await store.connect();
    const producer = client.producer({ compression: "lz4", lingerMs: 5 });
    const values = Array.from({ length: 1000 }, (_, index) => `${"again ".repeat(10)}${index}`);
    await Promise.all(values.map((value) => producer.send("k", value)));
    expect(await valuesOf(store, "k")).toEqual(values);
  });

  test("with a name shuts out the one before it", async () => {
    const store = await RemoteStore.start();
    const client = await store.connect();
    const first = client.producer({ name: "importer" });
    await first.send("k", "a");
    const second = client.producer({ name: "importer" });
    expect(await second.send("k", "b")).toEqual({ offset: 1 });
    expect(await codeOf(first.send("k", "c"))).toBe("PRODUCER_FENCED");
    expect(await codeOf(first.send("other", "c"))).toBe("PRODUCER_FENCED");
    expect(await second.send("k", "d")).toEqual({ offset: 2 });
  });

  test("whose record is too long delivers all others", async () => {
    const store = await RemoteStore.start();
    const client = await store.connect();
    const producer = client.producer({ maxBufferedBytes: 100_000_000 });
    const before = producer.send("k", "a");
    const tooLong = producer.send("k", new Uint8Array(17 * 1024 * 1024));
    const longerStill = producer.send("other", new Uint8Array(40 * 1024 * 1024));
    const after = [producer.send("k", "b"), producer.send("other", "c")];
    const codes = await Promise.all([codeOf(tooLong), codeOf(longerStill)]);
    expect(codes).toEqual(["RECORD_TOO_LARGE", "BATCH_TOO_LARGE"]);
    expect(await before).toEqual({ offset: 0 });
    expect(await Promise.all(after)).toEqual([{ offset: 1 }, { offset: 0 }]);
  });

  test("refuses wrong keys, records and options", async () => {
    const client = await (await RemoteStore.start()).connect();
    const producer = client.producer();
    expect(await codeOf(producer.send("", "v"))).toBe("INVALID_KEY");
    expect(await thrownBy(producer.send(7 as never, "v"))).toBeInstanceOf(TypeError);
    expect(await thrownBy(producer.send("k", 7 as never))).toBeInstanceOf(TypeError);
    const wrong: [object, unknown][] = [
      [{ lingerMs: -1 }, RangeError],
      [{ maxInFlight: 6 }, RangeError],
      [{ batchBytes: "1" }, TypeError],
      [{ compression: "zip" }, RangeError],
      [{ whenFull: "drop" }, RangeError],
      [{ name: 7 }, TypeError],
      [{ linger: 1 }, TypeError],
    ];
    for (const [options, type] of wrong) {
      expect(await thrownBy(() => client.producer(options))).toBeInstanceOf(type);
    }
    expect(await codeOf(() => client.producer({ name: "" }))).toBe("INVALID_KEY");
  });

  test("is closed with its client, which delivers what was sent", async () => {
    const store = await RemoteStore.start();
    const client = await store.connect();
    const sent = client.producer({ lingerMs: 60_000 }).send("k", "a");
    const appended = client.append("k2", "b");
    await client.close();
    expect([await sent, await appended]).toEqual([{ offset: 0 }, 0]);
    expect(await codeOf(() => client.producer())).toBe("CLOSED");
    expect(await codeOf(() => client.consumer({ keys: ["k"] }))).toBe("CLOSED");
  });
});
