import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { describe, expect, onTestFinished, test } from "vitest";
import { connect, type SeglogClient } from "../../src/client/index.js";
import { LogService, Start } from "../../src/wire/generated/seglog/v1/log_service_pb.js";
import { Random } from "../support/random.js";
import { TcpProxy } from "../support/tcp-proxy.js";
import { newPath } from "../support/temporary-directory.js";
import { NumberedLoad } from "./numbered-load.js";
import { ServingProcess } from "./serving-process.js";

const KEYS = ["one", "two", "three"];
const LIMIT = { timeout: 120_000 };

/** A server in a process of its own, and a bad network in front of it. */
async function served(...flags: string[]): Promise<[ServingProcess, TcpProxy]> {
  const server = await ServingProcess.start(newPath(), flags);
  const proxy = await TcpProxy.start(server.port);
  onTestFinished(() => proxy.stop());
  return [server, proxy];
}

async function dial(port: number): Promise<SeglogClient> {
  const client = await connect(`http://127.0.0.1:${port}`);
  onTestFinished(() => client.close());
  return client;
}

function loadOn(client: SeglogClient): NumberedLoad {
  const load = new NumberedLoad(client.producer({ maxBufferedBytes: 1024 * 1024 }), KEYS);
  load.start();
  return load;
}

describe("nothing acknowledged is lost, nothing stored twice or out of order", () => {
  test.each(["always", "os"])(
    'while the server is killed and started again, under "%s"',
    LIMIT,
    async (durability) => {
      const [server, proxy] = await served("--durability", durability);
      const client = await dial(proxy.port);
      const load = loadOn(client);
      for (let round = 0; round < 5; round++) {
        await load.more(2000);
        await server.kill();
        await server.restart();
      }
      await load.more(2000);
      await load.stop();
      await load.check(await dial(server.port));
      expect(await server.stop()).toBe(0);
      // What is on the disk says the same.
      await server.restart();
      await load.check(await dial(server.port));
    },
  );

  test("while connections are reset amid requests and answers", LIMIT, async () => {
    const [server, proxy] = await served("--durability", "os");
    const client = await dial(proxy.port);
    const load = loadOn(client);
    const random = new Random(11);
    for (let round = 0; round < 40; round++) {
      await load.more(100);
      await proxy.cutAfter(random.below(200_000));
    }
    await load.more(1000);
    await load.stop();
    await load.check(await dial(server.port));
  });

  test("while connections are half closed, and the network is slow", LIMIT, async () => {
    const [server, proxy] = await served("--durability", "os");
    const client = await dial(proxy.port);
    const load = loadOn(client);
    for (const direction of ["up", "down", "up", "down"] as const) {
      await load.more(500);
      proxy.delayMs = 5;
      await load.more(200);
      proxy.halfClose(direction);
      proxy.delayMs = 0;
    }
    await load.more(500);
    await load.stop();
    await load.check(await dial(server.port));
  });

  test("while the disk is full", LIMIT, async () => {
    const [server, proxy] = await served();
    const client = await dial(proxy.port);
    const load = loadOn(client);
    await load.more(1000);
    // Files may grow no more; that is told as a full disk is.
    server.limitFiles(64 * 1024);
    const hasty = await connect(server.url, { timeoutMs: 1000 });
    const refused = hasty.append("one more", "x".repeat(100_000));
    await expect(refused).rejects.toMatchObject({ code: "NO_SPACE" });
    await hasty.close();
    server.limitFiles("unlimited");
    await load.more(2000);
    await load.stop();
    await load.check(await dial(server.port));
  });
});

