import { once } from "node:events";
import { connect } from "node:http2";
import { Code, type ConnectError, createClient } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport } from "@connectrpc/connect-node";
import { describe, expect, it, onTestFinished } from "vitest";
import { LogStore } from "../../src/index.js";
import { serve } from "../../src/server/index.js";
import type { ServeOptions } from "../../src/server/serve-options.js";
import { LogService } from "../../src/wire/generated/seglog/v1/log_service_pb.js";
import { toBatch } from "../../src/wire/records.js";
import { fromConnectError } from "../../src/wire/remote-error.js";
import { openStore } from "../store/stores.js";
import { newPath } from "../support/temporary-directory.js";
import { failureOf } from "./service-host.js";
import { connect2 } from "./sockets.js";

async function started(options: ServeOptions) {
  const server = await serve({ port: 0, ...options });
  onTestFinished(() => server.close().catch(() => undefined));
  const client = createClient(LogService, createGrpcTransport({ baseUrl: server.url }));
  return { server, client };
}

const batch = toBatch(["a", "b"]);

describe("a server", () => {
  it("speaks gRPC and plain HTTP on one port, and has all on disk when it is closed", async () => {
    const directory = newPath();
    const { server, client } = await started({ directory });
    await client.append({ key: "k", ...batch });
    const json = createConnectTransport({ baseUrl: server.url, httpVersion: "1.1" });
    expect((await createClient(LogService, json).read({ key: "k" })).nextOffset).toBe(2n);
    expect((await fetch(`${server.url}/nothing`)).status).toBe(404);
    await server.close();
    expect(((await failureOf(client.read({ key: "k" }))) as ConnectError).code).toBe(
      Code.Unavailable,
    );
    await using store = await LogStore.open(directory);
    expect((await store.read("k", 0)).records).toHaveLength(2);
  });

  it("tells whoever forgets the content type which there are", async () => {
    const { server } = await started({ directory: newPath() });
    const headers = { "content-type": "application/x-www-form-urlencoded" };
    for (const method of ["Append", "Follow"]) {
      const url = `${server.url}/seglog.v1.LogService/${method}`;
      const answer = await fetch(url, { method: "POST", headers, body: "{}" });
      expect(answer.status).toBe(415);
      expect(answer.headers.get("content-type")).toBe("text/plain");
      expect(await answer.text()).toMatch(/application\/json.* Nothing was done\.\n$/);
    }
  });

  it("serves a store that is open, and leaves it open", async () => {
    const store = await openStore(newPath());
    const { server, client } = await started({ store });
    await client.append({ key: "k", ...batch });
    await server.close();
    expect(await store.append("k", "c")).toBe(2);
  });

  it("answers what it has taken when it is closed under load, and loses nothing", async () => {
    const directory = newPath();
    const { server, client } = await started({ directory });
    const acknowledged: bigint[] = [];
    let refused = 0;
    let enough = () => {};
    const busy = new Promise<void>((resolve) => (enough = resolve));
    const work = async (key: string) => {
      for (;;) {
        try {
          acknowledged.push((await client.append({ key, ...batch })).lastOffset);
          if (acknowledged.length === 200) enough();
        } catch (error) {
          expect(fromConnectError(error)).toMatchObject({ code: "UNAVAILABLE" });
          refused++;
          return;
        }
      }
    };
    const workers = Array.from({ length: 10 }, () => work("k"));
    await busy;
    await server.close();
    await Promise.all(workers);
    expect(refused).toBe(10);
    await using store = await LogStore.open(directory);
    const end = (await store.bounds("k"))!.endOffset;
    // What was taken was answered: no batch is stored that nobody was told of.
    expect(end).toBe(acknowledged.length * 2);
    expect(Math.max(...acknowledged.map(Number))).toBe(end - 1);
  });

  it("ends streams when it is closed", async () => {
    const { server, client } = await started({ directory: newPath() });
    const stream = client.follow({ keys: [{ key: "k" }] })[Symbol.asyncIterator]();
    await stream.next();
    const next = failureOf(stream.next());
    await server.close();
    expect(((await next) as ConnectError).code).toBe(Code.Unavailable);
  });

  it("takes messages of a megabyte without asking its caller to go on", async () => {
    const { server } = await started({ directory: newPath() });
    const session = connect(server.url);
    const stream = session.request({ ":path": "/healthz" });
    stream.resume();
    await once(stream, "close");
    expect(session.state.remoteWindowSize).toBeGreaterThanOrEqual(1024 * 1024);
    session.destroy();
  });

  it("refuses messages that are too long", async () => {
    const limits = { maxMessageBytes: 2000 };
    const { client } = await started({ directory: newPath(), limits });
    const long = client.append({ key: "k", ...toBatch(["x".repeat(3000)]) });
    expect(((await failureOf(long)) as ConnectError).code).toBe(Code.ResourceExhausted);
    await client.append({ key: "k", ...batch });
  });

  it("does not start without its port, and lets go of the store", async () => {
    const { server } = await started({ directory: newPath() });
    const directory = newPath();
    await expect(serve({ directory, port: server.port })).rejects.toMatchObject({
      code: "IO_ERROR",
    });
    await using store = await LogStore.open(directory);
    expect(store.keys()).toEqual([]);
  });

  it.each([
    [{}, /either a directory or a store/],
    [{ directory: "a", store: {} }, /either a directory or a store/],
    [{ store: {} }, /store must be a LogStore/],
    [{ directory: "a", port: 70_000 }, /port must be/],
    [{ directory: "a", host: "" }, /host must be/],
    [{ directory: "a", comlogKey: 5 }, /comlogKey must be/],
    [{ directory: "a", prot: 5 }, /Unknown option: "prot"/],
    [{ directory: "a", limits: { maxConections: 5 } }, /Unknown limit/],
    [{ directory: "a", storeOptions: { durability: "maybe" } }, /durability/],
  ])("is refused wrong options: %j", async (options, message) => {
    await expect(serve(options as ServeOptions)).rejects.toThrow(message);
  });
});

