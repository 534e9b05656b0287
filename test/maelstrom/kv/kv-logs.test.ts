import { describe, expect, it } from "vitest";
import { Random } from "../random.js";
import { KvNode } from "./kv-node.js";
import {
  answerLost,
  delayed,
  type Fate,
  MemoryServices,
  notThere,
  refused,
  requestLost,
} from "./memory-services.js";

const numbers = (count: number, from = 0) => Array.from({ length: count }, (_, i) => `${from + i}`);

describe("appending to a chain in a key-value store", () => {
  it("gives out offsets in the order of the calls", async () => {
    const node = new KvNode(new MemoryServices());
    const offsets = await Promise.all(numbers(5).map((message) => node.append("k", message)));
    expect(offsets).toEqual([0, 1, 2, 3, 4]);
    expect(await node.read("k")).toEqual(numbers(5));
  });

  it("takes one request for all messages that wait together", async () => {
    const services = new MemoryServices();
    const node = new KvNode(services);
    const append = () => Promise.all(numbers(500).map((message) => node.append("k", message)));
    expect(await services.count(append)).toBe(2);
  });

  it("takes one request for each message, however long the log is", async () => {
    const services = new MemoryServices();
    const node = new KvNode(services);
    await node.appendBatches("k", 63);
    expect(await services.count(() => node.append("k", "a"))).toBe(1);
    // A milestone is written down besides.
    expect(await services.count(() => node.append("k", "b"))).toBe(2);
    expect(await services.count(() => node.append("k", "c"))).toBe(1);
  });

  it("bounds a batch", async () => {
    const services = new MemoryServices();
    const node = new KvNode(services);
    const long = "x".repeat(600_000);
    await Promise.all(["first", long, long, long].map((message) => node.append("k", message)));
    const batches = [...services.values.values()] as { messages: string[] }[];
    expect(batches.map(({ messages }) => messages.length)).toEqual([1, 1, 1, 1]);
    expect(await node.read("k")).toHaveLength(4);
  });

  it("keeps keys apart", async () => {
    const node = new KvNode(new MemoryServices());
    const keys = ["", "a", "a/0", "a/", "0", "__proto__", "ключ"];
    for (const key of keys) await node.append(key, `to ${key}`);
    for (const key of keys) expect(await node.read(key)).toEqual([`to ${key}`]);
  });

  it("refuses a key that is no text", () => {
    const node = new KvNode(new MemoryServices());
    expect(() => node.append("\ud800", "1")).toThrow("half of a character");
  });

  it("stores a message once if the answer to the request is lost", async () => {
    const services = new MemoryServices();
    const node = new KvNode(services);
    services.fates.push(answerLost);
    expect(await node.append("k", "a")).toBe(0);
    expect(await node.append("k", "b")).toBe(1);
    expect(await new KvNode(services).read("k")).toEqual(["a", "b"]);
  });

  it("stores a message once if a request arrives after it was made again", async () => {
    const services = new MemoryServices();
    const node = new KvNode(services);
    const late = delayed();
    services.fates.push(late.fate);
    expect(await node.append("k", "a")).toBe(0);
    late.arrive();
    expect(await node.append("k", "b")).toBe(1);
    expect(await new KvNode(services).read("k")).toEqual(["a", "b"]);
  });

  it("lets another writer win, also if its own request is on its way", async () => {
    const services = new MemoryServices();
    const node = new KvNode(services);
    const other = new KvNode(services);
    const late = delayed();
    services.fates.push(late.fate);
    const append = node.append("k", "mine");
    await other.append("k", "theirs");
    late.arrive();
    expect(await append).toBe(1);
    expect(await new KvNode(services).read("k")).toEqual(["theirs", "mine"]);
  });

  it("says that it is unknown, and finds out before it goes on", async () => {
    const services = new MemoryServices();
    const node = new KvNode(services);
    const late = delayed();
    services.fates.push(late.fate, requestLost);
    const append = node.append("k", "in doubt");
    await expect(append).rejects.toMatchObject({ code: 0, isDefinite: false });
    late.arrive();
    expect(await node.append("k", "next")).toBe(1);
    expect(await node.read("k")).toEqual(["in doubt", "next"]);
  });

  it("does not try elsewhere what it finds stored by chance", async () => {
    const services = new MemoryServices();
    const node = new KvNode(services);
    const late = delayed();
    services.fates.push(late.fate);
    const append = node.append("k", "in doubt");
    await new Promise((resolve) => setImmediate(resolve));
    late.arrive();
    // Before the second attempt, it learns of a batch at that place.
    expect(await node.read("k")).toEqual(["in doubt"]);
    expect(await append).toBe(0);
    expect(await new KvNode(services).read("k")).toEqual(["in doubt"]);
  });

  it("does not store what was unknown and is found to be not there", async () => {
    const services = new MemoryServices();
    const node = new KvNode(services);
    const other = new KvNode(services);
    services.fates.push(requestLost, requestLost);
    const append = node.append("k", "in doubt");
    await expect(append).rejects.toMatchObject({ code: 0 });
    await other.append("k", "theirs");
    expect(await node.append("k", "next")).toBe(1);
    expect(await node.read("k")).toEqual(["theirs", "next"]);
  });

  it("refuses for certain what has to wait for a store that does not answer", async () => {
    const services = new MemoryServices();
    const node = new KvNode(services);
    services.fates.push(requestLost, requestLost);
    const [first, second] = [node.append("k", "first"), node.append("k", "second")];
    await expect(first).rejects.toMatchObject({ code: 0, isDefinite: false });
    await expect(second).rejects.toMatchObject({ code: 11, isDefinite: true });
    expect(await node.append("k", "third")).toBe(0);
    expect(await new KvNode(services).read("k")).toEqual(["third"]);
  });

  it("does not know of what is refused after an attempt that may be on its way", async () => {
    const services = new MemoryServices();
    const node = new KvNode(services);
    const late = delayed();
    services.fates.push(late.fate, refused);
    await expect(node.append("k", "m")).rejects.toMatchObject({ code: 0, isDefinite: false });
    late.arrive();
    expect(await node.append("k", "next")).toBe(1);
    expect(await node.read("k")).toEqual(["m", "next"]);
  });

  it("passes on what the store refuses, and goes on", async () => {
    const services = new MemoryServices();
    const node = new KvNode(services);
    services.fates.push(refused);
    await expect(node.append("k", "no")).rejects.toMatchObject({ code: 11 });
    expect(await node.append("k", "yes")).toBe(0);
  });
});

