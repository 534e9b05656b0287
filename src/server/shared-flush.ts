import type { CommitLog } from "../log/commit-log.js";

/** Flushes of one log: the one under way, and the one that all share who came since. */
interface Flushes {
  readonly current: Promise<void>;
  next: Promise<void> | undefined;
}

/** Makes one flush of a log do for all who ask while another is under way. */
export class SharedFlush {
  readonly #flushes = new WeakMap<CommitLog, Flushes>();

  /** Resolves when everything that the log accepted before this call is on stable storage. */
  flush(log: CommitLog): Promise<void> {
    const under = this.#flushes.get(log);
    if (under === undefined) return this.#begin(log);
    // What is under way may have begun before the caller's records were written.
    under.next ??= under.current.catch(() => undefined).then(() => this.#begin(log));
    return under.next;
  }

  #begin(log: CommitLog): Promise<void> {
    const flushes: Flushes = { current: log.flush(), next: undefined };
    this.#flushes.set(log, flushes);
    const end = () => {
      if (flushes.next === undefined) this.#flushes.delete(log);
    };
    flushes.current.then(end, end);
    return flushes.current;
  }
}
