import { normalize } from "node:path";
import { systemFailure } from "../../src/files/file-errors.js";
import type {
  DirectoryEntry,
  EntryKind,
  FileSystem,
  OpenFile,
  OpenMode,
} from "../../src/files/file-system.js";
import {
  changedContent,
  changedNames,
  type DirectoryChange,
  type DirectoryState,
  type FileChange,
  type FileState,
  MemoryDisk,
  type MemoryNode,
  newDirectory,
  newFile,
} from "./memory-disk.js";

/** What may be done to a disk. */
export type DiskChangeKind =
  | "create"
  | "write"
  | "truncate"
  | "datasync"
  | "makeDirectory"
  | "rename"
  | "unlink"
  | "removeTree"
  | "syncDirectory";

/** How a change goes wrong. */
export interface DiskFault {
  /** Code of the error, "ENOSPC". Of a failed `datasync`, the pages count as clean afterwards. */
  readonly errno: string;
  /** Of a write: so many bytes reach the file all the same. */
  readonly writtenBytes?: number;
  /** Of a `datasync`: what the disk has of the file all the same. Default: what it had before. */
  readonly stored?: (state: FileState) => Uint8Array;
}

/** How a memory file system is watched and steered. */
export interface MemoryFileSystemHooks {
  /** What `bootId()` says. */
  readonly bootId?: Uint8Array;
  /** Called before every change, which may be made to fail. */
  readonly beforeChange?: (kind: DiskChangeKind, path: string) => DiskFault | undefined;
  /** Called when a change is done. */
  readonly afterChange?: (kind: DiskChangeKind, path: string) => void;
  /** Runs what was asked for, now or later, in any order. Default: now. */
  readonly schedule?: <T>(perform: () => T) => Promise<T>;
}

/** The boot id of a memory file system, unless its hooks say otherwise. */
const BOOT_ID = new Uint8Array(16).fill(1);

/** A file system on a {@link MemoryDisk}, which knows what of it was synced. */
export class MemoryFileSystem implements FileSystem {
  readonly disk: MemoryDisk;
  readonly #hooks: MemoryFileSystemHooks;
  readonly #openFiles = new Set<MemoryFile>();

  constructor(disk: MemoryDisk = new MemoryDisk(), hooks: MemoryFileSystemHooks = {}) {
    this.disk = disk;
    this.#hooks = hooks;
  }

