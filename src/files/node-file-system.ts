import fs from "node:fs";
import fsExtra from "fs-extra";
import { tryLock, unlock } from "fs-native-extensions";
import { SeglogError } from "../errors.js";
import { systemFailure } from "./file-errors.js";
import type { DirectoryEntry, EntryKind, FileSystem, OpenFile, OpenMode } from "./file-system.js";

const { O_CREAT, O_NOFOLLOW, O_NONBLOCK, O_RDONLY, O_RDWR, O_TRUNC } = fs.constants;

/**
 * No symbolic link is followed, and a pipe in a file's place is not waited for: without a writer
 * its opening would never end. Windows has neither flag; nor has it symbolic links that an
 * unprivileged user can make, or pipes with a path in a directory.
 */
const CAREFULLY = (O_NOFOLLOW ?? 0) | (O_NONBLOCK ?? 0);

const OPEN_FLAGS: Readonly<Record<OpenMode, number>> = {
  read: O_RDONLY | CAREFULLY,
  update: O_RDWR | CAREFULLY,
  create: O_RDWR | O_CREAT | O_TRUNC | CAREFULLY,
  "open-or-create": O_RDWR | O_CREAT | CAREFULLY,
};
const OWNER_ONLY_FILE = 0o600;
const OWNER_ONLY_DIRECTORY = 0o700;

/** Where Linux tells which start of the machine this is. */
const BOOT_ID_FILE = "/proc/sys/kernel/random/boot_id";
const BOOT_ID_BYTES = 16;

/** A file of the operating system. Callbacks rather than `fs.promises`: half the cost a call. */
class NodeFile implements OpenFile {
  readonly path: string;
  readonly #descriptor: number;

  constructor(path: string, descriptor: number) {
    this.path = path;
    this.#descriptor = descriptor;
  }

  read(target: Uint8Array, position: number): Promise<number> {
    return new Promise((resolve, reject) => {
      fs.read(this.#descriptor, target, 0, target.length, position, (error, count) => {
        if (error === null) resolve(count);
        else reject(systemFailure(error, "read", this.path));
      });
    });
  }

  readSync(target: Uint8Array, position: number): number {
    return this.#sync("read", () =>
      fs.readSync(this.#descriptor, target, 0, target.length, position),
    );
  }

  write(bytes: Uint8Array, position: number): Promise<number> {
    return new Promise((resolve, reject) => {
      fs.write(this.#descriptor, bytes, 0, bytes.length, position, (error, count) => {
        if (error === null) resolve(count);
        else reject(systemFailure(error, "write to", this.path));
      });
    });
  }

  writeSync(bytes: Uint8Array, position: number): number {
    return this.#sync("write to", () =>
      fs.writeSync(this.#descriptor, bytes, 0, bytes.length, position),
    );
  }

  size(): Promise<number> {
    return new Promise((resolve, reject) => {
      fs.fstat(this.#descriptor, (error, stats) => {
        if (error === null) resolve(stats.size);
        else reject(systemFailure(error, "read the length of", this.path));
      });
    });
  }

  sizeSync(): number {
    return this.#sync("read the length of", () => fs.fstatSync(this.#descriptor).size);
  }

  truncate(length: number): Promise<void> {
    return this.#call("truncate", (done) => fs.ftruncate(this.#descriptor, length, done));
  }

  datasync(): Promise<void> {
    return this.#call("sync", (done) => fs.fdatasync(this.#descriptor, done));
  }

  tryLock(kind: "exclusive" | "shared"): boolean {
    return this.#sync("lock", () => tryLock(this.#descriptor, { shared: kind === "shared" }));
  }

  unlock(): void {
    this.#sync("unlock", () => unlock(this.#descriptor));
  }

  close(): Promise<void> {
    return this.#call("close", (done) => fs.close(this.#descriptor, done));
  }

  closeSync(): void {
    this.#sync("close", () => fs.closeSync(this.#descriptor));
  }

  #call(action: string, start: (done: fs.NoParamCallback) => void): Promise<void> {
    return new Promise((resolve, reject) => {
      start((error) => {
        if (error === null || error === undefined) resolve();
        else reject(systemFailure(error, action, this.path));
      });
    });
  }

  #sync<T>(action: string, run: () => T): T {
    try {
      return run();
    } catch (error) {
      throw systemFailure(error, action, this.path);
    }
  }
}

