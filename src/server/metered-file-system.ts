import type {
  DirectoryEntry,
  EntryKind,
  FileSystem,
  OpenFile,
  OpenMode,
} from "../files/file-system.js";

/** Told of what a server does with its files. */
export interface FileMeter {
  opened(): void;
  closed(): void;
  /** A file or directory was put on stable storage, or could not be. */
  synced(seconds: number, isDone: boolean): void;
}

/** A file system that tells a meter of open files and of syncs. */
export class MeteredFileSystem implements FileSystem {
  readonly #inner: FileSystem;
  readonly #meter: FileMeter;

  constructor(inner: FileSystem, meter: FileMeter) {
    this.#inner = inner;
    this.#meter = meter;
  }

  async open(path: string, mode: OpenMode): Promise<OpenFile> {
    return new MeteredFile(await this.#inner.open(path, mode), this.#meter);
  }

  openSync(path: string, mode: OpenMode): OpenFile {
    return new MeteredFile(this.#inner.openSync(path, mode), this.#meter);
  }

  makeDirectory(path: string): Promise<void> {
    return this.#inner.makeDirectory(path);
  }

  readDirectory(path: string): Promise<DirectoryEntry[]> {
    return this.#inner.readDirectory(path);
  }

  kindOf(path: string): Promise<EntryKind | undefined> {
    return this.#inner.kindOf(path);
  }

  rename(from: string, to: string): Promise<void> {
    return this.#inner.rename(from, to);
  }

  unlink(path: string): Promise<void> {
    return this.#inner.unlink(path);
  }

  removeTree(path: string): Promise<void> {
    return this.#inner.removeTree(path);
  }

  syncDirectory(path: string): Promise<void> {
    return timed(this.#meter, () => this.#inner.syncDirectory(path));
  }

  bootId(): Promise<Uint8Array> {
    return this.#inner.bootId();
  }

  realPath(path: string): Promise<string> {
    return this.#inner.realPath(path);
  }
}

class MeteredFile implements OpenFile {
  readonly path: string;
  readonly #inner: OpenFile;
  readonly #meter: FileMeter;

  constructor(inner: OpenFile, meter: FileMeter) {
    this.path = inner.path;
    this.#inner = inner;
    this.#meter = meter;
    meter.opened();
  }

  read(target: Uint8Array, position: number): Promise<number> {
    return this.#inner.read(target, position);
  }

  readSync(target: Uint8Array, position: number): number {
    return this.#inner.readSync(target, position);
  }

  write(bytes: Uint8Array, position: number): Promise<number> {
    return this.#inner.write(bytes, position);
  }

  writeSync(bytes: Uint8Array, position: number): number {
    return this.#inner.writeSync(bytes, position);
  }

  size(): Promise<number> {
    return this.#inner.size();
  }

  sizeSync(): number {
    return this.#inner.sizeSync();
  }

  truncate(length: number): Promise<void> {
    return this.#inner.truncate(length);
  }

  datasync(): Promise<void> {
    return timed(this.#meter, () => this.#inner.datasync());
  }

  tryLock(kind: "exclusive" | "shared"): boolean {
    return this.#inner.tryLock(kind);
  }

  unlock(): void {
    this.#inner.unlock();
  }

  /** The handle is gone even where that fails. */
  close(): Promise<void> {
    this.#meter.closed();
    return this.#inner.close();
  }

  closeSync(): void {
    this.#meter.closed();
    this.#inner.closeSync();
  }
}

async function timed(meter: FileMeter, sync: () => Promise<void>): Promise<void> {
  const startedAt = performance.now();
  let isDone = false;
  try {
    await sync();
    isDone = true;
  } finally {
    meter.synced((performance.now() - startedAt) / 1000, isDone);
  }
}
