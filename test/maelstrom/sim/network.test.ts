import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Random } from "../random.js";
import { drawLatencyMs, LATENCY_DISTRIBUTIONS } from "./latency.js";
import type { Message } from "./message.js";
import { Network } from "./network.js";

const message = (src: string, dest: string, number = 0): Message => ({
  src,
  dest,
  body: { type: "echo", number },
});

/** A network whose clock the test moves, and what arrives in it. */
class TestNetwork extends Network {
  readonly arrived: string[] = [];

  constructor(latencyMs: number, ...names: readonly string[]) {
    super({ random: new Random(1), latencyMs, latencyDistribution: "exponential" });
    for (const name of names) {
      this.join(name, ({ src, body }) => this.arrived.push(`${src}>${name} ${body.number}`));
    }
  }
}

describe("Network", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it("lets messages between servers overtake each other", () => {
    const network = new TestNetwork(20, "n0", "lin-kv");
    for (let number = 0; number < 20; number++) network.send(message("lin-kv", "n0", number));
    vi.runAllTimers();
    expect(network.arrived).toHaveLength(20);
    const numbers = network.arrived.map((each) => Number(each.split(" ")[1]));
    expect(numbers).not.toEqual(numbers.toSorted((a, b) => a - b));
  });

  it("delivers to and from clients at once", () => {
    const network = new TestNetwork(20, "n0", "c1");
    network.send(message("c1", "n0", 1));
    network.send(message("n0", "c1", 2));
    expect(network.arrived).toEqual(["c1>n0 1", "n0>c1 2"]);
  });

  it("loses what a partition is in the way of when it arrives, but nothing else", () => {
    const network = new TestNetwork(20, "n0", "n1", "c1", "seq-kv");
    network.send(message("n1", "n0", 1));
    network.partition(new Map([["n0", new Set(["n1"])]]));
    vi.runAllTimers();
    expect(network.arrived).toEqual([]);
    network.send(message("n0", "n1", 2));
    network.send(message("n1", "n0", 3));
    network.send(message("seq-kv", "n0", 4));
    network.send(message("c1", "n0", 5));
    vi.runAllTimers();
    expect(network.arrived.toSorted()).toEqual(["c1>n0 5", "n0>n1 2", "seq-kv>n0 4"]);
    network.heal();
    network.send(message("n1", "n0", 6));
    vi.runAllTimers();
    expect(network.arrived.at(-1)).toBe("n1>n0 6");
  });

  it("counts what is sent, by who takes part", () => {
    const network = new TestNetwork(0, "n0", "n1", "c1", "lin-kv");
    network.partition(new Map([["n1", new Set(["n0"])]]));
    network.send(message("c1", "n0"));
    network.send(message("n0", "n1"));
    network.send(message("n0", "lin-kv"));
    network.send(message("lin-kv", "n0"));
    expect(network.traffic.counts).toEqual({ clients: 1, betweenNodes: 1, services: 2 });
  });

  it("forgets those who leave", () => {
    const network = new TestNetwork(0, "c1");
    network.leave("c1");
    network.send(message("n0", "c1"));
    expect(network.arrived).toEqual([]);
  });
});

describe("drawLatencyMs", () => {
  it.each(LATENCY_DISTRIBUTIONS)("has the mean that was asked for: %s", (distribution) => {
    const random = new Random(1);
    const drawn = Array.from({ length: 10_000 }, () => drawLatencyMs(20, distribution, random));
    const mean = drawn.reduce((sum, each) => sum + each, 0) / drawn.length;
    // Whole milliseconds: what is behind the point is cut off.
    expect(mean).toBeGreaterThan(19);
    expect(mean).toBeLessThan(20.5);
    expect(drawn.every((each) => Number.isInteger(each) && each >= 0)).toBe(true);
    expect(Math.max(...drawn)).toBe(
      { constant: 20, uniform: 39, exponential: Math.max(...drawn) }[distribution],
    );
  });

  it.each(LATENCY_DISTRIBUTIONS)("is nothing if the mean is: %s", (distribution) => {
    expect(drawLatencyMs(0, distribution, new Random(1))).toBeCloseTo(0);
  });
});
