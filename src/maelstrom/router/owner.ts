import { slotOf } from "../slot.js";

/**
 * Which node owns which key. All nodes come to the same answer, in whatever order they were told of
 * each other, and after a restart, too.
 */
export class Owners {
  readonly #nodeIds: readonly string[];

  /** @param nodeIds - All nodes; at least one. */
  constructor(nodeIds: Iterable<string>) {
    this.#nodeIds = [...nodeIds].sort();
  }

  /** The node that owns a key. */
  of(key: string): string {
    return this.#nodeIds[slotOf(key) % this.#nodeIds.length]!;
  }

  /** Sorts keys by their owners. */
  group(keys: Iterable<string>): Map<string, string[]> {
    const groups = new Map<string, string[]>();
    for (const key of keys) {
      const owner = this.of(key);
      const group = groups.get(owner);
      if (group === undefined) groups.set(owner, [key]);
      else group.push(key);
    }
    return groups;
  }
}
