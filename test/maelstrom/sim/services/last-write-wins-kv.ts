import type { Body } from "../../history.js";
import type { Random } from "../../random.js";
import { applyRequest, type KeyValueService, keyOf, type Stored } from "./key-value.js";

interface Stamped extends Stored {
  readonly timestamp: number;
}

/** One of the places at which the values are. */
class Replica {
  clock = 0;
  readonly values = new Map<string, Stamped>();

  /** Takes over what another replica has that is not older. */
  merge(other: Replica): void {
    this.clock = Math.max(this.clock, other.clock);
    for (const [key, theirs] of other.values) {
      const ours = this.values.get(key);
      if (!ours || ours.timestamp <= theirs.timestamp) this.values.set(key, theirs);
    }
  }
}

/**
 * `lww-kv`: several replicas, each with a Lamport clock. Before each request one of them, left to
 * chance, takes over what another has; then any of them answers. Of two values of a key the one
 * with the higher timestamp stays, and the other is lost.
 */
export class LastWriteWinsKv implements KeyValueService {
  readonly #random: Random;
  readonly #replicas: readonly Replica[];

  /** @param replicas - How many; Maelstrom's documents say 5. */
  constructor(random: Random, replicas = 5) {
    this.#random = random;
    this.#replicas = Array.from({ length: replicas }, () => new Replica());
  }

  handle(_client: string, request: Body): Body {
    this.#random.pick(this.#replicas).merge(this.#random.pick(this.#replicas));
    const replica = this.#random.pick(this.#replicas);
    const key = keyOf(request);
    const stored = replica.values.get(key);
    const { reply, written } = applyRequest(stored, request, { creates: false });
    if (written) replica.values.set(key, { ...written, timestamp: replica.clock++ });
    return reply;
  }
}
