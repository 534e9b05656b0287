import { Code, type ConnectError, createClient } from "@connectrpc/connect";
import { describe, expect, it } from "vitest";
import { RIGHTS, type Right } from "../../src/server/access.js";
import { ComLogRpc } from "../../src/wire/generated/api/comlog_pb.js";
import { LogService } from "../../src/wire/generated/seglog/v1/log_service_pb.js";
import { toBatch } from "../../src/wire/records.js";
import { fill, openStore } from "../store/stores.js";
import { newPath } from "../support/temporary-directory.js";
import { host } from "./service-host.js";

const KEY = "mine/k";

/** Services for somebody with one right to one prefix. */
async function hosted(right: Right, prefix = "mine/") {
  const store = await openStore(newPath());
  for (const key of [KEY, "theirs", "comlog"]) await fill(store, key, 2);
  const may = (asked: Right, key: string) => asked === right && key.startsWith(prefix);
  const services = await host(store, { access: { name: "ada", prefix, may } });
  const transport = services.transport();
  return { store, log: services.client(), comlog: createClient(ComLogRpc, transport) };
}

type Clients = Awaited<ReturnType<typeof hosted>>;

async function drain(stream: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of stream) return;
}

const record = { data: new Uint8Array(1) };

/** Every call, the right that it takes, and how it is made on a key. */
const CALLS: readonly [string, Right, (clients: Clients, key: string) => Promise<unknown>][] = [
  ["append", "append", ({ log }, key) => log.append({ key, ...toBatch(["a"]) })],
  ["read", "read", ({ log }, key) => log.read({ key })],
  ["follow", "read", ({ log }, key) => drain(log.follow({ keys: [{ key: KEY }, { key }] }))],
  [
    "commit",
    "read",
    ({ log }, key) => log.commit({ group: "g", offsets: { [KEY]: 1n, [key]: 1n } }),
  ],
  ["seek", "read", ({ log }, key) => log.seek({ group: "g", offsets: { [KEY]: 1n, [key]: 1n } })],
  ["metadata", "read", ({ log }, key) => log.metadata({ key })],
  ["offsetForTimestamp", "read", ({ log }, key) => log.offsetForTimestamp({ key })],
  ["deleteBefore", "admin", ({ log }, key) => log.deleteBefore({ key, offset: 1n })],
  ["flush", "append", ({ log }, key) => log.flush({ key })],
  ["openProducer", "append", ({ log }, key) => log.openProducer({ name: key })],
  ["getProducer", "append", ({ log }, key) => log.getProducer({ key })],
];

const COMLOG_CALLS: readonly [string, Right, (clients: Clients) => Promise<unknown>][] = [
  ["append", "append", ({ comlog }) => comlog.append(record)],
  ["batchAppend", "append", ({ comlog }) => comlog.batchAppend({ batch: [record] })],
  [
    "streamBatchAppend",
    "append",
    ({ comlog }) => drain(comlog.streamBatchAppend({ batch: [record] })),
  ],
  ["read", "read", ({ comlog }) => comlog.read({ value: 0n })],
  ["flush", "append", ({ comlog }) => comlog.flush({})],
  ["getMetaData", "read", ({ comlog }) => comlog.getMetaData({})],
  ["collectSegments", "admin", ({ comlog }) => comlog.collectSegments({ value: 1n })],
];

function codeOf(call: Promise<unknown>): Promise<Code | undefined> {
  return call.then(
    () => undefined,
    (error: ConnectError) => error.code,
  );
}

describe("rights", () => {
  it("are asked for by every call", () => {
    const apart = ["appendStream", "committed", "listGroups", "listKeys"];
    const asked = [...CALLS.map(([name]) => name), ...apart];
    expect(asked.sort()).toEqual(Object.keys(LogService.method).sort());
    expect(COMLOG_CALLS.map(([name]) => name).sort()).toEqual(Object.keys(ComLogRpc.method).sort());
  });

  it.each(CALLS)("of %s: %s, for its key", async (_, right, call) => {
    for (const given of RIGHTS) {
      const clients = await hosted(given);
      const [mine, theirs] = [
        await codeOf(call(clients, KEY)),
        await codeOf(call(clients, "theirs")),
      ];
      expect(theirs).toBe(Code.PermissionDenied);
      if (given === right) expect(mine).not.toBe(Code.PermissionDenied);
      else expect(mine).toBe(Code.PermissionDenied);
      expect(await clients.store.group("g").committed(["theirs"])).toEqual(new Map());
    }
  });

  it.each(COMLOG_CALLS)("of ComLog's %s: %s, for its key", async (_, right, call) => {
    for (const given of RIGHTS) {
      expect(await codeOf(call(await hosted(given)))).toBe(Code.PermissionDenied);
      const code = await codeOf(call(await hosted(given, "com")));
      expect(code).toBe(given === right ? undefined : Code.PermissionDenied);
    }
  });

  it("are asked for by each request of a stream", async () => {
    const { log, store } = await hosted("append");
    async function* requests() {
      for (const key of [KEY, "theirs", KEY]) yield { key, ...toBatch(["a"]) };
    }
    const codes = [];
    for await (const { result } of log.appendStream(requests())) {
      codes.push(result.case === "failure" ? result.value.detail?.code : result.case);
    }
    expect(codes).toEqual(["appended", "PERMISSION_DENIED", "appended"]);
    expect((await store.bounds("theirs"))?.endOffset).toBe(2);
  });

  it("bound what is listed", async () => {
    const { log, store } = await hosted("read");
    await store.group("g").commit({ [KEY]: 1, theirs: 1 });
    for (const prefix of ["", KEY.slice(0, 1), KEY]) {
      expect((await log.listKeys({ prefix })).keys).toEqual([KEY]);
    }
    expect((await log.listKeys({ prefix: "theirs" })).keys).toEqual([]);
    expect((await log.listKeys({ prefix: `${KEY}s` })).keys).toEqual([]);
    const appending = await hosted("append");
    expect((await appending.log.listKeys({})).keys).toEqual([]);
    expect((await log.committed({ group: "g" })).offsets).toEqual({ [KEY]: 1n });
    const asked = await log.committed({ group: "g", keys: ["theirs"] });
    expect(asked.offsets).toEqual({});
    expect(await codeOf(log.listGroups({}))).toBe(Code.PermissionDenied);
    const all = await hosted("read", "");
    expect(await codeOf(all.log.listGroups({}))).toBeUndefined();
  });

  it("are missed with a message that names the holder, the right and the key", async () => {
    const { log } = await hosted("read");
    const message = /ada has no right to append "theirs"/;
    await expect(log.append({ key: "theirs", ...toBatch(["a"]) })).rejects.toThrow(message);
  });
});
