import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Random } from "../random.js";
import { Nemesis } from "./nemesis.js";
import { Network } from "./network.js";

describe("Nemesis", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  const nodes = ["n0", "n1", "n2", "n3", "n4"];

  function createNemesis(seed = 1) {
    const network = new Network({
      random: new Random(0),
      latencyMs: 0,
      latencyDistribution: "constant",
    });
    const nemesis = new Nemesis({ network, nodes, random: new Random(seed), intervalMs: 1_000 });
    /** How many links work, of one node to another. */
    const links = () => {
      let count = 0;
      for (const dest of nodes) network.join(dest, () => count++);
      for (const src of nodes) {
        for (const dest of nodes) network.send({ src, dest, body: { type: "ping" } });
      }
      return count;
    };
    return { nemesis, links };
  }

  it("cuts and repairs in turns, until it is stopped", () => {
    const { nemesis, links } = createNemesis();
    nemesis.start();
    const seen = new Set<boolean>();
    for (let second = 0; second < 30; second++) {
      vi.advanceTimersByTime(1_000);
      seen.add(links() === nodes.length ** 2);
    }
    expect(seen).toEqual(new Set([true, false]));
    nemesis.stop();
    expect(links()).toBe(nodes.length ** 2);
    expect(vi.getTimerCount()).toBe(0);
    const times = [...nemesis.partitions.values()].reduce((sum, each) => sum + each, 0);
    expect(times).toBeGreaterThan(5);
    expect(times).toBeLessThan(30);
  });

  it("knows what a partition was in the way of", () => {
    const { nemesis, links } = createNemesis();
    const before = performance.now();
    vi.advanceTimersByTime(1);
    const start = performance.now();
    vi.advanceTimersByTime(1);
    nemesis.start();
    while (links() === nodes.length ** 2) vi.advanceTimersByTime(1);
    const cut = performance.now();
    vi.advanceTimersByTime(1);
    nemesis.stop();
    vi.advanceTimersByTime(1_000);
    const end = performance.now();
    expect(nemesis.wasCut(before, start)).toBe(false);
    expect(nemesis.wasCut(before, cut)).toBe(true);
    expect(nemesis.wasCut(cut, end)).toBe(true);
    expect(nemesis.wasCut(end, end + 1)).toBe(false);
  });
});