test("a client that is killed goes on where it was, under its name", LIMIT, async () => {
  const server = await ServingProcess.start(newPath(), ["--durability", "os"]);
  const client = await dial(server.port);
  const door = new URL("../../dist/client/index.js", import.meta.url).href;
  let before = 0;
  for (let life = 0; life < 6; life++) {
    const program = fileURLToPath(new URL("importer.mjs", import.meta.url));
    const child = spawn(process.execPath, [program, door, server.url, "numbers"]);
    onTestFinished(() => {
      child.kill("SIGKILL");
    });
    const [line] = (await once(createInterface({ input: child.stdout }), "line")) as [string];
    // Another name's records may be anywhere between.
    await client.append("numbers", "of somebody else");
    while (((await client.bounds("numbers"))?.endOffset ?? 0) < before + 5000) {
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    const gone = once(child, "exit");
    child.kill("SIGKILL");
    await gone;
    if (life > 0) expect(Number(line.slice("from ".length))).toBeGreaterThan(0);
    before = (await client.bounds("numbers"))!.endOffset;
  }
  const numbers: number[] = [];
  for (let from = 0; from < before; ) {
    const { records, nextOffset } = await client.read("numbers", from, { maxRecords: 10_000 });
    for (const { value } of records) {
      const text = Buffer.from(value).toString();
      if (text !== "of somebody else") numbers.push(Number(text));
    }
    from = nextOffset;
  }
  expect(numbers.length).toBeGreaterThan(20_000);
  expect(numbers.findIndex((number, index) => number !== index)).toBe(-1);
});

test("readers that read nothing cost a server little memory", LIMIT, async () => {
  const server = await ServingProcess.start(newPath(), ["--durability", "os"]);
  const client = await dial(server.port);
  const producer = client.producer();
  const value = Buffer.alloc(64 * 1024, "x");
  for (let index = 0; index < 1600; index++) {
    if (producer.isFull) await producer.room();
    void producer.send("much", value);
  }
  await producer.flush();
  const before = server.residentMib;
  const transport = createGrpcTransport({ baseUrl: server.url });
  const calls = createClient(LogService, transport);
  const request = { keys: [{ key: "much", offset: 0n }], start: Start.EARLIEST };
  const streams = Array.from({ length: 50 }, () => {
    const stream = calls.follow(request)[Symbol.asyncIterator]();
    onTestFinished(async () => {
      await stream.return?.();
    });
    return stream;
  });
  for (const stream of streams) expect((await stream.next()).done).toBe(false);
  // Others are served meanwhile, and nothing was kept for those that do not read.
  expect((await client.read("much", 1599)).records.length).toBe(1);
  expect(server.residentMib - before).toBeLessThan(200);
});

test("a consumer is told when a crash took back what it had read", LIMIT, async () => {
  const directory = newPath();
  const server = await ServingProcess.start(directory, ["--durability", "os"]);
  const proxy = await TcpProxy.start(server.port);
  onTestFinished(() => proxy.stop());
  const client = await dial(proxy.port);
  const consumer = client.consumer({ keys: ["key"], group: "group", autoCommitMs: 1 });
  for (let number = 0; number < 10; number++) await client.append("key", `old ${number}`);
  const old: string[] = [];
  while (old.length < 10) {
    for (const { record } of await consumer.poll()) old.push(Buffer.from(record.value).toString());
  }
  await server.kill();
  // A power cut would take what was never synced: the last records go by hand.
  const { LogStore } = await import("../../src/index.js");
  await using store = await LogStore.open(directory);
  await (await store.log("key")).truncateTo(5);
  await store.appendBatch("key", ["new 5", "new 6", "new 7", "new 8", "new 9", "new 10"]);
  await store.close();
  await server.restart();
  const more = async () => {
    for (;;) if ((await consumer.poll()).length > 0) return "records as if nothing had happened";
  };
  await expect(more()).rejects.toMatchObject({ code: "LOG_TRUNCATED" });
  const read: string[] = [];
  while (!read.includes("new 10")) {
    for (const { record } of await consumer.poll()) read.push(Buffer.from(record.value).toString());
  }
  expect(read.slice(-6)).toEqual(["new 5", "new 6", "new 7", "new 8", "new 9", "new 10"]);
  await consumer.close();
});
