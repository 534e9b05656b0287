import { describe, expect, it } from "vitest";
import { slotOf } from "../../../src/maelstrom/slot.js";
import { KvNode } from "./kv-node.js";
import { answerLost, delayed, MemoryServices, refused, requestLost } from "./memory-services.js";

const commit = (node: KvNode, offsets: Record<string, number>) =>
  node.group.commit(new Map(Object.entries(offsets)));

/** Two nodes, and a key `k` of ten messages. */
async function start(options = {}) {
  const services = new MemoryServices();
  const nodes = [new KvNode(services, options), new KvNode(services, options)] as const;
  await Promise.all(Array.from({ length: 10 }, () => nodes[0].append("k", "m")));
  return { services, nodes };
}

describe("committed offsets in a key-value store", () => {
  it("go forth, and never back, whichever node commits them", async () => {
    const { nodes, services } = await start();
    const highest = [3, 3, 7, 7, 10, 10];
    for (const [index, next] of [3, 2, 7, 5, 10, 1].entries()) {
      await commit(nodes[index % 2]!, { k: next });
      const stored = String(services.values.get(`lin-kv committed/group/${slotOf("k")}`));
      expect(JSON.parse(stored).offsets).toEqual([["k", highest[index]]]);
      const other = await nodes[(index + 1) % 2]!.group.committed(["k"]);
      expect(other.get("k")).toBe(highest[index]);
    }
  });

  it("are the highest of those that are committed at once", async () => {
    const { nodes } = await start();
    const all = [4, 9, 2, 6, 1, 8].map((next, index) => commit(nodes[index % 2]!, { k: next }));
    await Promise.all(all);
    for (const node of nodes)
      expect(await node.group.committed(["k"])).toEqual(new Map([["k", 9]]));
  });

  it("are there for the keys that have one", async () => {
    const { nodes } = await start();
    expect(await nodes[0].group.committed(["k", "other"])).toEqual(new Map());
    await commit(nodes[0], { k: 0 });
    expect(await nodes[0].group.committed(["k", "other"])).toEqual(new Map());
    await commit(nodes[0], { k: 1 });
    expect(await nodes[0].group.committed(["k", "other"])).toEqual(new Map([["k", 1]]));
  });

  it("take one request for each slot of keys, and one for all who wait for it", async () => {
    const { nodes, services } = await start({ trustMs: 1e9 });
    const [node] = nodes;
    const keys = Array.from({ length: 500 }, (_, index) => `${index}`);
    await Promise.all(keys.map((key) => node.append(key, "m")));
    const all = Object.fromEntries(keys.map((key) => [key, 1]));
    expect(await services.count(() => commit(node, all))).toBe(64);
    const one = () => Promise.all([1, 2, 3, 4, 5].map((next) => commit(node, { k: next })));
    expect(await services.count(one)).toBe(2);
    expect(await services.count(() => nodes[1].group.committed(keys))).toBe(64);
    expect(await nodes[1].group.committed([...keys, "k"])).toEqual(
      new Map([...keys.map((key) => [key, 1] as const), ["k", 5]]),
    );
  });

  it("of other keys stay as they are when several nodes change a slot", async () => {
    const { nodes } = await start();
    const slot = slotOf("k");
    const keys = Array.from({ length: 1000 }, (_, index) => `${index}`);
    const others = keys.filter((key) => slotOf(key) === slot);
    expect(others.length).toBeGreaterThan(5);
    await Promise.all(others.map((key) => nodes[0].append(key, "m")));
    const commits = others.map((key, index) => commit(nodes[index % 2]!, { [key]: 1 }));
    await Promise.all([...commits, commit(nodes[1], { k: 7 })]);
    for (const node of nodes) {
      expect((await node.group.committed([...others, "k"])).size).toBe(others.length + 1);
    }
  });

  it("take one request, and none for what is committed already", async () => {
    const { nodes, services } = await start({ trustMs: 1e9 });
    const [node] = nodes;
    expect(await services.count(() => commit(node, { k: 3 }))).toBe(1);
    expect(await services.count(() => commit(node, { k: 5 }))).toBe(1);
    expect(await services.count(() => commit(node, { k: 4 }))).toBe(0);
    expect(await services.count(() => node.group.committed(["k"]))).toBe(0);
  });

  it("are not put behind the end, nor on a key that is not there", async () => {
    const { nodes, services } = await start();
    await expect(commit(nodes[1], { k: 11 })).rejects.toMatchObject({
      code: "OFFSET_OUT_OF_RANGE",
    });
    await expect(commit(nodes[1], { k: 5, other: 1 })).rejects.toMatchObject({ code: 20 });
    expect(await nodes[0].group.committed(["k"])).toEqual(new Map());
    expect([...services.values.keys()].filter((key) => key.includes("committed"))).toEqual([]);
  });

  it("may be committed again if it is unknown whether they are", async () => {
    const { nodes, services } = await start({ trustMs: 1e9 });
    const late = delayed();
    services.fates.push(late.fate, answerLost, requestLost);
    await expect(commit(nodes[0], { k: 3 })).rejects.toMatchObject({ code: 0 });
    await expect(commit(nodes[0], { k: 4 })).rejects.toMatchObject({ code: 0 });
    await expect(commit(nodes[0], { k: 5 })).rejects.toMatchObject({ code: 0 });
    await commit(nodes[0], { k: 6 });
    late.arrive();
    expect(await new KvNode(services).group.committed(["k"])).toEqual(new Map([["k", 6]]));
  });

  it("are told of truly if some are committed and others are not", async () => {
    const { nodes, services } = await start({ trustMs: 1e9 });
    await nodes[0].append("other", "m");
    services.fates.push(refused);
    await expect(commit(nodes[0], { k: 3, other: 1 })).rejects.toMatchObject({
      code: 13,
      message: expect.stringContaining("some of the keys"),
    });
    await nodes[0].append("more", "m");
    services.fates.push(refused, requestLost);
    await expect(commit(nodes[0], { k: 3, more: 1 })).rejects.toMatchObject({ code: 0 });
    services.fates.push(refused);
    await expect(commit(nodes[0], { k: 3 })).rejects.toMatchObject({ code: 11 });
  });

  it("do not take anything else for an offset", async () => {
    const { nodes, services } = await start();
    const wrong = [
      "5",
      5,
      "null",
      `{"version":1,"offsets":[["k",-1]]}`,
      `{"version":1,"offsets":[["k","1"]]}`,
      `{"version":1,"offsets":[[1,1]]}`,
      `{"version":"1","offsets":[["k",1]]}`,
      `{"version":1,"offsets":[["k",1]],"more":1}`,
      `{"version":1,"offsets":[["k",1],["k",1]]}`,
    ];
    for (const value of wrong) {
      services.values.set(`lin-kv committed/group/${slotOf("k")}`, value);
      await expect(nodes[0].group.committed(["k"])).rejects.toThrow("no committed offsets");
    }
  });
});
