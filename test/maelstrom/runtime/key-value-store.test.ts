import { beforeEach, describe, expect, it } from "vitest";
import { KeyValueStore } from "../../../src/maelstrom/runtime/key-value-store.js";
import { MemoryServices, requestLost } from "../kv/memory-services.js";

let services: MemoryServices;
let store: KeyValueStore;

beforeEach(() => {
  services = new MemoryServices();
  store = new KeyValueStore(services.network(), "lin-kv", 1000);
});

describe("KeyValueStore", () => {
  it("reads what was written, and nothing where there is nothing", async () => {
    expect(await store.read("k")).toBeUndefined();
    await store.write("k", { list: [1, null, "a"] });
    expect(await store.read("k")).toEqual({ list: [1, null, "a"] });
  });

  it("swaps if the value is what was expected", async () => {
    await store.write("k", 1);
    expect(await store.compareAndSwap("k", 1, 2)).toBe(true);
    expect(await store.compareAndSwap("k", 1, 3)).toBe(false);
    expect(await store.read("k")).toBe(2);
  });

  it("does not make a key by a swap", async () => {
    await expect(store.compareAndSwap("k", 1, 2)).rejects.toMatchObject({ code: 20 });
  });

  it("makes a key once", async () => {
    expect(await store.create("k", 1)).toBe(true);
    expect(await store.create("k", 1)).toBe(false);
    expect(await store.create("k", 2)).toBe(false);
    expect(await store.read("k")).toBe(1);
  });

  it("says when it does not know", async () => {
    services.fates.push(requestLost);
    await expect(store.write("k", 1)).rejects.toMatchObject({ code: 0, isDefinite: false });
  });

  it("asks as Maelstrom's services are asked", async () => {
    const asked: unknown[] = [];
    const network = {
      nodeId: "n0",
      nodeIds: ["n0"],
      request: async (dest: string, body: object, timeoutMs: number) => {
        asked.push({ dest, timeoutMs, ...body });
        throw new Error("enough");
      },
    };
    const other = new KeyValueStore(network, "seq-kv", 7);
    const calls = [other.read("k"), other.write("k", 1), other.compareAndSwap("k", 1, 2)];
    await Promise.allSettled([...calls, other.create("k", 3)]);
    const common = { dest: "seq-kv", timeoutMs: 7, key: "k" };
    expect(asked).toEqual([
      { ...common, type: "read" },
      { ...common, type: "write", value: 1 },
      { ...common, type: "cas", from: 1, to: 2 },
      { ...common, type: "cas", from: null, to: 3, create_if_not_exists: true },
    ]);
  });
});
