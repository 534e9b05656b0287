import { expect, test } from "vitest";
import { Producer } from "../../src/client/producer.js";
import { resolveProducerOptions } from "../../src/client/producer-options.js";
import { SeglogError } from "../../src/errors.js";
import { Random, seeds } from "../support/random.js";
import { type Fate, ModelServer } from "./model-server.js";
import { virtualClock } from "./virtual-clock.js";

const FAULTS: readonly Fate[] = [
  "break before",
  "break after",
  "break, then arrive late",
  "silence",
  "NO_SPACE",
  "LIMIT_EXCEEDED",
  "UNAVAILABLE",
  "LOG_POISONED",
  "PERMISSION_DENIED",
];
/** After these the record is not stored, whatever happens. */
const NOT_STORED = ["NO_SPACE", "LIMIT_EXCEEDED", "PERMISSION_DENIED", "RECORD_TOO_LARGE"];

interface Sent {
  readonly key: string;
  readonly value: string;
  offset?: number;
  error?: unknown;
}

/** A server that fails in many ways, and is well in the end. */
function faultyServer(random: Random): { server: ModelServer; heal: () => void } {
  const server = new ModelServer();
  let faultRate = random.pick([0.02, 0.1, 0.4]);
  const outageRate = random.pick([0, 0.3, 0.9]);
  let isHealthy = false;
  server.isPoison = (values) => values.some((value) => value.endsWith("!"));
  server.fate = () => (random.next() < faultRate ? random.pick(FAULTS) : "answer");
  server.isUp = () => isHealthy || random.next() >= outageRate;
  server.delayMs = () => random.below(20);
  const heal = () => {
    isHealthy = true;
    faultRate = 0;
  };
  return { server, heal };
}

test.each(seeds(10))(
  "whatever fails, records are stored once and in order (seed %i)",
  async (seed) => {
    const clock = virtualClock(seed);
    const random = new Random(seed);
    const { server, heal } = faultyServer(random);
    const options = resolveProducerOptions({
      lingerMs: random.pick([0, 5]),
      batchBytes: random.pick([1, 20, 1000]),
      maxInFlight: 1 + random.below(5),
      maxBufferedBytes: random.pick([500, 1_000_000]),
      deliveryTimeoutMs: random.pick([300, 3000, 120_000]),
      onError: () => undefined,
    });
    const transport = {
      openStream: server.openStream,
      openProducer: () => expect.fail("it has no name"),
      stored: () => expect.fail("it has no name"),
    };
    const producer = new Producer(transport, options, 200, () => undefined);
    const all: Sent[] = [];
    const keys = ["k", "l", "m"];
    const outcomes: Promise<void>[] = [];
    for (let round = 0; round < 60; round++) {
      for (let count = random.below(6); count > 0; count--) {
        const isPoison = random.next() < 0.02;
        const sent: Sent = { key: random.pick(keys), value: `${all.length}${isPoison ? "!" : ""}` };
        all.push(sent);
        const done = producer.send(sent.key, sent.value).then(
          ({ offset }) => {
            sent.offset = offset;
          },
          (error: unknown) => {
            sent.error = error;
          },
        );
        outcomes.push(done);
      }
      await clock.tickAsync(random.below(30));
    }
    await clock.tickAsync(2000);
    heal();
    const closed = producer.close();
    await clock.tickAsync(130_000);
    await closed;
    await Promise.all(outcomes);
    // What is still on its way arrives.
    await clock.tickAsync(1000);
    for (const key of keys)
      judge(
        server.logs.get(key) ?? [],
        all.filter((sent) => sent.key === key),
      );
    expect(clock.countTimers()).toBe(0);
  },
);

function judge(log: readonly string[], sent: readonly Sent[]): void {
  const numbers = log.map((value) => Number.parseInt(value, 10));
  expect(numbers).toEqual([...new Set(numbers)].sort((left, right) => left - right));
  for (const { value, offset, error } of sent) {
    if (offset !== undefined) {
      expect(log[offset]).toBe(value);
      continue;
    }
    expect(error).toBeInstanceOf(SeglogError);
    const { code } = error as SeglogError;
    if (value.endsWith("!")) expect(log).not.toContain(value);
    else if (NOT_STORED.includes(code)) expect(log).not.toContain(value);
  }
}
