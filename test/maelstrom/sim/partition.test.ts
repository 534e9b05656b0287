import { describe, expect, it } from "vitest";
import { Random } from "../random.js";
import { cutNetwork, PARTITION_SHAPES, type PartitionShape } from "./partition.js";

/** By node, how many others it does not hear, sorted. */
function deafness(shape: PartitionShape, nodeCount: number, seed = 1): number[] {
  const nodes = Array.from({ length: nodeCount }, (_, index) => `n${index}`);
  const cut = cutNetwork(shape, nodes, new Random(seed));
  expect([...cut.keys()].sort()).toEqual(nodes);
  for (const [node, unheard] of cut) expect(unheard.has(node)).toBe(false);
  return [...cut.values()].map(({ size }) => size).sort();
}

describe("cutNetwork", () => {
  it.each<[PartitionShape, number, number[]]>([
    ["one", 2, [1, 1]],
    ["one", 5, [1, 1, 1, 1, 4]],
    ["majority", 3, [1, 1, 2]],
    ["majority", 5, [2, 2, 2, 3, 3]],
    ["minority-third", 3, [0, 0, 0]],
    ["minority-third", 5, [1, 1, 1, 1, 4]],
    ["majorities-ring", 2, [0, 0]],
    ["majorities-ring", 3, [1, 1, 1]],
    ["majorities-ring", 5, [2, 2, 2, 2, 2]],
  ])("%s of %d nodes", (shape, nodeCount, expected) => {
    expect(deafness(shape, nodeCount)).toEqual(expected);
  });

  it("lets each of a ring of three hear one other, which does not hear it", () => {
    const nodes = ["n0", "n1", "n2"];
    const cut = cutNetwork("majorities-ring", nodes, new Random(1));
    for (const [node, unheard] of cut) {
      for (const other of unheard) expect(cut.get(other)?.has(node)).toBe(false);
    }
  });

  it("has the same cut for the same seed, and others for others", () => {
    const nodes = ["n0", "n1", "n2", "n3", "n4"];
    const cuts = (seed: number) => {
      const random = new Random(seed);
      return PARTITION_SHAPES.map((shape) => [...cutNetwork(shape, nodes, random)].join());
    };
    expect(cuts(1)).toEqual(cuts(1));
    expect(cuts(1)).not.toEqual(cuts(2));
  });
});
