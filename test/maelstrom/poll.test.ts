import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { type Message, POLL_BYTES, type ReadKey, readPolled } from "../../src/maelstrom/poll.js";
import { MaelstromError } from "../../src/maelstrom/runtime/maelstrom-error.js";

const MESSAGES: readonly Message[] = [{ offset: 0, value: new Uint8Array(1) }];
const never = new Promise<never>(() => {});
const busy = () => new MaelstromError("timeout", "no answer");

/** What is found of keys that are read as `reads` says; of all others there is a message at once. */
async function found(
  keys: readonly string[],
  reads: Record<string, () => Promise<readonly Message[]>>,
  turn = 0,
): Promise<string[]> {
  const read: ReadKey = (key) => reads[key]?.() ?? Promise.resolve(MESSAGES);
  return [...(await readPolled(read, new Map(keys.map((key) => [key, 0])), turn)).keys()];
}

const later = async (ms: number) => {
  await new Promise((resolve) => setTimeout(resolve, ms));
  return MESSAGES;
};

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

describe("a poll", () => {
  it("leaves out what takes too long", async () => {
    const polled = found(["a", "b", "c"], { b: () => never, c: () => later(900) });
    await vi.advanceTimersByTimeAsync(1000);
    expect(await Promise.race([polled, "it waits"])).toEqual(["a", "c"]);
    expect(vi.getTimerCount()).toBe(0);
  });

  it("waits for something, however long it takes", async () => {
    const polled = found(["a", "b"], { a: () => never, b: () => later(3000) });
    await vi.advanceTimersByTimeAsync(3000);
    expect(await polled).toEqual(["b"]);
  });

  it("does not begin with more keys when its time is over", async () => {
    const keys = Array.from({ length: 200 }, (_, index) => `${index}`);
    const polled = found(keys, { 100: () => never });
    await vi.advanceTimersByTimeAsync(1000);
    expect(await polled).toEqual(keys.slice(0, 128).filter((key) => key !== "100"));
  });

  it("gives room to keys in their order, not to those that are found first", async () => {
    const long = [{ offset: 0, value: new Uint8Array(POLL_BYTES) }];
    const polled = found(["a", "b"], {
      a: () => later(500).then(() => long),
      b: async () => long,
    });
    await vi.advanceTimersByTimeAsync(1000);
    expect(await polled).toEqual(["a"]);
  });

  it("leaves out no key for ever, whoever else polls in turns with it", async () => {
    const long = [{ offset: 0, value: new Uint8Array(POLL_BYTES / 64) }];
    const keys = Array.from({ length: 128 }, (_, index) => `${index}`);
    const reads = Object.fromEntries(keys.map((key) => [key, async () => long]));
    for (const consumers of [1, 2, 3, 8]) {
      const seen = new Set<string>();
      for (let poll = 0; poll < 10; poll++) {
        for (const key of await found(keys, reads, poll * consumers)) seen.add(key);
      }
      expect(seen.size).toBe(128);
    }
  });

  it("begins with another key each time, and answers in the order of the request", async () => {
    const keys = Array.from({ length: 200 }, (_, index) => `${index}`);
    const polled = found(keys, { 123: () => never }, 1);
    await vi.advanceTimersByTimeAsync(1000);
    // 64 keys from number 123 on, one of which takes too long.
    expect(await polled).toEqual(keys.slice(124, 187));
  });

  it("leaves out what cannot be read now, unless that leaves nothing", async () => {
    const fail = async () => {
      throw busy();
    };
    expect(await found(["a", "b"], { a: fail })).toEqual(["b"]);
    await expect(found(["a"], { a: fail })).rejects.toThrow("no answer");
  });

  it("fails if a key is asked for as it must not be", async () => {
    const refuse = async () => {
      throw new MaelstromError("malformedRequest", "no such offset");
    };
    await expect(found(["a", "b"], { b: refuse })).rejects.toThrow("no such offset");
  });
});
