import { type Findings, HighWater } from "./findings.js";
import type { Operation } from "./history.js";
import { keysOf, numbersOf, wasRefused } from "./kafka-wire.js";

/** An acknowledged commit of one key. */
interface Commit {
  readonly key: string;
  readonly offset: number;
  readonly completedAt: number;
}

/** What a list said of one key. */
interface Listed {
  readonly offset: number;
  readonly invokedAt: number;
}

/**
 * Checks committed offsets: they never go back, nobody makes them up, and none is lost. Jepsen
 * looks at none of that.
 */
export class CommitChecker {
  readonly #findings: Findings;
  readonly #realtime: boolean;
  /** By key, the highest offset that anybody has tried to commit. */
  readonly #ceiling = new HighWater();
  /** By key, and by client and key, what was committed or listed so far. */
  readonly #floor = new HighWater();
  /** How things stood when a list was asked for, by key: for everybody, and for its client. */
  readonly #floors = new Map<Operation, Map<string, { all: number; own: number }>>();
  readonly #commits: Commit[] = [];
  readonly #lists = new Map<string, Listed[]>();
  #staleLists = 0;

  constructor(findings: Findings, { realtime }: { readonly realtime: boolean }) {
    this.#findings = findings;
    this.#realtime = realtime;
  }

  /** Listed offsets that were out of date. */
  get staleLists(): number {
    return this.#staleLists;
  }

  /** A request of any type was asked. */
  begin(operation: Operation): void {
    const { client, request } = operation;
    if (request.type === "commit_offsets" && !wasRefused(operation)) {
      for (const [key, offset] of numbersOf(request.offsets)) this.#ceiling.raise(offset, key);
    }
    if (request.type !== "list_committed_offsets") return;
    const floors = keysOf(operation).map((key) => {
      return [key, { all: this.#floor.at(key), own: this.#floor.at(client, key) }] as const;
    });
    this.#floors.set(operation, new Map(floors));
  }

  /** A commit or a list was answered, and well. */
  complete(operation: Operation): void {
    if (operation.request.type === "commit_offsets") this.#completeCommit(operation);
    else this.#completeList(operation);
  }

  /**
   * Looks whether each commit was listed once it had been acknowledged. Those that nobody asked
   * for afterwards are left alone.
   */
  checkNoneLost(): void {
    const lost = new HighWater();
    const highest = new HighWater();
    for (const { key, offset, completedAt } of this.#commits) {
      const later = (this.#lists.get(key) ?? []).filter((list) => list.invokedAt > completedAt);
      const listed = Math.max(-1, ...later.map((list) => list.offset));
      if (later.length === 0 || listed >= offset) continue;
      lost.raise(offset, key);
      highest.raise(listed, key);
    }
    for (const key of this.#lists.keys()) {
      if (lost.at(key) < 0) continue;
      const detail = `${lost.at(key)} was committed, later lists came to ${highest.at(key)}`;
      this.#findings.report("lost-commit", key, detail);
    }
  }

  #completeCommit({ client, request, completedAt }: Operation): void {
    for (const [key, offset] of numbersOf(request.offsets)) {
      this.#raiseFloor(client, key, offset);
      this.#commits.push({ key, offset, completedAt });
    }
  }

  #completeList(operation: Operation): void {
    const { client, reply, invokedAt } = operation;
    const listed = numbersOf(reply?.offsets);
    for (const [key, floor] of this.#floors.get(operation) ?? []) {
      const offset = listed.get(key) ?? -1;
      if (offset < floor.all) this.#staleLists++;
      const lowest = this.#realtime ? floor.all : floor.own;
      if (offset < lowest) {
        const detail = `${offset} is listed after ${lowest}`;
        this.#findings.report("committed-backwards", key, detail);
      }
      const ceiling = this.#ceiling.at(key);
      if (offset > ceiling) {
        const detail = `${offset} is listed, ${ceiling} is the most ever committed`;
        this.#findings.report("committed-made-up", key, detail);
      }
      this.#raiseFloor(client, key, offset);
      const lists = this.#lists.get(key) ?? [];
      lists.push({ offset, invokedAt });
      this.#lists.set(key, lists);
    }
  }

  #raiseFloor(client: string, key: string, offset: number): void {
    this.#floor.raise(offset, key);
    this.#floor.raise(offset, client, key);
  }
}
