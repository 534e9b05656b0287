import { describe, expect, it } from "vitest";
import type { Body } from "../../history.js";
import { Random } from "../../random.js";
import type { KeyValueService } from "./key-value.js";
import { LastWriteWinsKv } from "./last-write-wins-kv.js";
import { LinearizableKv } from "./linearizable-kv.js";
import { SequentialKv } from "./sequential-kv.js";

const read = (key: unknown): Body => ({ type: "read", key });
const write = (key: unknown, value: unknown): Body => ({ type: "write", key, value });
const cas = (key: unknown, from: unknown, to: unknown): Body => ({ type: "cas", key, from, to });
const create = (key: unknown, from: unknown, to: unknown): Body => ({
  ...cas(key, from, to),
  create_if_not_exists: true,
});

const value = (stored: unknown): Body => ({ type: "read_ok", value: stored });
const noSuchKey: Body = { type: "error", code: 20, text: "key does not exist" };
const isNot = (current: string, from: string): Body => ({
  type: "error",
  code: 22,
  text: `current value ${current} is not ${from}`,
});

/** What a single client is answered is the same for all services. */
const SERVICES: readonly [string, () => KeyValueService][] = [
  ["lin-kv", () => new LinearizableKv()],
  ["seq-kv", () => new SequentialKv(new Random(1))],
  ["lww-kv with one replica", () => new LastWriteWinsKv(new Random(1), 1)],
];

describe.each(SERVICES)("%s", (name, open) => {
  it("reads what was written", () => {
    const service = open();
    expect(service.handle("n0", read("a"))).toEqual(noSuchKey);
    expect(service.handle("n0", write("a", [1]))).toEqual({ type: "write_ok" });
    expect(service.handle("n0", read("a"))).toEqual(value([1]));
    expect(service.handle("n0", read(["a"]))).toEqual(noSuchKey);
  });

  it("compares and swaps", () => {
    const service = open();
    expect(service.handle("n0", cas("a", null, 1))).toEqual(noSuchKey);
    service.handle("n0", write("a", { x: [1, null] }));
    expect(service.handle("n0", cas("a", { x: [1] }, 2))).toEqual(
      isNot('{"x" [1 nil]}', '{"x" [1]}'),
    );
    expect(service.handle("n0", cas("a", { x: [1, null] }, 2))).toEqual({ type: "cas_ok" });
    expect(service.handle("n0", read("a"))).toEqual(value(2));
  });

  it("creates what is not there, if it knows how to", () => {
    const service = open();
    const creates = !name.startsWith("lww-kv");
    expect(service.handle("n0", create("a", 5, 1))).toEqual(
      creates ? { type: "cas_ok" } : noSuchKey,
    );
    service.handle("n0", write("a", 1));
    expect(service.handle("n0", create("a", 5, 2))).toEqual(isNot("1", "5"));
  });

  it.each([
    [{ type: "increment", key: "a" }, 10],
    [{ type: "read" }, 12],
    [{ type: "write", key: "a" }, 12],
    [{ type: "cas", key: "a", from: 1 }, 12],
  ])("refuses %j", (request, code) => {
    expect(open().handle("n0", request)).toMatchObject({ type: "error", code });
  });
});

describe("seq-kv", () => {
  /** Answers that a client which only reads is given while another writes 1, 2, … 20. */
  function readsBesideWrites(seed: number): number[] {
    const service = new SequentialKv(new Random(seed));
    return Array.from({ length: 20 }, (_, index) => {
      service.handle("writer", write("a", index + 1));
      const { value: seen } = service.handle("reader", read("a"));
      return Number(seen ?? 0);
    });
  }

  it("answers with what is long past, but never goes back", () => {
    const all = Array.from({ length: 50 }, (_, seed) => readsBesideWrites(seed));
    for (const seen of all) expect(seen).toEqual(seen.toSorted((a, b) => a - b));
    const lags = all.flatMap((seen) => seen.map((each, index) => index + 1 - each));
    expect(Math.min(...lags)).toBe(0);
    expect(Math.max(...lags)).toBeGreaterThan(5);
  });

  it("lets a compare-and-swap fail because of what is past", () => {
    const answers = Array.from({ length: 50 }, (_, seed) => {
      const service = new SequentialKv(new Random(seed));
      service.handle("n0", write("a", 1));
      service.handle("n1", read("a"));
      service.handle("n0", write("a", 2));
      return service.handle("n1", cas("a", 2, 3));
    });
    expect(answers).toContainEqual(isNot("1", "2"));
    expect(answers).toContainEqual(noSuchKey);
    expect(answers).toContainEqual({ type: "cas_ok" });
  });

  it.each(Array.from({ length: 20 }, (_, seed) => seed))(
    "gives all requests one order that each client's own fit into, seed %d",
    (seed) => {
      const random = new Random(seed);
      const service = new SequentialKv(new Random(seed + 1000));
      const order = new SequentialModel();
      for (let step = 1; step <= 300; step++) {
        const client = random.pick(["n0", "n1", "n2"]);
        const key = random.pick(["a", "b"]);
        const from = service.handle(client, read(key)).value;
        order.place(client, read(key), from === undefined ? noSuchKey : value(from));
        const request = random.pick([read(key), write(key, step), create(key, from ?? 0, step)]);
        order.place(client, request, service.handle(client, request));
      }
    },
  );
});

describe("lww-kv", () => {
  it("answers differently at different replicas, and forgets what was overwritten", () => {
    const service = new LastWriteWinsKv(new Random(1));
    const seen = new Set<unknown>();
    for (let step = 1; step <= 100; step++) {
      service.handle("n0", write("a", step));
      seen.add(step - Number(service.handle("n0", read("a")).value ?? 0));
    }
    expect(seen.size).toBeGreaterThan(3);
  });

  it("comes to one value when nobody writes any more", () => {
    const service = new LastWriteWinsKv(new Random(1));
    for (let step = 0; step < 10; step++) service.handle("n0", write("a", step));
    const answers = Array.from({ length: 300 }, () => service.handle("n0", read("a")).value);
    expect(new Set(answers.slice(-100)).size).toBe(1);
  });
});

/**
 * Puts requests into one order, as the rules of sequential consistency allow, without looking into
 * the service: each change at the end, all else at the earliest place, not before the last one of
 * its client, at which the answer would have been that. No two changes write the same.
 */
class SequentialModel {
  readonly #states: ReadonlyMap<unknown, unknown>[] = [new Map()];
  readonly #places = new Map<string, number>();

  place(client: string, request: Body, reply: Body): void {
    const changes = reply.type === "write_ok" || reply.type === "cas_ok";
    const last = this.#states.length - 1;
    const first = changes ? last : (this.#places.get(client) ?? 0);
    const found = this.#states.slice(first).findIndex((state) => explains(state, request, reply));
    if (found < 0) {
      throw new Error(`nothing explains ${JSON.stringify({ client, request, reply })}`);
    }
    this.#places.set(client, changes ? last + 1 : first + found);
    if (!changes) return;
    this.#states.push(
      new Map([...this.#states[last]!, [request.key, request.to ?? request.value]]),
    );
  }
}

/** Whether the answer could have been given in that state; all values here are numbers. */
function explains(state: ReadonlyMap<unknown, unknown>, request: Body, reply: Body): boolean {
  const current = state.get(request.key);
  if (reply.type === "write_ok") return true;
  if (reply.type === "cas_ok") return current === undefined || current === request.from;
  if (reply.type === "read_ok") return current === reply.value;
  if (reply.code === 20) return current === undefined;
  return reply.text === `current value ${current} is not ${request.from}`;
}
