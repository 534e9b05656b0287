import type { Random } from "../random.js";

/** By node, those whose messages it does not get. */
export type Cut = ReadonlyMap<string, ReadonlySet<string>>;

/** The shapes that a partition may have, those of Jepsen. */
const SHAPES = {
  /** One node by itself. */
  one: (nodes: readonly string[]) => apart(nodes.slice(0, 1), nodes.slice(1)),
  /** A minority and a majority. */
  majority: (nodes: readonly string[]) => bisected(nodes, Math.floor(nodes.length / 2)),
  /** Less than a third of the nodes and the others; with fewer than four nodes that cuts nothing. */
  "minority-third": (nodes: readonly string[]) =>
    bisected(nodes, Math.floor((nodes.length - 1) / 3)),
  "majorities-ring": majoritiesRing,
} as const;

export type PartitionShape = keyof typeof SHAPES;

export const PARTITION_SHAPES = Object.keys(SHAPES) as PartitionShape[];

/** Cuts the network between `nodes`, which of them on which side left to chance. */
export function cutNetwork(shape: PartitionShape, nodes: readonly string[], random: Random): Cut {
  return SHAPES[shape](random.shuffle(nodes));
}

function bisected(nodes: readonly string[], first: number): Cut {
  return apart(nodes.slice(0, first), nodes.slice(first));
}

function apart(left: readonly string[], right: readonly string[]): Cut {
  const [leftSet, rightSet] = [new Set(left), new Set(right)];
  return new Map([
    ...left.map((node) => [node, rightSet] as const),
    ...right.map((node) => [node, leftSet] as const),
  ]);
}

/**
 * Each node hears a majority, itself among it, and each another one. The nodes stand in a ring, and
 * each hears its neighbours: with three nodes just one of them, so that every link works in one
 * direction only.
 */
function majoritiesRing(nodes: readonly string[]): Cut {
  const size = Math.floor(nodes.length / 2) + 1;
  const ring = nodes.map((_, start) =>
    Array.from({ length: size }, (_, step) => nodes[(start + step) % nodes.length] as string),
  );
  return new Map(
    ring.map((majority) => {
      const heard = new Set(majority);
      const center = majority[Math.floor(size / 2)] as string;
      return [center, new Set(nodes.filter((node) => !heard.has(node)))];
    }),
  );
}
