import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { type Message, type ReadKey, readPolled } from "../../src/maelstrom/poll.js";
import { MaelstromError } from "../../src/maelstrom/runtime/maelstrom-error.js";

const MESSAGES: readonly Message[] = [{ offset: 0, value: new Uint8Array(1) }];
const never = new Promise<never>(() => {});
const busy = () => new MaelstromError("timeout", "no answer");

/** What is found of keys that are read as `reads` says; of all others there is a message at once. */
async function found(
  keys: readonly string[],
  reads: Record<string, () => Promise<readonly Message[]>>,
  first = 0,
): Promise<string[]> {
  const read: ReadKey = (key) => reads[key]?.() ?? Promise.resolve(MESSAGES);
  return [...(await readPolled(read, new Map(keys.map((key) => [key, 0])), first)).keys()];
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

  it("begins where it is told to, and answers in the order of the request", async () => {
    const keys = Array.from({ length: 200 }, (_, index) => `${index}`);
    const polled = found(keys, { 100: () => never }, 150);
    await vi.advanceTimersByTimeAsync(1000);
    // 64 keys from number 150 on, then those that come round: up to 14 and 78, then up to 142.
    const asked = [...keys.slice(0, 142), ...keys.slice(150)];
    expect(await polled).toEqual(asked.filter((key) => key !== "100"));
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
