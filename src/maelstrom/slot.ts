import { createHash } from "node:crypto";

/**
 * How many slots there are. More of them share the keys out among nodes more evenly; what is kept
 * by slot takes more requests.
 */
const SLOTS = 64;

/**
 * The slot of a key, from 0 on, below 64: by a hash of the key, hence the same on all nodes, and in
 * whatever network they are. Nodes own slots with all their keys.
 */
export function slotOf(key: string): number {
  return createHash("sha256").update(key).digest().readUInt32BE() % SLOTS;
}
