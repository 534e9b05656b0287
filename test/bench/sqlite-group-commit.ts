import type { Sqlite } from "./peers.js";

interface Waiting {
  readonly record: Uint8Array;
  readonly resolve: () => void;
}

/**
 * What one writes around SQLite when many callers append at a time: what they ask for in one turn
 * of the event loop becomes one transaction.
 */
export class SqliteGroupCommit {
  readonly #database: Sqlite;
  readonly #insert: ReturnType<Sqlite["prepare"]>;
  #waiting: Waiting[] = [];
  #next = 0;

  constructor(database: Sqlite) {
    this.#database = database;
    this.#insert = database.prepare("INSERT INTO records (id, value) VALUES (?, ?)");
  }

  append(record: Uint8Array): Promise<void> {
    if (this.#waiting.length === 0) setImmediate(() => this.#commit());
    return new Promise((resolve) => this.#waiting.push({ record, resolve }));
  }

  #commit(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    this.#database.exec("BEGIN");
    for (const { record } of waiting) this.#insert.run(this.#next++, record);
    this.#database.exec("COMMIT");
    for (const { resolve } of waiting) resolve();
  }
}
