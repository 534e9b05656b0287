import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { ResponseBudget } from "../../src/server/response-budget.js";
import { readInRoom } from "../../src/server/response-cost.js";
import type { ResponseRoom, StalledResponse } from "../../src/server/response-room.js";

const NEVER = new AbortController().signal;

/** A budget of 128 bytes, so that what is read takes at least 2. */
function open(roomMs = 1000) {
  const budget = new ResponseBudget({ maxBytes: 128, roomMs, stallMs: 60_000 });
  const ended: string[] = [];
  const call = (connection: object, name = "call") =>
    budget.open(connection, ({ reason, bytes }: StalledResponse) => {
      ended.push(`${name} ${reason} ${bytes}`);
    });
  /** Lets a reader show that it takes what it asks for. */
  const prove = async (connection: object) => {
    const room = call(connection);
    await room.take(1, NEVER);
    room.send(1, false)();
  };
  return { budget, call, prove, ended };
}

/** Notes when calls get their room. */
function taking(rooms: Readonly<Record<string, ResponseRoom>>, bytes: number): string[] {
  const order: string[] = [];
  for (const [name, room] of Object.entries(rooms)) {
    void room.take(bytes, NEVER).then(() => order.push(name));
  }
  return order;
}

/** Everything that is due has run. */
const settled = () => vi.advanceTimersByTimeAsync(0);

beforeEach(() => {
  vi.useFakeTimers();
});

afterEach(() => {
  vi.useRealTimers();
});

describe("what a response holds", () => {
  it("is taken before it is read, corrected, and given back when the network has it", async () => {
    const { budget, call } = open();
    const room = call({});
    await room.take(60, NEVER);
    expect(budget.taken).toBe(60);
    expect(room.settle(30)).toBe(true);
    expect(budget.taken).toBe(30);
    const done = room.send(11, true);
    expect(budget.taken).toBe(33);
    done();
    expect(budget.taken).toBe(0);
  });

  it("is given back when the call ends, whatever it has taken", async () => {
    const { budget, call } = open();
    const room = call({});
    await room.take(20, NEVER);
    const done = room.send(5, false);
    await room.take(30, NEVER);
    expect(budget.taken).toBe(35);
    room.close();
    done();
    room.send(100, true);
    expect(room.settle(50)).toBe(true);
    room.close();
    expect(budget.taken).toBe(0);
  });

  it("is given back by a call that ends while it waits", async () => {
    const { budget, call, prove } = open();
    const [one, other] = [{}, {}];
    await prove(one);
    await prove(other);
    const first = call(one);
    await first.take(128, NEVER);
    const gone = new AbortController();
    const second = call(other).take(100, gone.signal);
    const third = call(other);
    const taken = third.take(100, NEVER);
    gone.abort(new Error("gone"));
    await expect(second).rejects.toThrow("gone");
    first.close();
    await taken;
    third.close();
    expect(budget.taken).toBe(0);
  });

  it("may be more than there is, one at a time", async () => {
    const { call } = open();
    const rooms = { a: call({}), b: call({}), c: call({}) };
    const order = taking(rooms, 1000);
    for (const expected of [["a"], ["a", "b"], ["a", "b", "c"]]) {
      await settled();
      expect(order).toEqual(expected);
      rooms[order.at(-1) as "a"].close();
    }
  });

  it("is dropped and read again where it is longer than there is room for", async () => {
    const { budget, call, prove } = open();
    const [one, other] = [{}, {}];
    await prove(one);
    await prove(other);
    const blocking = call(one);
    await blocking.take(100, NEVER);
    const room = call(other);
    let reads = 0;
    const found = readInRoom(room, 1, NEVER, async () => {
      reads++;
      return { records: [{ value: new Uint8Array(100) }] };
    });
    await settled();
    expect([reads, budget.taken]).toEqual([1, 100]);
    blocking.close();
    expect((await found).records).toHaveLength(1);
    expect([reads, budget.taken]).toEqual([2, 384 + 300]);
    room.close();
  });

  it("is given back where reading fails", async () => {
    const { budget, call } = open();
    const read = () => Promise.reject(new Error("damaged"));
    await expect(readInRoom(call({}), 10, NEVER, read)).rejects.toThrow("damaged");
    expect(budget.taken).toBe(0);
  });
});

