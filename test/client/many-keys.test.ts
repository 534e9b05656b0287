import { describe, expect, test } from "vitest";
import { resolveProducerOptions } from "../../src/client/producer-options.js";
import { Sender, type SenderTransport } from "../../src/client/sender.js";
import { SeglogError } from "../../src/errors.js";
import { prepare } from "../../src/format/prepared-record.js";
import { codeOf, failureOf } from "../support/failure.js";
import { Random, seeds } from "../support/random.js";
import { type Fate, ModelServer } from "./model-server.js";
import { virtualClock } from "./virtual-clock.js";

const KEYS = Array.from({ length: 12 }, (_, index) => `key-${index}`);
const MAX_IDLE_KEYS = 3;
const IDENTITY = { id: 7n, epoch: 3 };
/** What another attempt mends, so that no record is given up. */
const FAULTS: readonly Fate[] = [
  "break before",
  "break after",
  "break, then arrive late",
  "silence",
  "NO_SPACE",
  "UNAVAILABLE",
];

type Find = SenderTransport["stored"];

/** A sender that remembers few keys. */
function senderOf(
  server: ModelServer,
  name: string | undefined,
  { find, deliveryTimeoutMs }: { find?: Find; deliveryTimeoutMs?: number } = {},
) {
  const asked: string[] = [];
  const transport: SenderTransport = {
    openStream: server.openStream,
    openProducer: async () => IDENTITY,
    stored: async (key, id) => {
      asked.push(key);
      return find === undefined ? server.stored(key, id) : find(key, id);
    },
  };
  const options = resolveProducerOptions({ name, deliveryTimeoutMs });
  const sender = new Sender(transport, {
    ...options,
    answerTimeoutMs: 200,
    maxIdleKeys: MAX_IDLE_KEYS,
    onFailure: () => undefined,
  });
  const send = (key: string, value: string) =>
    new Promise<number>((delivered, failed) => {
      sender.add(key, prepare(value), { delivered, failed }, undefined);
    });
  return { sender, send, asked };
}

describe.each([
  ["with a name", "importer"],
  ["without a name", undefined],
])("a producer %s", (_, name) => {
  test.each(seeds(8))(
    "sends to more keys than it remembers, each record once and in order (seed %i)",
    async (seed) => {
      const clock = virtualClock(seed);
      const random = new Random(seed);
      const server = new ModelServer();
      const faultRate = random.pick([0, 0.05, 0.3]);
      let isHealthy = false;
      const fails = () => !isHealthy && random.next() < faultRate;
      server.fate = () => (fails() ? random.pick(FAULTS) : "answer");
      server.delayMs = () => random.below(10);
      const find: Find = async (key, id) => {
        await new Promise((resolve) => setTimeout(resolve, random.below(10)));
        if (fails()) throw new SeglogError("UNAVAILABLE", "nobody answers");
        return server.stored(key, id);
      };
      const { sender, send } = senderOf(server, name, { find });
      const sent = new Map<string, string[]>(KEYS.map((key) => [key, []]));
      const misplaced: string[] = [];
      let undelivered = 0;
      for (let round = 0; round < 150; round++) {
        for (let count = random.below(4); count > 0; count--) {
          const key = random.pick(KEYS);
          const values = sent.get(key)!;
          const value = `${key} ${values.length}`;
          values.push(value);
          undelivered++;
          void send(key, value).then((offset) => {
            undelivered--;
            if (server.logs.get(key)![offset] !== value) misplaced.push(value);
          });
        }
        await clock.tickAsync(random.pick([1, 30, 300]));
      }
      isHealthy = true;
      await clock.tickAsync(100_000);
      expect([undelivered, misplaced]).toEqual([0, []]);
      for (const [key, values] of sent) expect(server.logs.get(key) ?? []).toEqual(values);
      expect(KEYS.filter((key) => sender.knows(key)).length).toBeLessThanOrEqual(MAX_IDLE_KEYS);
      void sender.close();
      await clock.tickAsync(1000);
      expect(clock.countTimers()).toBe(0);
    },
  );
});

describe("a producer with a name, of a key that it has forgotten,", () => {
  /** Sends to so many other keys that it remembers none of those before. */
  async function forgetAll(
    clock: ReturnType<typeof virtualClock>,
    send: (key: string, value: string) => Promise<number>,
  ) {
    for (let index = 0; index <= MAX_IDLE_KEYS; index++) {
      const sent = send(`other-${index}`, "x");
      await clock.tickAsync(10);
      await sent;
    }
  }

  test("asks where it stands, as of each that may be one, and not of those that it knows", async () => {
    const clock = virtualClock();
    const server = new ModelServer();
    const { send, asked } = senderOf(server, "importer");
    const first = send("k", "a");
    await clock.tickAsync(10);
    await first;
    expect(asked).toEqual([]);
    await forgetAll(clock, send);
    const later = [send("k", "b"), send("other-3", "y")];
    await clock.tickAsync(100);
    expect(await Promise.all(later)).toEqual([1, 1]);
    expect(asked).toEqual(["other-3", "k"]);
    expect(server.logs.get("k")).toEqual(["a", "b"]);
  });

  test("begins anew where only its predecessor has sent", async () => {
    const clock = virtualClock();
    const server = new ModelServer();
    const stale = { epoch: IDENTITY.epoch - 1, nextSequence: 5, lastOffset: 4 };
    const { send } = senderOf(server, "importer", { find: async () => stale });
    await forgetAll(clock, send);
    const sent = send("k", "a");
    await clock.tickAsync(100);
    expect(await sent).toBe(0);
  });

  test("fails what is sent if it may not ask, and asks again the next time", async () => {
    const clock = virtualClock();
    const server = new ModelServer();
    let mayAsk = false;
    const find: Find = async (key, id) => {
      if (mayAsk) return server.stored(key, id);
      throw new SeglogError("PERMISSION_DENIED", "no right");
    };
    const { send } = senderOf(server, "importer", { find });
    await forgetAll(clock, send);
    const refused = [codeOf(send("k", "a")), codeOf(send("k", "b"))];
    await clock.tickAsync(100);
    expect(await Promise.all(refused)).toEqual(["PERMISSION_DENIED", "PERMISSION_DENIED"]);
    mayAsk = true;
    const sent = send("k", "c");
    await clock.tickAsync(100);
    expect(await sent).toBe(0);
    expect(server.logs.get("k")).toEqual(["c"]);
  });

  test("fails what is sent when its time is up, and finds its place when it can", async () => {
    const clock = virtualClock();
    const server = new ModelServer();
    let isUp = false;
    const find: Find = async (key, id) => {
      if (isUp) return server.stored(key, id);
      throw new SeglogError("UNAVAILABLE", "nobody answers");
    };
    const { send } = senderOf(server, "importer", { find, deliveryTimeoutMs: 500 });
    await forgetAll(clock, send);
    // Whoever is told sends again, at once.
    const again: Promise<number>[] = [];
    const late = failureOf(
      send("k", "a").catch((error: unknown) => {
        again.push(send("k", "b"));
        throw error;
      }),
    );
    await clock.tickAsync(500);
    const { code, message } = await late;
    expect(code).toBe("UNAVAILABLE");
    expect(message).toMatch(/They are not stored\..*nobody answers/);
    isUp = true;
    await clock.tickAsync(400);
    expect(await again[0]).toBe(0);
    expect(server.logs.get("k")).toEqual(["b"]);
  });
});
