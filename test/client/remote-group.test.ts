import { expect, test } from "vitest";
import type { Calls } from "../../src/client/calls.js";
import type { Connection } from "../../src/client/connection.js";
import { RemoteGroup } from "../../src/client/remote-group.js";
import { SeglogError } from "../../src/errors.js";
import { codeOf } from "../support/failure.js";
import { RemoteStore } from "./remote.js";

/** What a message of a server may have, beside the 65,536 of a batch. */
const MAX_ELEMENTS = 66_560;
const KEYS = Array.from({ length: 70_000 }, (_, index) => `key-${index}`);
const OFFSETS = KEYS.map((key, index) => [key, index] as const);

/** A group on a server that keeps what it is sent, and refuses a key if it is told to. */
function groupOf({ refused }: { refused?: string } = {}) {
  const stored = new Map<string, number>();
  const generations = new Map<string, Uint8Array>();
  const store = async (request: {
    offsets?: Readonly<Record<string, bigint>>;
    generations?: Readonly<Record<string, Uint8Array>>;
  }) => {
    const pairs = Object.entries(request.offsets ?? {});
    const told = Object.entries(request.generations ?? {});
    if (pairs.length + told.length > MAX_ELEMENTS) expect.fail("there are too many elements");
    if (pairs.some(([key]) => key === refused)) throw new SeglogError("KEY_NOT_FOUND", "none");
    for (const [key, next] of pairs) stored.set(key, Number(next));
    for (const [key, generation] of told) generations.set(key, generation);
    return {};
  };
  const calls = { commit: store, seek: store } as unknown as Calls;
  const call = (run: (calls: Calls, options: object) => Promise<unknown>) => run(calls, {});
  const { signal } = new AbortController();
  const connection = { call, once: call, closing: signal } as unknown as Connection;
  return { group: new RemoteGroup("g", connection), stored, generations };
}

test("more keys than a message may have are committed, with their generations", async () => {
  const { group, stored, generations } = groupOf();
  const told = new Map(KEYS.map((key, index) => [key, new Uint8Array([index])]));
  await group.commitIn(told, OFFSETS);
  expect(stored).toEqual(new Map(OFFSETS));
  expect(generations).toEqual(told);
});

test("and are sought; the last offset of a key counts", async () => {
  const { group, stored } = groupOf();
  await group.seek([["key-69999", 7], ...OFFSETS, ["key-0", 8]]);
  expect(stored).toEqual(new Map([...OFFSETS, ["key-0", 8]]));
});

test("a part that is refused ends it, and what came before it stays", async () => {
  const { group, stored } = groupOf({ refused: "key-45000" });
  expect(await codeOf(group.commit(OFFSETS))).toBe("KEY_NOT_FOUND");
  expect(stored).toEqual(new Map(OFFSETS.slice(0, 40_000)));
});

test("a server tells the committed offsets of as many", async () => {
  const store = await RemoteStore.start();
  const client = await store.connect();
  await client.append("key-69000", "v");
  await client.group("g").commit({ "key-69000": 1 });
  expect(await client.group("g").committed(KEYS)).toEqual(new Map([["key-69000", 1]]));
});
