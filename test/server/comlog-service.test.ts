import { type Client, Code, type ConnectError, createClient } from "@connectrpc/connect";
import { describe, expect, it } from "vitest";
import type { LogStore } from "../../src/index.js";
import { ComLogRpc } from "../../src/wire/generated/api/comlog_pb.js";
import { openStore, textsOf } from "../store/stores.js";
import { newPath } from "../support/temporary-directory.js";
import { bytes } from "../wire/bytes.js";
import { COMLOG_KEY, failureOf, host } from "./service-host.js";

async function hosted(): Promise<{ store: LogStore; client: Client<typeof ComLogRpc> }> {
  const store = await openStore(newPath(), { segmentBytes: 4096, maxRecordBytes: 2000 });
  return { store, client: createClient(ComLogRpc, (await host(store)).transport()) };
}

function records(...texts: string[]) {
  return { batch: texts.map((text) => ({ data: bytes(text) })) };
}

async function codeOf(call: Promise<unknown>): Promise<Code> {
  return ((await failureOf(call)) as ConnectError).code;
}

describe("ComLog's service", () => {
  it("appends and reads, and counts 8 bytes for a length", async () => {
    const { client } = await hosted();
    const first = await client.append({ data: bytes("hello") });
    expect(first).toMatchObject({ offset: 0n, nbrOfStoredBytes: 13n });
    expect((await client.append({ data: bytes("") })).offset).toBe(1n);
    const read = await client.read({ value: 0n });
    expect(read).toMatchObject({ record: bytes("hello"), nbrOfReadBytes: 13n });
    expect(await client.read({ value: -1n })).toMatchObject({ nbrOfReadBytes: 8n });
  });

  it("keeps the order of a batch, and stores it as one", async () => {
    const { client, store } = await hosted();
    const { response } = await client.batchAppend(records("a", "bc", "d"));
    const answers = response.map(({ resp, index }) => [
      index,
      resp!.offset,
      resp!.nbrOfStoredBytes,
    ]);
    expect(answers).toEqual([
      [0n, 0n, 9n],
      [1n, 1n, 10n],
      [2n, 2n, 9n],
    ]);
    expect(textsOf((await store.read(COMLOG_KEY, 0)).records)).toEqual(["a", "bc", "d"]);
    const [segment] = (await store.log(COMLOG_KEY)).segments();
    expect(segment!.contents!.batches).toBe(1);
    expect((await client.batchAppend(records())).response).toEqual([]);
  });

  it("streams the answers to a batch", async () => {
    const { client } = await hosted();
    const answers = [];
    for await (const { index, resp, errorMsg } of client.streamBatchAppend(records("a", "b"))) {
      answers.push([index, resp?.offset, errorMsg]);
    }
    expect(answers).toEqual([
      [0n, 0n, ""],
      [1n, 1n, ""],
    ]);
  });

  it("tells the failure of a batch with each record of a stream", async () => {
    const { client, store } = await hosted();
    const answers = [];
    const batch = records("a", "x".repeat(3000));
    for await (const { index, resp, errorMsg } of client.streamBatchAppend(batch)) {
      answers.push([index, resp, errorMsg]);
    }
    const message = expect.stringMatching(/longer than maxRecordBytes/);
    expect(answers).toEqual([
      [0n, undefined, message],
      [1n, undefined, message],
    ]);
    expect((await store.read(COMLOG_KEY, 0)).records).toEqual([]);
  });

  it("tells what is out of range", async () => {
    const { client, store } = await hosted();
    for (const value of [-1n, 0n, 1n]) {
      expect(await codeOf(client.read({ value }))).toBe(Code.OutOfRange);
    }
    expect(store.keys()).toEqual([]);
    await client.batchAppend(records("a", "b", "c"));
    await (await store.log(COMLOG_KEY)).deleteBefore(1);
    for (const value of [0n, 3n, -2n, 2n ** 62n]) {
      expect(await codeOf(client.read({ value }))).toBe(Code.OutOfRange);
    }
    expect((await client.read({ value: 1n })).record).toEqual(bytes("b"));
  });

  it("tells what there is, also of nothing", async () => {
    const { client } = await hosted();
    const nothing = { segmentsSize: 0n, oldestOffset: 0n, lastOffset: 0n };
    expect(await client.getMetaData({})).toMatchObject(nothing);
    await client.flush({});
    await client.collectSegments({ value: 5n });
    await client.batchAppend(records("a", "b", "c"));
    const { segmentsSize, ...offsets } = await client.getMetaData({});
    expect(offsets).toMatchObject({ oldestOffset: 0n, lastOffset: 2n });
    expect(segmentsSize).toBeGreaterThan(0n);
    await client.flush({ value: 1 });
  });

  it("collects whole segments whose records are all before an offset", async () => {
    const { client, store } = await hosted();
    for (let index = 0; index < 20; index++) await client.append({ data: new Uint8Array(1000) });
    const segments = (await store.log(COMLOG_KEY)).segments();
    const second = segments[1]!;
    await client.collectSegments({ value: BigInt(second.endOffset - 1) });
    expect((await client.getMetaData({})).oldestOffset).toBe(BigInt(second.baseOffset));
    await client.collectSegments({ value: BigInt(second.endOffset) });
    expect((await client.getMetaData({})).oldestOffset).toBe(BigInt(second.endOffset));
    await client.collectSegments({ value: 2n ** 63n });
    const last = segments[segments.length - 1]!;
    const { oldestOffset, lastOffset } = await client.getMetaData({});
    expect([oldestOffset, lastOffset]).toEqual([BigInt(last.baseOffset), 19n]);
  });
});
