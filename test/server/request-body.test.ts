import { setTimeout } from "node:timers/promises";
import { Code } from "@connectrpc/connect";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ByteBudget } from "../../src/server/byte-budget.js";
import { MessageFrames } from "../../src/server/message-frames.js";
import { RequestBody, type RequestBodyOptions } from "../../src/server/request-body.js";
import { deferred } from "../support/deferred.js";

/** A message behind its prefix, as gRPC has it. */
function framed(length: number): Uint8Array {
  const bytes = new Uint8Array(5 + length);
  new DataView(bytes.buffer).setUint32(1, length);
  return bytes;
}

async function* pieces(...given: Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* given;
}

function received(
  given: AsyncIterable<Uint8Array>,
  budget: ByteBudget,
  options: Partial<RequestBodyOptions> = {},
): RequestBody {
  return new RequestBody(given, {
    isStream: true,
    budget,
    messageMs: 20_000,
    signal: new AbortController().signal,
    onStalled: () => expect.fail("nothing stalls"),
    ...options,
  });
}

describe("message frames", () => {
  it("are found wherever the pieces are cut", () => {
    const lengths = fc.array(fc.integer({ min: 0, max: 300 }), { maxLength: 8 });
    const cuts = fc.array(fc.nat({ max: 2000 }), { maxLength: 12 });
    fc.assert(
      fc.property(lengths, cuts, (messages, positions) => {
        const body = Buffer.concat(messages.map(framed));
        const ends = [...positions.map((at) => Math.min(at, body.length)), body.length].sort(
          (a, b) => a - b,
        );
        const frames = new MessageFrames();
        let start = 0;
        for (const end of ends) {
          const incomplete = frames.feed(body.subarray(start, end));
          let complete = 0;
          for (const length of messages) {
            if (complete + 5 + length <= end) complete += 5 + length;
            else break;
          }
          expect(incomplete).toBe(end - complete);
          start = end;
        }
      }),
    );
  });
});

describe("a request's body", () => {
  it("holds a message until the next one is asked for", async () => {
    const budget = new ByteBudget(1000, 0);
    const [first, second] = [framed(95), framed(195)];
    const split = [second.subarray(0, 50), second.subarray(50)];
    const body = received(pieces(first, ...split), budget);
    const held: number[] = [];
    for await (const _ of body) held.push(budget.taken);
    expect(held).toEqual([100, 50, 200]);
    expect(budget.taken).toBe(0);
  });

  it("holds nothing while its caller pauses behind a message", async () => {
    const budget = new ByteBudget(1000, 0);
    const paused = deferred();
    async function* pausing() {
      yield framed(95);
      await paused.promise;
    }
    const reading = received(pausing(), budget)[Symbol.asyncIterator]();
    await reading.next();
    const next = reading.next();
    await setTimeout(0);
    expect(budget.taken).toBe(0);
    paused.resolve();
    expect((await next).done).toBe(true);
  });

  it("is one message where its method takes one", async () => {
    const budget = new ByteBudget(1000, 0);
    const parts = pieces(new Uint8Array(10), new Uint8Array(20));
    const body = received(parts, budget, { isStream: false });
    const held: number[] = [];
    for await (const _ of body) held.push(budget.taken);
    expect(held).toEqual([10, 30]);
    expect(budget.taken).toBe(0);
  });

  it("gives back what it holds when the call ends before it", async () => {
    for (const length of [100, 50]) {
      const budget = new ByteBudget(1000, 0);
      const body = received(pieces(framed(95).subarray(0, length), framed(95)), budget);
      const reading = body[Symbol.asyncIterator]();
      await reading.next();
      body.release();
      expect(budget.taken).toBe(0);
      expect((await reading.next()).done).toBe(true);
      expect(budget.taken).toBe(0);
    }
  });

  it("gives back what it has waited for when the call ends meanwhile", async () => {
    const budget = new ByteBudget(100, 20_000);
    const giveBack = await budget.take(60);
    const body = received(pieces(framed(45)), budget);
    const reading = body[Symbol.asyncIterator]();
    const first = reading.next();
    await setTimeout(0);
    body.release();
    giveBack();
    expect((await first).done).toBe(true);
    expect(budget.taken).toBe(0);
  });

  it("waits for room, and is refused without", async () => {
    const budget = new ByteBudget(100, 20_000);
    const giveBack = await budget.take(60);
    const waiting = received(pieces(framed(45)), budget);
    const first = waiting[Symbol.asyncIterator]().next();
    giveBack();
    expect((await first).done).toBe(false);

    const impatient = new ByteBudget(100, 0);
    await impatient.take(60);
    const refused = received(pieces(framed(45)), impatient);
    await expect(refused[Symbol.asyncIterator]().next()).rejects.toMatchObject({
      code: Code.ResourceExhausted,
    });
  });

  it("is cut off when a message does not come to its end", async () => {
    const stalled = deferred();
    const started = framed(95).subarray(0, 50);
    async function* stalling() {
      yield framed(10);
      yield started;
      await stalled.promise;
    }
    const budget = new ByteBudget(1000, 0);
    const body = received(stalling(), budget, { messageMs: 1, onStalled: stalled.resolve });
    for await (const _ of body);
    expect(budget.taken).toBe(0);
  });

  it("of one message is cut off when its end does not come, whatever has come before", async () => {
    for (const before of [[], [framed(10)]]) {
      const stalled = deferred();
      async function* endless() {
        yield* before;
        await stalled.promise;
      }
      const budget = new ByteBudget(1000, 0);
      const options = { isStream: false, messageMs: 1, onStalled: stalled.resolve };
      for await (const _ of received(endless(), budget, options));
      expect(budget.taken).toBe(0);
    }
  });

  it("is not cut off between messages", async () => {
    const budget = new ByteBudget(1000, 0);
    async function* pausing() {
      yield framed(10);
      await setTimeout(50);
      yield framed(10);
    }
    let count = 0;
    for await (const _ of received(pausing(), budget, { messageMs: 1 })) count++;
    expect(count).toBe(2);
  });

  it("is given up when its request is cut off", async () => {
    const cut = new AbortController();
    async function* silent(): AsyncGenerator<Uint8Array> {
      yield framed(95).subarray(0, 50);
      await new Promise(() => undefined);
    }
    const budget = new ByteBudget(1000, 0);
    const reading = received(silent(), budget, { signal: cut.signal })[Symbol.asyncIterator]();
    await reading.next();
    const next = reading.next();
    cut.abort(new Error("cut off"));
    await expect(next).rejects.toThrow("cut off");
  });
});