  /** Paths of the files that are open now. */
  get openPaths(): string[] {
    return [...this.#openFiles].map((file) => file.path);
  }

  open(path: string, mode: OpenMode): Promise<OpenFile> {
    return this.run("open", path, () => this.#open(path, mode));
  }

  openSync(path: string, mode: OpenMode): OpenFile {
    return this.runSync("open", path, () => this.#open(path, mode));
  }

  makeDirectory(path: string): Promise<void> {
    return this.run("make the directory", path, () => {
      const parent = this.#parentOf(path);
      if (parent.state.seen.has(baseName(path))) throw errno("EEXIST");
      this.change("makeDirectory", path);
      this.#rename(parent, [[baseName(path), newDirectory()]]);
      this.changed("makeDirectory", path);
    });
  }

  readDirectory(path: string): Promise<DirectoryEntry[]> {
    return this.run("list", path, () => {
      const names = this.#directoryAt(path).state.seen;
      return [...names].map(([name, node]) => ({ name, kind: node.state.kind }));
    });
  }

  kindOf(path: string): Promise<EntryKind | undefined> {
    return this.run("look at", path, () => this.disk.find(path)?.state.kind);
  }

  rename(from: string, to: string): Promise<void> {
    return this.run("rename", from, () => {
      const source = this.#parentOf(from);
      const target = this.#parentOf(to);
      const node = source.state.seen.get(baseName(from));
      if (node === undefined) throw errno("ENOENT");
      if (from === to) return;
      this.change("rename", to);
      if (source === target) {
        this.#rename(source, [
          [baseName(to), node],
          [baseName(from), undefined],
        ]);
      } else {
        this.#rename(target, [[baseName(to), node]]);
        this.#rename(source, [[baseName(from), undefined]]);
      }
      this.changed("rename", to);
    });
  }

  unlink(path: string): Promise<void> {
    return this.run("remove", path, () => {
      const parent = this.#parentOf(path);
      if (parent.state.seen.get(baseName(path)) === undefined) throw errno("ENOENT");
      this.change("unlink", path);
      this.#rename(parent, [[baseName(path), undefined]]);
      this.changed("unlink", path);
    });
  }

  removeTree(path: string): Promise<void> {
    return this.run("remove", path, () => {
      const node = this.disk.find(path);
      if (node === undefined) return;
      this.change("removeTree", path);
      this.#empty(node);
      this.#rename(this.#parentOf(path), [[baseName(path), undefined]]);
      this.changed("removeTree", path);
    });
  }

  syncDirectory(path: string): Promise<void> {
    return this.run("sync the directory", path, () => {
      const node = this.#directoryAt(path);
      this.change("syncDirectory", path);
      let durable = node.state.durable;
      for (const change of node.state.changes) durable = changedNames(durable, change);
      node.state = { ...node.state, durable, changes: [] };
      this.changed("syncDirectory", path);
    });
  }

  /** Nothing here is a link. */
  async realPath(path: string): Promise<string> {
    return normalize(path);
  }

  async bootId(): Promise<Uint8Array> {
    return this.#hooks.bootId ?? BOOT_ID;
  }

  /** @internal Says what is about to change; fails if it is to fail. */
  change(kind: DiskChangeKind, path: string, onFault?: (fault: DiskFault) => void): void {
    const fault = this.#hooks.beforeChange?.(kind, path);
    if (fault === undefined) return;
    onFault?.(fault);
    throw errno(fault.errno);
  }

  /** @internal Says what has changed. */
  changed(kind: DiskChangeKind, path: string): void {
    this.#hooks.afterChange?.(kind, path);
  }

  /** @internal */
  run<T>(action: string, path: string, perform: () => T): Promise<T> {
    const attempt = () => this.runSync(action, path, perform);
    if (this.#hooks.schedule !== undefined) return this.#hooks.schedule(attempt);
    try {
      return Promise.resolve(attempt());
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** @internal */
  runSync<T>(action: string, path: string, perform: () => T): T {
    try {
      return perform();
    } catch (error) {
      throw systemFailure(error, action, path);
    }
  }

  /** @internal */
  closed(file: MemoryFile): void {
    this.#openFiles.delete(file);
  }

  #open(path: string, mode: OpenMode): OpenFile {
    let node = this.disk.find(path);
    if (node === undefined) {
      if (mode === "read" || mode === "update") throw errno("ENOENT");
      const parent = this.#parentOf(path);
      this.change("create", path);
      node = newFile();
      this.#rename(parent, [[baseName(path), node]]);
      this.changed("create", path);
    }
    if (node.state.kind !== "file") throw errno("EISDIR");
    const file = new MemoryFile(this, path, node as FileNode, mode !== "read");
    if (mode === "create" && node.state.seen.length > 0) file.truncateNow(0);
    this.#openFiles.add(file);
    return file;
  }

  #empty(node: MemoryNode): void {
    if (node.state.kind !== "directory") return;
    for (const [name, child] of node.state.seen) {
      this.#empty(child);
      this.#rename(node as DirectoryNode, [[name, undefined]]);
    }
  }

  #rename(directory: DirectoryNode, change: DirectoryChange): void {
    const { state } = directory;
    directory.state = {
      ...state,
      changes: [...state.changes, change],
      seen: changedNames(state.seen, change),
    };
  }

  #parentOf(path: string): DirectoryNode {
    return this.#directoryAt(path.slice(0, path.lastIndexOf("/")));
  }

  #directoryAt(path: string): DirectoryNode {
    const node = this.disk.find(path);
    if (node === undefined) throw errno("ENOENT");
    if (node.state.kind !== "directory") throw errno("ENOTDIR");
    return node as DirectoryNode;
  }
}

type FileNode = MemoryNode & { state: FileState };
type DirectoryNode = MemoryNode & { state: DirectoryState };

class MemoryFile implements OpenFile {
  readonly path: string;
  readonly #system: MemoryFileSystem;
  readonly #node: FileNode;
  readonly #isWritable: boolean;
  #isOpen = true;