describe("what a server counts and tells", () => {
  it("has the batches that fail in a stream, and calls that are refused", async () => {
    const lines: string[] = [];
    const tell = (level: string) => (fields: object, message: string) => {
      lines.push(`${level} ${message} ${JSON.stringify(fields)}`);
    };
    const logger = { debug: tell("debug"), info: tell("info"), warn: tell("warn") };
    const { server, client } = await started({ directory: newPath(), logger });
    const requests = async function* () {
      yield { key: "" };
      yield { key: "k", ...batch };
    };
    const answers = [];
    for await (const answer of client.appendStream(requests())) answers.push(answer);
    expect(answers.map(({ result }) => result.case)).toEqual(["failure", "appended"]);
    const metrics = await (await fetch(`${server.url}/metrics`)).text();
    expect(metrics).toContain('seglog_stream_batches_failed_total{status="INVALID_ARGUMENT"} 1');
    expect(metrics).toContain("seglog_appended_records_total 2");
    expect(metrics).toContain("seglog_bytes_in_flight 0");
    await server.close();
    expect(lines.filter((line) => line.startsWith("warn"))).toEqual([]);
    expect(lines.filter((line) => line.startsWith("debug batch failed"))).toHaveLength(1);
    expect(
      lines.filter((line) => line.startsWith("info")).map((line) => line.split(" ")[1]),
    ).toEqual(["serving", "stopping", "stopped"]);
  });

  it("has one warning of clients that speak TLS where there is none", async () => {
    const warnings: string[] = [];
    const warn = (_: object, message: string) => void warnings.push(message);
    const logger = { debug: () => undefined, info: () => undefined, warn };
    const { server } = await started({ directory: newPath(), logger });
    for (let time = 0; time < 2; time++) {
      await expect(fetch(server.url.replace("http:", "https:"))).rejects.toThrow("fetch failed");
    }
    expect(warnings).toEqual([expect.stringContaining("spoke TLS")]);
  });
});

describe("a stream of appends whose caller vanishes amid a message", () => {
  it("ends, and is no longer under way", async () => {
    const { server } = await started({ directory: newPath() });
    for (const leave of ["reset", "vanish"] as const) {
      const session = await connect2(server.port);
      const stream = session.request({
        ":path": "/seglog.v1.LogService/AppendStream",
        ":method": "POST",
        "content-type": "application/grpc+proto",
      });
      stream.on("error", () => undefined);
      stream.write(Buffer.from([0, 0, 0, 0, 100, 1, 2, 3]));
      const underWay = async () => {
        const text = await (await fetch(`${server.url}/metrics`)).text();
        return /^seglog_calls_under_way (\d+)$/m.exec(text)?.[1];
      };
      while ((await underWay()) !== "1");
      if (leave === "reset") stream.close(8);
      else session.destroy();
      while ((await underWay()) !== "0");
    }
  });
});