describe("who waits for room", () => {
  it("gets it in turns between connections, and in order on each", async () => {
    const { call, prove } = open();
    const [one, other] = [{}, {}];
    await prove(one);
    await prove(other);
    const blocking = call(one);
    await blocking.take(128, NEVER);
    const rooms = { a1: call(one), a2: call(one), a3: call(one), b1: call(other) };
    const order = taking(rooms, 128);
    for (const room of [blocking, rooms.a1, rooms.b1, rooms.a2]) {
      room.close();
      await settled();
    }
    expect(order).toEqual(["a1", "b1", "a2", "a3"]);
  });

  it("without having taken anything yet, has half of the budget together with all such", async () => {
    const { call, prove } = open();
    const good = {};
    await prove(good);
    const order = taking({ a: call({}), b: call({}), c: call({}), good: call(good) }, 40);
    await settled();
    expect(order).toEqual(["a", "good"]);
  });

  it("is not starved by smaller ones, nor by those that have shown that they read", async () => {
    const { call, prove } = open();
    const good = {};
    await prove(good);
    const reading = [call(good), call(good)];
    for (const room of reading) await room.take(60, NEVER);
    const stranger = taking({ stranger: call({}) }, 64);
    const smaller = taking({ smaller: call(good) }, 8);
    await settled();
    expect([stranger, smaller]).toEqual([[], []]);
    reading[0]!.close();
    await settled();
    expect([stranger, smaller]).toEqual([["stranger"], []]);
    reading[1]!.close();
    await settled();
    expect(smaller).toEqual(["smaller"]);
  });
});

describe("a response of which nothing is taken", () => {
  it("is ended after a second, if others wait, and the longest idle one first", async () => {
    const { budget, call, ended } = open();
    const [first, second, third] = [call({}, "first"), call({}, "second"), call({}, "third")];
    await first.take(60, NEVER);
    first.send(60, false);
    second.send(60, false);
    await vi.advanceTimersByTimeAsync(500);
    first.progress();
    const order = taking({ third }, 60);
    await vi.advanceTimersByTimeAsync(699);
    expect(ended).toEqual([]);
    await vi.advanceTimersByTimeAsync(1);
    expect([ended, order]).toEqual([["second room 60"], []]);
    expect(second.failure).toMatchObject({ code: "LIMIT_EXCEEDED" });
    await vi.advanceTimersByTimeAsync(400);
    expect([ended, order]).toEqual([["second room 60", "first room 60"], ["third"]]);
    third.close();
    expect(budget.taken).toBe(0);
  });

  it("is left alone for as long as a network may be silent, whatever the limit", async () => {
    const { call, ended } = open(0);
    call({}, "room").send(100, false);
    void call({}).take(60, NEVER);
    await vi.advanceTimersByTimeAsync(299);
    expect(ended).toEqual([]);
    await vi.advanceTimersByTimeAsync(1);
    expect(ended).toEqual(["room room 100"]);
  });

  it("is left alone while nobody waits, for as long as it may idle at all", async () => {
    const { budget, call, ended } = open();
    const room = call({}, "room");
    room.send(10, true);
    await vi.advanceTimersByTimeAsync(59_000);
    room.progress();
    await vi.advanceTimersByTimeAsync(60_199);
    expect(ended).toEqual([]);
    await vi.advanceTimersByTimeAsync(1);
    expect(ended).toEqual(["room stalled 30"]);
    expect(budget.taken).toBe(0);
  });

  it("is ended also where something short before it was not taken either", async () => {
    const { call, ended } = open();
    const rooms = [call({}, "first"), call({}, "second")];
    for (const room of rooms) room.send(1, false);
    const next = call({}, "next");
    const [first] = rooms;
    await first!.take(60, NEVER);
    const order = taking({ next }, 60);
    first!.send(60, false);
    await vi.advanceTimersByTimeAsync(1200);
    expect([ended, order]).toEqual([["first room 61"], ["next"]]);
  });

  it("is left alone where it holds next to nothing", async () => {
    const { call, ended } = open();
    for (const name of ["first", "second"]) call({}, name).send(1, false);
    call({}, "large").send(90, false);
    const order = taking({ next: call({}) }, 60);
    await vi.advanceTimersByTimeAsync(1200);
    expect([ended, order]).toEqual([["large room 90"], ["next"]]);
  });

  it("is left alone where its end would help nobody who waits", async () => {
    const { call, prove, ended } = open();
    const good = {};
    await prove(good);
    const slow = call(good, "slow");
    await slow.take(50, NEVER);
    slow.send(50, false);
    const hostile = call({}, "hostile");
    await hostile.take(60, NEVER);
    hostile.send(60, false);
    const order = taking({ next: call({}) }, 60);
    await vi.advanceTimersByTimeAsync(1200);
    expect([ended, order]).toEqual([["hostile room 60"], ["next"]]);
    await vi.advanceTimersByTimeAsync(5000);
    expect(ended).toHaveLength(1);
  });

  it("leaves the rest of the budget to others, however many there are", async () => {
    const { call, prove, ended } = open();
    const good = {};
    await prove(good);
    for (let connection = 0; connection < 50; connection++) {
      const peer = {};
      for (let stream = 0; stream < 4; stream++) {
        const room = call(peer);
        void room.take(20, NEVER).then(() => room.send(20, false));
      }
    }
    await settled();
    // Never has it to wait, though others always do.
    for (let second = 0; second < 20; second++) {
      await vi.advanceTimersByTimeAsync(1000);
      const room = call(good);
      let isTaken = false;
      void room.take(60, NEVER).then(() => {
        isTaken = true;
      });
      await settled();
      expect(isTaken).toBe(true);
      room.send(60, false)();
      room.close();
    }
    expect(ended.length).toBeGreaterThan(40);
  });
});
