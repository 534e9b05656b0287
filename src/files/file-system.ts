/**
 * How a file is opened. In every mode, what is no ordinary file is refused with `UNSAFE_PATH`: a
 * symbolic link, a directory, a pipe, a device.
 *
 * - `read`: it must exist.
 * - `update`: it must exist; for reading and writing.
 * - `create`: for reading and writing, emptied if it exists, access for its owner only.
 * - `open-or-create`: as `create`, but what is there stays.
 */
export type OpenMode = "read" | "update" | "create" | "open-or-create";

/** What stands at a path, not following a symbolic link. */
export type EntryKind = "file" | "directory" | "symbolic link" | "other";

/** A name in a directory. */
export interface DirectoryEntry {
  readonly name: string;
  readonly kind: EntryKind;
}

/**
 * An open file. Positions and lengths are bytes. Methods ending in `Sync` block the event loop and
 * serve `readSync` and tiny writes only: of published ends, of a lock's holder.
 */
export interface OpenFile {
  readonly path: string;
  /** Reads up to `target.length` bytes; fewer at the end of the file or when the system likes. */
  read(target: Uint8Array, position: number): Promise<number>;
  readSync(target: Uint8Array, position: number): number;
  /** Writes a prefix of `bytes` and returns its length; a full disk may show in that alone. */
  write(bytes: Uint8Array, position: number): Promise<number>;
  writeSync(bytes: Uint8Array, position: number): number;
  /** Length of the file. */
  size(): Promise<number>;
  sizeSync(): number;
  truncate(length: number): Promise<void>;
  /** Puts content and length on stable storage. After a failure nothing is known of either. */
  datasync(): Promise<void>;
  /**
   * Takes an advisory lock on the whole file that dies with this open file, at once and without
   * waiting.
   *
   * @returns Whether it was granted.
   */
  tryLock(kind: "exclusive" | "shared"): boolean;
  unlock(): void;
  close(): Promise<void>;
  closeSync(): void;
}

/**
 * All that seglog does with a disk. Tests put a simulator in its place, so nothing outside of
 * `files/` may use the operating system's file functions.
 *
 * Every method fails with a `SeglogError` made by `systemFailure`, the original error as `cause`.
 */
export interface FileSystem {
  open(path: string, mode: OpenMode): Promise<OpenFile>;
  openSync(path: string, mode: OpenMode): OpenFile;
  /** Makes one directory, access for its owner only; its parent must exist. */
  makeDirectory(path: string): Promise<void>;
  readDirectory(path: string): Promise<DirectoryEntry[]>;
  /** Kind of what is at `path`, or `undefined` if nothing is. */
  kindOf(path: string): Promise<EntryKind | undefined>;
  /** Replaces `to` if it exists; durable once its directory is synced. */
  rename(from: string, to: string): Promise<void>;
  /** Removes a file; durable once its directory is synced. */
  unlink(path: string): Promise<void>;
  /** Removes a directory with all that is in it; nothing there is no failure. */
  removeTree(path: string): Promise<void>;
  /** Puts the names in a directory on stable storage. */
  syncDirectory(path: string): Promise<void>;
  /**
   * Sixteen bytes that change with every start of the machine, by which a dead process is told
   * from a dead machine; zeros where the system does not say.
   */
  bootId(): Promise<Uint8Array>;
  /** The path of what is at `path`, without symbolic links, `.` and `..`; it must exist. */
  realPath(path: string): Promise<string>;
}
