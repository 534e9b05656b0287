import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

/*
 * What is used of the packages that seglog is measured against. They are installed apart from
 * seglog's own: `npm install --prefix test/bench`.
 */

const require = createRequire(join(process.cwd(), "test", "bench", "package.json"));

/** lmdb: a memory-mapped B-tree. */
export interface Lmdb {
  open(options: LmdbOptions & { readonly keyEncoding: "uint32" }): LmdbDatabase<number>;
  open(options: LmdbOptions & { readonly keyEncoding: "binary" }): LmdbDatabase<Buffer>;
}

interface LmdbOptions {
  readonly path: string;
  readonly noSync: boolean;
  readonly encoding: "binary";
}

export interface LmdbDatabase<Key> {
  /** With `append` for keys that rise, which is quicker. */
  put(key: Key, value: Uint8Array, options?: { readonly append: true }): Promise<boolean>;
  putSync(key: Key, value: Uint8Array, options?: { readonly append: true }): void;
  transactionSync(run: () => void): void;
  get(key: Key): Buffer | undefined;
  getRange(options: object): Iterable<{ readonly key: Key; readonly value: Buffer }>;
  close(): Promise<void>;
}

/** classic-level: LevelDB. */
export interface ClassicLevel {
  readonly ClassicLevel: new (
    location: string,
    options: {
      readonly keyEncoding: "buffer";
      readonly valueEncoding: "buffer";
      readonly compression: boolean;
    },
  ) => LevelDatabase;
}

export interface LevelDatabase {
  open(): Promise<void>;
  batch(): {
    put(key: Buffer, value: Buffer): unknown;
    write(options: { readonly sync: boolean }): Promise<void>;
  };
  get(key: Buffer): Promise<Buffer | undefined>;
  close(): Promise<void>;
}

/** async-append-only-log: the log of the Secure Scuttlebutt stack. */
export type AsyncLog = (path: string, options: { readonly blockSize: number }) => AsyncLogFile;

type Callback<T> = (error: Error | null, result: T) => void;

export interface AsyncLogFile {
  append(records: readonly Buffer[], done: Callback<number>): void;
  onDrain(done: () => void): void;
  stream(options: { readonly offsets: boolean; readonly live?: boolean }): {
    pipe(sink: { paused: boolean; write(value: Buffer): void; end(error?: Error): void }): void;
  };
  close(done: Callback<void>): void;
}

/** better-sqlite3 and `node:sqlite`, as far as they are alike. */
export interface Sqlite {
  exec(sql: string): void;
  prepare(sql: string): {
    run(...values: readonly unknown[]): unknown;
    get(...values: readonly unknown[]): Record<string, unknown> | undefined;
  };
  close(): void;
}

/** Whether a package, or a module of Node's, can be loaded here. */
export function isInstalled(name: string): boolean {
  try {
    require.resolve(name);
    // Its binary, which npm does not compile by itself, is looked for when a database is opened.
    if (name === "better-sqlite3") {
      new (load<new (path: string) => Sqlite>(name))(":memory:").close();
    }
    return true;
  } catch {
    return false;
  }
}

/** A package; {@link isInstalled} tells whether it is there. */
export function load<T>(name: string): T {
  return require(name) as T;
}

/** The version of a package, or of what is behind a module of Node's, if it is there. */
export function installedVersion(name: string): string | undefined {
  if (name === "node:sqlite") return isInstalled(name) ? process.versions.sqlite : undefined;
  // Read where it lies: a package need not export its manifest.
  const path = require.resolve
    .paths(name)
    ?.map((directory) => join(directory, name, "package.json"))
    .find((each) => existsSync(each));
  if (path === undefined) return undefined;
  return (JSON.parse(readFileSync(path, "utf8")) as { readonly version: string }).version;
}
