/** How long after a silent node was asked whether it is there it is asked again. */
const PROBE_INTERVAL_MS = 1000;

/** For how long an owner is told that it was done without. */
const TOLD_MS = 7000;

/**
 * Which nodes have lately failed to answer, and which were done without. Those that are silent are
 * asked again and again, whether anybody wants something of them or not: so it is known when they
 * are back before it matters.
 */
export class Reachability {
  readonly #probe: (nodeId: string) => Promise<unknown>;
  readonly #silent = new Set<string>();
  /** Of those that are silent, or were a moment ago, which are asked again and again. */
  readonly #probed = new Set<string>();
  readonly #answeredAtMs = new Map<string, number>();
  readonly #replacedAtMs = new Map<string, number>();

  /**
   * @param probe - Asks a node for nothing, and ends when it has answered or not. What came of it
   *   has to be noted here.
   */
  constructor(probe: (nodeId: string) => Promise<unknown>) {
    this.#probe = probe;
  }

  /** Notes that a node has answered, whatever it said. */
  answered(nodeId: string): void {
    this.#answeredAtMs.set(nodeId, performance.now());
    this.#silent.delete(nodeId);
  }

  /**
   * Notes that a node has not answered in time. It is silent, unless it has answered something else
   * meanwhile: then it is busy.
   *
   * @param askedAtMs - When it was asked, by `performance.now()`.
   */
  unanswered(nodeId: string, askedAtMs: number): void {
    if ((this.#answeredAtMs.get(nodeId) ?? Number.NEGATIVE_INFINITY) > askedAtMs) return;
    this.#silent.add(nodeId);
    if (this.#probed.has(nodeId)) return;
    this.#probed.add(nodeId);
    this.#probeLater(nodeId);
  }

  /** Whether a node has not answered, and not been heard of since. */
  isSilent(nodeId: string): boolean {
    return this.#silent.has(nodeId);
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

  /** Until it is heard of again. That alone does not keep a process alive. */
  #probeLater(nodeId: string): void {
    const probe = async () => {
      if (this.#silent.has(nodeId)) await this.#probe(nodeId).catch(() => {});
      if (this.#silent.has(nodeId)) this.#probeLater(nodeId);
      else this.#probed.delete(nodeId);
    };
    setTimeout(() => void probe(), PROBE_INTERVAL_MS).unref();
  }
}
