/** How often it is found out whether a silent node answers again. */
const PROBE_MS = 1000;

/** For how long an owner is told that it was done without. */
const TOLD_MS = 5000;

/** Which nodes have lately failed to answer, and which were done without. */
export class Reachability {
  /** Of those that are silent, when to find out whether they still are. */
  readonly #probedAtMs = new Map<string, number>();
  readonly #replacedAtMs = new Map<string, number>();

  /** Notes that a node has answered, whatever it said. */
  answered(nodeId: string): void {
    this.#probedAtMs.delete(nodeId);
  }

  /** Notes that a node has not answered in time. */
  silent(nodeId: string): void {
    this.#probedAtMs.set(nodeId, performance.now() + PROBE_MS);
  }

  /** Whether a node has not answered, and not been heard of since. */
  isSilent(nodeId: string): boolean {
    return this.#probedAtMs.has(nodeId);
  }

  /** Whether it is time to find out whether a silent node is back; says so once. */
  isDue(nodeId: string): boolean {
    const atMs = this.#probedAtMs.get(nodeId);
    if (atMs === undefined || performance.now() < atMs) return false;
    this.silent(nodeId);
    return true;
  }

  /** Notes that this node has served keys in the place of their owner. */
  replaced(owner: string): void {
    this.#replacedAtMs.set(owner, performance.now());
  }

  /** Whether this node has lately served keys in the place of their owner. */
  wasReplaced(owner: string): boolean {
    const atMs = this.#replacedAtMs.get(owner);
    return atMs !== undefined && performance.now() - atMs < TOLD_MS;
  }
}