/** The file system of the machine. */
export const nodeFileSystem: FileSystem = {
  open(path, mode) {
    return new Promise((resolve, reject) => {
      fs.open(path, OPEN_FLAGS[mode], OWNER_ONLY_FILE, (error, descriptor) => {
        if (error !== null) {
          reject(systemFailure(error, "open", path));
          return;
        }
        fs.fstat(descriptor, (failure, stats) => {
          if (failure === null && stats.isFile()) {
            resolve(new NodeFile(path, descriptor));
            return;
          }
          fs.close(descriptor, () => {
            reject(
              failure === null
                ? notAFile(path, kindOf(stats))
                : systemFailure(failure, "look at", path),
            );
          });
        });
      });
    });
  },

  openSync(path, mode) {
    let descriptor: number | undefined;
    let kind: EntryKind;
    try {
      descriptor = fs.openSync(path, OPEN_FLAGS[mode], OWNER_ONLY_FILE);
      kind = kindOf(fs.fstatSync(descriptor));
    } catch (error) {
      if (descriptor !== undefined) fs.closeSync(descriptor);
      throw systemFailure(error, "open", path);
    }
    if (kind === "file") return new NodeFile(path, descriptor);
    fs.closeSync(descriptor);
    throw notAFile(path, kind);
  },

  makeDirectory: (path) =>
    attempt("make the directory", path, () => fs.promises.mkdir(path, OWNER_ONLY_DIRECTORY)),

  readDirectory: (path) =>
    attempt("list", path, async () => {
      const entries = await fs.promises.readdir(path, { withFileTypes: true });
      return entries.map((entry): DirectoryEntry => ({ name: entry.name, kind: kindOf(entry) }));
    }),

  kindOf: (path) =>
    attempt("look at", path, async () => {
      try {
        return kindOf(await fs.promises.lstat(path));
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
        throw error;
      }
    }),

  rename: (from, to) => attempt("rename", from, () => fs.promises.rename(from, to)),

  unlink: (path) => attempt("remove", path, () => fs.promises.unlink(path)),

  removeTree: (path) => attempt("remove", path, () => fsExtra.remove(path)),

  syncDirectory: (path) =>
    attempt("sync the directory", path, async () => {
      // Windows cannot open a directory; its file systems journal names by themselves.
      if (process.platform === "win32") return;
      const directory = await fs.promises.open(path, O_RDONLY);
      try {
        await directory.sync();
      } finally {
        await directory.close();
      }
    }),

  realPath: (path) => attempt("resolve", path, () => fs.promises.realpath(path)),

  async bootId() {
    try {
      const text = await fs.promises.readFile(BOOT_ID_FILE, "utf8");
      const bytes = Buffer.from(text.replaceAll("-", "").trim(), "hex");
      if (bytes.length === BOOT_ID_BYTES) return new Uint8Array(bytes);
    } catch {
      // Other systems have no such file. Zeros never match, which is the careful answer.
    }
    return new Uint8Array(BOOT_ID_BYTES);
  },
};

function kindOf(entry: fs.Dirent | fs.Stats): EntryKind {
  if (entry.isFile()) return "file";
  if (entry.isDirectory()) return "directory";
  return entry.isSymbolicLink() ? "symbolic link" : "other";
}

function notAFile(path: string, kind: EntryKind): SeglogError {
  const what = kind === "directory" ? "a directory" : "a pipe, a socket or a device";
  return new SeglogError("UNSAFE_PATH", `${path} is ${what}. Put the real file in its place.`);
}

async function attempt<T>(action: string, path: string, run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    throw systemFailure(error, action, path);
  }
}
