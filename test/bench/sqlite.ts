import { load, type Sqlite } from "./peers.js";

interface NodeSqlite {
  readonly DatabaseSync: new (path: string) => Sqlite;
}

/** A new database with a table of records, in the mode that is quickest for appends. */
export function openSqlite(
  module: "better-sqlite3" | "node:sqlite",
  path: string,
  synchronous: "OFF" | "FULL",
): Sqlite {
  const database =
    module === "node:sqlite"
      ? new (load<NodeSqlite>(module).DatabaseSync)(path)
      : new (load<new (path: string) => Sqlite>(module))(path);
  database.exec("PRAGMA journal_mode = WAL");
  database.exec(`PRAGMA synchronous = ${synchronous}`);
  database.exec("CREATE TABLE records (id INTEGER PRIMARY KEY, value BLOB)");
  return database;
}
