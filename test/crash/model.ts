import type { Loss } from "./aftermath.js";
import { CommitHistory, type CommitMark } from "./commit-history.js";
import { type FoundLog, type HistoryMark, LogHistory, type Outcome } from "./log-history.js";
import { SentBatches } from "./sent-batches.js";
import type { Setting } from "./setting.js";
import { commitId, type Found, GROUPS } from "./subject.js";

const NOTHING: FoundLog = { startOffset: 0, endOffset: 0, epoch: 0, values: [] };

/** A producer that was opened by its name. */
export interface OpenedProducer {
  readonly id: bigint;
  readonly epoch: number;
}

interface KeyState {
  readonly history: LogHistory;
  readonly sent: SentBatches;
  /** Whether its log is known to have been made. */
  exists: boolean;
  deletion: Outcome | undefined;
}

interface KeyExpectation extends KeyState {
  readonly mark: HistoryMark;
}

/** What may be found after a crash at one moment. */
export interface Expectation {
  readonly keys: ReadonlyMap<string, KeyExpectation>;
  readonly commits: ReadonlyMap<
    string,
    { readonly key: string; readonly history: CommitHistory; readonly mark: CommitMark }
  >;
  readonly opened: OpenedProducer | undefined;
}

/** The model of a whole store, or of a log by itself. */
export class Model {
  readonly #setting: Setting;
  readonly #keys = new Map<string, KeyState>();
  readonly #commits = new Map<string, { readonly key: string; readonly history: CommitHistory }>();

  /** What the last producer was told that was opened by its name, in whatever session. */
  opened: OpenedProducer | undefined;

  constructor(setting: Setting) {
    this.#setting = setting;
  }

  /** The history of a key's log, which may be about to be made. */
  log(key: string): LogHistory {
    const state = this.#keys.get(key);
    if (state !== undefined && state.deletion !== "done") return state.history;
    const history = new LogHistory(NOTHING);
    const sent = new SentBatches();
    this.#keys.set(key, { history, sent, exists: false, deletion: undefined });
    return history;
  }

  /** What producers have sent to a key. */
  sent(key: string): SentBatches {
    this.log(key);
    return this.#keys.get(key)!.sent;
  }

  /** The log of a key is there. */
  made(key: string): void {
    this.log(key);
    this.#keys.get(key)!.exists = true;
  }

  /** A key is about to be deleted. */
  remove(key: string): (outcome: Outcome) => void {
    const state = this.#keys.get(key);
    if (state !== undefined) state.deletion = "pending";
    return (outcome) => {
      if (state !== undefined) state.deletion = outcome === "refused" ? "unknown" : outcome;
      if (outcome !== "done") return;
      for (const group of GROUPS) this.#commits.delete(commitId(group, key));
    };
  }

  commits(group: string, key: string): CommitHistory {
    const id = commitId(group, key);
    let entry = this.#commits.get(id);
    if (entry === undefined) {
      entry = { key, history: new CommitHistory(undefined) };
      this.#commits.set(id, entry);
    }
    return entry.history;
  }

  /** Everything that was accepted by now will be on stable storage when the result is called. */
  beginFlush(): () => void {
    const logs = [...this.#keys.values()].map(
      ({ history }) => [history, history.accepted] as const,
    );
    // A commit looks at its logs before it is accepted; that it was is known when it is done.
    const commits = [...this.#commits.values()].map(
      ({ history }) => [history, history.mark().acknowledged] as const,
    );
    return () => {
      for (const [history, count] of [...logs, ...commits]) history.hold(count);
    };
  }

  expectation(): Expectation {
    return {
      keys: new Map(
        [...this.#keys].map(([key, state]) => [
          key,
          { ...state, sent: state.sent.copy(), mark: state.history.mark() },
        ]),
      ),
      opened: this.opened,
      commits: new Map(
        [...this.#commits].map(([id, { key, history }]) => [
          id,
          { key, history, mark: history.mark() },
        ]),
      ),
    };
  }

  /**
   * Whether what was found may be there, given what was expected and what was lost.
   *
   * @returns What is wrong, if anything is.
   */
  judge(found: Found, expected: Expectation, loss: Loss): string | undefined {
    const losesNothing = this.#losesNothing(loss);
    for (const key of found.logs.keys()) {
      if (!expected.keys.has(key)) return `there is a log ${key} that nobody made`;
    }
    for (const [key, { history, mark, exists, deletion }] of expected.keys) {
      const log = found.logs.get(key);
      if (log === undefined) {
        if (exists && deletion === undefined) return `the log ${key} is gone`;
        continue;
      }
      if (deletion === "done") return `the log ${key} is back, though it was deleted`;
      const required = losesNothing ? mark.acknowledged : mark.durable;
      const wrong = history.judge(log, mark, required, losesNothing);
      if (wrong !== undefined) return `log ${key}: ${wrong}`;
    }
    return this.#judgeCommitted(found, expected, losesNothing);
  }

  /** The model of what goes on from what was found, which is durable from now on. */
  after(found: Found, expected: Expectation, loss: Loss): Model {
    const model = new Model(this.#setting);
    model.opened = expected.opened;
    const losesNothing = this.#losesNothing(loss);
    for (const [key, log] of found.logs) {
      const history = new LogHistory(log);
      const sent = expected.keys.get(key)!.sent.after(log);
      model.#keys.set(key, { history, sent, exists: true, deletion: undefined });
      for (const group of GROUPS) {
        const id = commitId(group, key);
        const next = found.committed.get(id);
        const before = expected.commits.get(id);
        // What only the process lost is still not on the disk, if it was not before.
        if (loss === "power" || before === undefined) {
          model.#commits.set(id, { key, history: new CommitHistory(next) });
          continue;
        }
        const { history: earlier, mark } = before;
        const required = losesNothing ? mark.acknowledged : mark.durable;
        const commits = earlier.after(next, mark, required, log.endOffset);
        model.#commits.set(id, { key, history: commits });
      }
    }
    return model;
  }

  #judgeCommitted(found: Found, expected: Expectation, losesNothing: boolean): string | undefined {
    for (const id of found.committed.keys()) {
      if (!expected.commits.has(id)) return `${id}: an offset that nobody committed`;
    }
    for (const [id, { key, history, mark }] of expected.commits) {
      const log = found.logs.get(key);
      const committed = found.committed.get(id);
      if (log === undefined) {
        if (committed !== undefined) return `${id}: ${committed} is committed of no log`;
        continue;
      }
      const required = losesNothing ? mark.acknowledged : mark.durable;
      const wrong = history.judge(committed, mark, required, log.endOffset);
      if (wrong !== undefined) return `${id}: ${wrong}`;
    }
    return undefined;
  }

  #losesNothing(loss: Loss): boolean {
    return loss === "process" || this.#setting.durability === "always";
  }
}
