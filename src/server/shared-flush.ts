import type { CommitLog } from "../log/commit-log.js";
import { SharedRounds } from "../log/shared-rounds.js";

/** Makes one flush of a log do for all who ask while another is under way. */
export class SharedFlush {
  readonly #rounds = new WeakMap<CommitLog, SharedRounds>();

  /** Resolves when everything that the log accepted before this call is on stable storage. */
  flush(log: CommitLog): Promise<void> {
    let rounds = this.#rounds.get(log);
    if (rounds === undefined) {
      rounds = new SharedRounds(() => log.flush());
      this.#rounds.set(log, rounds);
    }
    return rounds.run();
  }
}
