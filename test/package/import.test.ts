import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { newPath, temporaryDirectory } from "../support/temporary-directory.js";
import { DIST, runModule } from "./child.js";

/** Tells the main thread of every module that is loaded, ES modules and what they import. */
const LOADER = `
  let port;
  export function initialize(data) { port = data.port; }
  export function load(url, context, next) { port.postMessage(url); return next(url, context); }
`;
const LIST_MODULES = `
  import { createRequire, register } from "node:module";
  import { MessageChannel, receiveMessageOnPort } from "node:worker_threads";
  const { port1, port2 } = new MessageChannel();
  register("data:text/javascript," + encodeURIComponent(${JSON.stringify(LOADER)}), {
    data: { port: port2 },
    transferList: [port2],
  });
  const names = Object.keys(await import(process.argv[1])).sort();
  const loaded = new Set(Object.keys(createRequire(process.argv[1]).cache));
  for (let each = receiveMessageOnPort(port1); each; each = receiveMessageOnPort(port1)) {
    loaded.add(each.message);
  }
  port1.close();
  console.log(JSON.stringify({ names, loaded: [...loaded] }));
`;

const NAMES = [
  "AppendedBatch",
  "CommitLog",
  "ConsumerGroup",
  "CorruptionError",
  "LogStore",
  "OffsetOutOfRangeError",
  "RecordBatch",
  "SeglogError",
];

describe("the built package", () => {
  it("exports its public names, and loads nothing of the programs beside it", () => {
    const { names, loaded } = runModule(LIST_MODULES, [`${DIST}index.js`]) as {
      names: string[];
      loaded: string[];
    };
    expect(names).toEqual(NAMES);
    expect(loaded).toContain(`${DIST}store/log-store.js`);
    expect(loaded.some((each) => each.includes("node_modules/fs-native-extensions/"))).toBe(true);
    const unwanted =
      /commander|cli-table3|cli-progress|connectrpc|bufbuild|\/dist\/(cli|maelstrom|server|wire)\//;
    expect(loaded.filter((each) => unwanted.test(each))).toEqual([]);
    const packages = new Set(
      loaded.flatMap((each) => /.*\/node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(each)?.[1] ?? []),
    );
    for (const each of ["crc-32", "fs-extra", "lz4-napi"]) expect(packages).toContain(each);
  });

  it("has a client that loads neither a store nor anything native", () => {
    const { names, loaded } = runModule(LIST_MODULES, [`${DIST}client/index.js`]) as {
      names: string[];
      loaded: string[];
    };
    expect(names).toEqual(["CorruptionError", "OffsetOutOfRangeError", "SeglogError", "connect"]);
    const packages = new Set(
      loaded.flatMap((each) => /.*\/node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(each)?.[1] ?? []),
    );
    expect([...packages].sort()).toEqual([
      "@bufbuild/protobuf",
      "@connectrpc/connect",
      "@connectrpc/connect-node",
    ]);
    // Of the layers of a store, only what checks input.
    const ofStore = loaded.filter((each) => /\/dist\/(files|segment|log|store)\//.test(each));
    expect(ofStore.map((each) => each.slice(DIST.length)).sort()).toEqual([
      "log/directory/polling.js",
      "log/queue/append-options.js",
      "log/queue/appended-batch.js",
      "log/queue/producer-checks.js",
      "log/turns.js",
      "store/key-directory.js",
      "store/name.js",
      "store/offset-pairs.js",
    ]);
    expect(loaded.filter((each) => /\/dist\/(cli|maelstrom|server)\//.test(each))).toEqual([]);
  });

  it("lets a process end by itself as soon as its client is closed", () => {
    const code = `
      const { connect } = await import(process.argv[1] + "client/index.js");
      const { serve } = await import(process.argv[1] + "server/index.js");
      const server = await serve({ directory: process.argv[2], port: 0 });
      const client = await connect(server.url, { timeoutMs: 2 ** 31 - 1 });
      await client.append("k", "v");
      await client.producer({ lingerMs: 10 }).send("k", "v");
      await client.consumer({ group: "g", keys: ["k"] }).poll();
      await client.close();
      await server.close();
      console.log(JSON.stringify("done"));
    `;
    expect(runModule(code, [DIST, temporaryDirectory()])).toBe("done");
  });

  it("can be required from CommonJS", () => {
    const code = `
      const { CommitLog } = require(process.argv[1]);
      CommitLog.open(process.argv[2]).then(async (log) => {
        await log.append("from CommonJS");
        const { value } = await log.read(0);
        await log.close();
        console.log(Buffer.from(value).toString());
      });
    `;
    const path = fileURLToPath(`${DIST}index.js`);
    const directory = newPath();
    const { status, stdout, stderr } = spawnSync(process.execPath, ["-e", code, path, directory], {
      encoding: "utf8",
    });
    expect({ status, stderr }).toMatchObject({ status: 0 });
    expect(stdout).toBe("from CommonJS\n");
  });

  it("lets a process end by itself while a log and a store are open", () => {
    const code = `
      const { CommitLog, LogStore } = await import(process.argv[1] + "index.js");
      const log = await CommitLog.open(process.argv[2] + "/log", {
        durability: "interval",
        retention: { ms: 1000 },
      });
      const store = await LogStore.open(process.argv[2] + "/store", { durability: "interval" });
      await log.append("v");
      await store.append("k", "v");
      await store.group("g").commit({ k: 1 });
      console.log(JSON.stringify("done"));
    `;
    const directory = temporaryDirectory();
    expect(runModule(code, [DIST, directory])).toBe("done");
  });
});
