/** For how long a node that did not answer is not asked, before it is tried again. */
const AVOIDED_MS = 1000;

/** Which nodes have lately failed to answer. */
export class Reachability {
  readonly #avoidedUntilMs = new Map<string, number>();

  /** Notes that a node has answered, whatever it said. */
  answered(nodeId: string): void {
    this.#avoidedUntilMs.delete(nodeId);
  }

  /** Notes that a node has not answered in time. */
  silent(nodeId: string): void {
    this.#avoidedUntilMs.set(nodeId, performance.now() + AVOIDED_MS);
  }

  /**
   * Whether a node should be asked.
   *
   * @param mayTry - Whether the request may be the one that now and then finds out whether a silent
   *   node is back: one that can be made again if it is not.
   */
  isWorthAsking(nodeId: string, mayTry: boolean): boolean {
    const untilMs = this.#avoidedUntilMs.get(nodeId);
    if (untilMs === undefined) return true;
    if (!mayTry || performance.now() < untilMs) return false;
    this.silent(nodeId);
    return true;
  }
}