  constructor(system: MemoryFileSystem, path: string, node: FileNode, isWritable: boolean) {
    this.#system = system;
    this.path = path;
    this.#node = node;
    this.#isWritable = isWritable;
  }

  read(target: Uint8Array, position: number): Promise<number> {
    return this.#run("read", () => this.#read(target, position));
  }

  readSync(target: Uint8Array, position: number): number {
    return this.#runSync("read", () => this.#read(target, position));
  }

  write(bytes: Uint8Array, position: number): Promise<number> {
    return this.#run("write to", () => this.#write(bytes, position));
  }

  writeSync(bytes: Uint8Array, position: number): number {
    return this.#runSync("write to", () => this.#write(bytes, position));
  }

  size(): Promise<number> {
    return this.#run("read the length of", () => this.#node.state.seen.length);
  }

  sizeSync(): number {
    return this.#runSync("read the length of", () => this.#node.state.seen.length);
  }

  truncate(length: number): Promise<void> {
    return this.#run("truncate", () => this.truncateNow(length));
  }

  truncateNow(length: number): void {
    if (!this.#isWritable) throw errno("EINVAL");
    this.#system.change("truncate", this.path);
    this.#apply({ kind: "truncate", length });
    this.#system.changed("truncate", this.path);
  }

  datasync(): Promise<void> {
    return this.#run("sync", () => {
      this.#system.change("datasync", this.path, ({ stored }) => {
        const { state } = this.#node;
        // Linux: what could not be written is clean from now on; the next sync knows nothing of it.
        this.#node.state = { ...state, durable: stored?.(state) ?? state.durable, changes: [] };
      });
      const { state } = this.#node;
      const durable = state.changes.reduce(changedContent, state.durable);
      this.#node.state = { ...state, durable, changes: [] };
      this.#system.changed("datasync", this.path);
    });
  }

  tryLock(kind: "exclusive" | "shared"): boolean {
    const { lockHolders } = this.#node;
    const hasOthers = lockHolders.size > (lockHolders.has(this) ? 1 : 0);
    if (hasOthers && (kind === "exclusive" || this.#node.isLockedExclusively)) return false;
    lockHolders.add(this);
    this.#node.isLockedExclusively = kind === "exclusive";
    return true;
  }

  unlock(): void {
    this.#node.lockHolders.delete(this);
  }

  close(): Promise<void> {
    return this.#run("close", () => this.#close());
  }

  closeSync(): void {
    this.#runSync("close", () => this.#close());
  }

  #read(target: Uint8Array, position: number): number {
    const bytes = this.#node.state.seen.subarray(position, position + target.length);
    target.set(bytes);
    return bytes.length;
  }

  #write(bytes: Uint8Array, position: number): number {
    if (!this.#isWritable) throw errno("EBADF");
    this.#system.change("write", this.path, ({ writtenBytes = 0 }) => {
      if (writtenBytes === 0) return;
      const written = new Uint8Array(bytes.subarray(0, writtenBytes));
      this.#apply({ kind: "write", position, bytes: written });
    });
    // A copy, and not of a Buffer's kind: the writer uses its memory again.
    if (bytes.length > 0) this.#apply({ kind: "write", position, bytes: new Uint8Array(bytes) });
    this.#system.changed("write", this.path);
    return bytes.length;
  }

  #apply(change: FileChange): void {
    const { state } = this.#node;
    this.#node.state = {
      ...state,
      changes: [...state.changes, change],
      seen: changedContent(state.seen, change),
    };
  }

  #close(): void {
    this.#assertOpen();
    this.#isOpen = false;
    this.unlock();
    this.#system.closed(this);
  }

  #run<T>(action: string, perform: () => T): Promise<T> {
    return this.#system.run(action, this.path, () => {
      this.#assertOpen();
      return perform();
    });
  }

  #runSync<T>(action: string, perform: () => T): T {
    return this.#system.runSync(action, this.path, () => {
      this.#assertOpen();
      return perform();
    });
  }

  #assertOpen(): void {
    if (!this.#isOpen) throw errno("EBADF");
  }
}

function errno(code: string): Error {
  return Object.assign(new Error(code), { code });
}

function baseName(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}