/** A message such that not all of 400 logs with one each can be kept. */
const LONG = "x".repeat(200_000);

describe("reading a chain in a key-value store", () => {
  it("sees at once what another node has appended", async () => {
    const services = new MemoryServices();
    const [writer, reader] = [new KvNode(services), new KvNode(services)];
    for (const count of [1, 2, 3]) {
      await writer.append("k", "m");
      expect(await reader.read("k", count - 1)).toEqual(["m"]);
    }
  });

  it("asks for nothing where messages are known, also if there may be more", async () => {
    const services = new MemoryServices();
    const [writer, reader] = [new KvNode(services), new KvNode(services)];
    await writer.append("k", "m");
    await reader.read("k");
    await writer.append("k", "more");
    expect(await services.count(() => reader.read("k"))).toBe(0);
    expect(await reader.read("k", 1)).toEqual(["more"]);
    expect(await reader.read("k")).toEqual(["m", "more"]);
  });

  it("asks once for all who want to know the end at the same time", async () => {
    const services = new MemoryServices();
    const node = new KvNode(services);
    await node.append("k", "m");
    const poll = () => Promise.all(Array.from({ length: 50 }, () => node.read("k", 1)));
    expect(await services.count(poll)).toBe(2);
  });

  it("asks for nothing while it trusts in what it has seen", async () => {
    const services = new MemoryServices();
    const node = new KvNode(services, { trustMs: 1e9 });
    await node.append("k", "m");
    expect(await services.count(() => node.read("k", 1))).toBe(0);
    const other = new KvNode(services);
    await other.append("k", "theirs");
    expect(await node.read("k", 1)).toEqual([]);
    // Somebody has seen more: what is trusted in is not all.
    expect(await node.read("k", 2)).toEqual([]);
    expect(await node.read("k")).toEqual(["m", "theirs"]);
    // Where there is another writer, there is nothing to trust in.
    await other.append("k", "again");
    expect(await node.read("k", 2)).toEqual(["again"]);
  });

  it("does not take itself for another writer", async () => {
    const services = new MemoryServices();
    const node = new KvNode(services, { trustMs: 1e9 });
    const late = delayed();
    services.fates.push(late.fate);
    const append = node.append("k", "m");
    await new Promise((resolve) => setImmediate(resolve));
    late.arrive();
    expect(await node.read("k")).toEqual(["m"]);
    await append;
    expect(await services.count(() => node.read("k"))).toBe(0);
  });

  it("refuses an offset that lies behind the end", async () => {
    const node = new KvNode(new MemoryServices());
    await expect(node.read("k", 1)).rejects.toThrow(/offset 1/i);
    expect(await node.read("k", 0)).toEqual([]);
  });

  it("bounds what it reads", async () => {
    const node = new KvNode(new MemoryServices());
    await Promise.all(numbers(30).map((message) => node.append("k", message)));
    expect(await node.read("k", 3, 20)).toEqual(numbers(20, 3));
    const { records } = await node.logs.read("k", 0, { maxBytes: 1 });
    expect(records).toHaveLength(1);
  });

  it("finds the end of a long log in a few steps after a start", async () => {
    const services = new MemoryServices();
    await new KvNode(services).appendBatches("k", 1000);
    const node = new KvNode(services);
    expect(await services.count(() => node.append("k", "m"))).toBeLessThan(64 + 20);
    expect(await node.read("k", 1000)).toEqual(["m"]);
  });

  it("finds the middle of a long log in a few steps", async () => {
    const services = new MemoryServices();
    await new KvNode(services).appendBatches("k", 1000);
    const node = new KvNode(services);
    await node.read("k", 1000);
    const count = await services.count(async () => {
      expect(await node.read("k", 500, 1)).toEqual(["500"]);
    });
    expect(count).toBeLessThan(64 + 20);
    const next = await services.count(async () => {
      expect(await node.read("k", 501, 1)).toEqual(["501"]);
    });
    expect(next).toBe(1);
  });

  it("goes on where it was in a batch that is no longer at hand", async () => {
    const services = new MemoryServices();
    const writer = new KvNode(services);
    await Promise.all(numbers(100).map((message) => writer.append("k", message)));
    for (const _ of [1, 2, 3]) await writer.append("k", "x".repeat(600_000));
    expect(await writer.read("k", 10, 20)).toEqual(numbers(20, 10));
    expect(await services.count(() => writer.read("k", 30, 20))).toBe(0);
  });

  it("forgets logs that are not used when it keeps too much, and finds them again", async () => {
    const services = new MemoryServices();
    const node = new KvNode(services, { trustMs: 1e9 });
    const keys = numbers(400);
    for (const key of keys) expect(await node.append(key, LONG)).toBe(0);
    const read = async (key: string) => expect(await node.read(key)).toEqual([LONG]);
    expect(await services.count(() => read("399"))).toBe(0);
    expect(await services.count(() => read("0"))).toBeGreaterThan(0);
    expect(await services.count(() => read("0"))).toBe(0);
    expect(await node.append("1", "next")).toBe(1);
  });

  it("reads a log that is forgotten meanwhile", async () => {
    const node = new KvNode(new MemoryServices());
    await node.append("k", "m");
    // A log on which something is on its way is not forgotten.
    await new Promise((resolve) => setImmediate(resolve));
    const read = node.read("k", 1);
    await Promise.all(numbers(400).map((key) => node.append(key, LONG)));
    expect(await read).toEqual([]);
  });

  it("finds again the milestones that were lost", async () => {
    const services = new MemoryServices();
    services.fateOf = (service) => (service === "seq-kv" ? notThere : undefined);
    await new KvNode(services).appendBatches("k", 500);
    services.fateOf = undefined;
    const walker = new KvNode(services);
    expect(await services.count(() => walker.read("k", 500))).toBeGreaterThan(500);
    const next = new KvNode(services);
    expect(await services.count(() => next.read("k", 500))).toBeLessThan(64 + 20);
  });

  it.each<[string, Fate]>([
    ["finds none", notThere],
    ["fails", requestLost],
  ])("is right where the store of milestones %s", async (_, fate) => {
    const services = new MemoryServices();
    services.fateOf = (service) => (service === "seq-kv" ? fate : undefined);
    await new KvNode(services).appendBatches("k", 200);
    const read = new KvNode(services).read("k", 150);
    if (fate === requestLost) await expect(read).rejects.toMatchObject({ code: 0 });
    else expect(await read).toEqual(numbers(50, 150));
  });

  it.each([
    ["nothing like a batch", 5],
    ["a batch of another place", { id: "x", number: 7, messages: ["1"] }],
    ["an empty batch", { id: "x", number: 0, messages: [] }],
    ["messages that are no texts", { id: "x", number: 0, messages: [1] }],
  ])("does not take %s for one", async (_, value) => {
    const services = new MemoryServices();
    services.values.set("lin-kv log/k/0", value);
    const node = new KvNode(services);
    await expect(node.read("k")).rejects.toThrow("log/k/0 is not batch 0");
  });

  it("does not take a milestone that is wrong for the end", async () => {
    const services = new MemoryServices();
    await new KvNode(services).appendBatches("k", 20);
    services.values.set("seq-kv milestone/k/1", 40);
    const node = new KvNode(services);
    await expect(node.read("k")).rejects.toThrow("There is nothing at log/k/40");
    expect(await node.append("k", "n")).toBe(20);
    expect(await node.read("k", 18)).toEqual(["18", "19", "n"]);
  });
});

/** What clients of several nodes did with one key, over services that lose and delay. */
async function runLoad(seed: number) {
  const random = new Random(seed);
  const services = new MemoryServices();
  const late: (() => void)[] = [];
  services.fateOf = () => {
    const number = random.below(100);
    if (number < 4) return answerLost;
    if (number < 6) return requestLost;
    if (number < 7) return refused;
    if (number >= 10) return undefined;
    const request = delayed();
    late.push(request.arrive);
    return request.fate;
  };
  const nodes = [0, 1, 2].map((index) => new KvNode(services, { trustMs: index === 0 ? 5 : 0 }));
  const acknowledged = new Map<number, string>();
  const unknown = new Set<string>();
  const client = async (name: number) => {
    for (let step = 0; step < 25; step++) {
      const node = random.pick(nodes);
      const message = `${name}-${step}`;
      // Whatever is late arrives some time.
      if (random.below(3) === 0) late.splice(random.below(late.length), 1)[0]?.();
      await node.append("k", message).then(
        (offset) => acknowledged.set(offset, message),
        (error) => error.isDefinite || unknown.add(message),
      );
      await node.read("k").catch(() => {});
    }
  };
  await Promise.all([0, 1, 2, 3, 4, 5].map(client));
  for (const arrive of late) arrive();
  services.fateOf = undefined;
  // What a writer has in doubt, it settles before its next message.
  for (const [index, node] of nodes.entries()) await node.append("k", `last of ${index}`);
  return { acknowledged, unknown, stored: await new KvNode(services).read("k") };
}

describe.each([1, 2, 3])("several writers of one chain, seed %d", (seed) => {
  it("store each message once, and at the offset that was told", async () => {
    const { acknowledged, unknown, stored } = await runLoad(seed);
    expect(acknowledged.size).toBeGreaterThan(75);
    for (const [offset, message] of acknowledged) expect(stored[offset]).toBe(message);
    expect(new Set(stored).size).toBe(stored.length);
    const known = new Set([...acknowledged.values(), ...unknown]);
    const others = stored.filter((message) => !known.has(message));
    expect(others).toEqual(["last of 0", "last of 1", "last of 2"]);
  });
});
