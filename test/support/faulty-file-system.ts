import { setImmediate } from "node:timers/promises";
import { systemFailure } from "../../src/files/file-errors.js";
import type {
  DirectoryEntry,
  EntryKind,
  FileSystem,
  OpenFile,
  OpenMode,
} from "../../src/files/file-system.js";
import { nodeFileSystem } from "../../src/files/node-file-system.js";
import { Hold } from "./hold.js";

/** What an operation does; those that block the event loop count as what they do. */
export type OperationKind =
  | "open"
  | "read"
  | "write"
  | "size"
  | "truncate"
  | "datasync"
  | "lock"
  | "unlock"
  | "close"
  | "makeDirectory"
  | "readDirectory"
  | "kindOf"
  | "rename"
  | "unlink"
  | "removeTree"
  | "syncDirectory"
  | "bootId"
  | "realPath";

/** Operations that change what is on the disk, or what of it is durable. */
export const CHANGES: readonly OperationKind[] = [
  "write",
  "truncate",
  "datasync",
  "makeDirectory",
  "rename",
  "unlink",
  "removeTree",
  "syncDirectory",
];

/** Something that was asked of the file system, whether it came to pass or not. */
export interface Operation {
  /** From 0, in the order of the calls. */
  readonly number: number;
  readonly kind: OperationKind;
  readonly path: string;
  /** Of `open`. */
  readonly mode?: OpenMode;
  /** Of `write` and `read`: length. */
  readonly bytes?: number;
  /** Of `write` and `read`; the new length, of `truncate`. */
  readonly position?: number;
  /** Of `write`: whether it writes zeros only, as room is made. */
  readonly isZeros?: boolean;
  /** Set when it failed. */
  failure?: unknown;
  /** The injected fault that befell it, if one did. */
  fault?: Fault;
}

/** Which operations are meant; what is left out matches all. */
export interface Pattern {
  readonly kind?: OperationKind | readonly OperationKind[];
  readonly path?: RegExp;
  readonly mode?: OpenMode;
  /** Only this operation and, with a fault that stays, later ones. */
  readonly number?: number;
  /** Whatever else decides. */
  readonly where?: (operation: Operation) => boolean;
}

/** How a matching operation fails. */
export interface Fault {
  /** Code of the error, "EIO". */
  readonly errno?: string;
  /** Of a write: this many bytes reach the file, without an error unless `errno` is given. */
  readonly shortBytes?: number;
  /** So many matching operations pass first. Default 0. */
  readonly after?: number;
  /** So many fail then. Default 1. */
  readonly times?: number;
}

interface Rule {
  readonly pattern: Pattern;
  readonly fault: Fault;
  toPass: number;
  toFail: number;
  hits: number;
}

interface Standing {
  readonly pattern: Pattern;
  readonly hold: Hold<Operation>;
}

/** Lets a test take a fault back. */
export interface Injection {
  /** How many operations it has failed. */
  readonly hits: number;
  remove(): void;
}

/**
 * A file system that counts, records, fails, holds back and loses what is asked of it, on top of
 * another one. On top of the real one syncs are recorded and nothing more, which makes tests fast:
 * without a power cut nobody can tell.
 */
export class FaultyFileSystem implements FileSystem {
  readonly #base: FileSystem;
  readonly #openFiles = new Set<FaultyFile>();
  readonly #inFlight = new Set<Promise<unknown>>();
  #rules: Rule[] = [];
  /** Holds that nobody has reached. */
  #holds: Standing[] = [];
  readonly #gates: Hold<Operation>[] = [];
  #dead = false;
  #next = 0;
  #deathAt = Number.POSITIVE_INFINITY;
  #deathPattern: Pattern | undefined;
  #tornBytes = 0;
  /** Everything since the last {@link forget}. */
  operations: Operation[] = [];
  /** What `bootId()` says; default: what the machine says. Another one means a power cut. */
  machine: Uint8Array | undefined;
  /** Called when an injected fault befalls an operation, before anybody else knows. */
  onFault: ((operation: Operation) => void) | undefined;
  /** Files that were closed a second time: that could hit another file with the same descriptor. */
  readonly closedTwice: string[] = [];

  constructor(base: FileSystem = nodeFileSystem) {
    this.#base = base;
  }

  /** How many operations there were in all; the number of the next one. */
  get count(): number {
    return this.#next;
  }

  get isDead(): boolean {
    return this.#dead;
  }

  /** How many operations have begun and are not done. */
  get inFlight(): number {
    return this.#inFlight.size;
  }

  /** Paths of the files that are open now. */
  get openPaths(): string[] {
    return [...this.#openFiles].map((file) => file.path);
  }

  /** Forgets the operations so far; their numbers go on. */
  forget(): void {
    this.operations = [];
  }

  /** The recorded operations that match, failed ones too. */
  matching(pattern: Pattern): Operation[] {
    return this.operations.filter((operation) => matches(pattern, operation));
  }

  /** How many recorded operations match. */
  countOf(kind: OperationKind | readonly OperationKind[], path?: RegExp): number {
    return this.matching(path === undefined ? { kind } : { kind, path }).length;
  }

  /** Makes operations fail. Of several faults that match, the one set first counts. */
  fail(pattern: Pattern, fault: Fault): Injection {
    const rule: Rule = {
      pattern,
      fault,
      toPass: fault.after ?? 0,
      toFail: fault.times ?? 1,
      hits: 0,
    };
    this.#rules.push(rule);
    return {
      get hits() {
        return rule.hits;
      },
      remove: () => {
        this.#rules = this.#rules.filter((each) => each !== rule);
      },
    };
  }

  /** Holds the next matching operation back, before it does anything, until it is released. */
  hold(pattern: Pattern): Hold<Operation> {
    const hold = new Hold<Operation>();
    this.#holds.push({ pattern, hold });
    this.#gates.push(hold);
    return hold;
  }

  /**
   * From now on nothing reaches the disk: every operation fails. Resolves when what was in flight
   * is done and every handle, with its lock, is given back, as the operating system does for a
   * process that was killed.
   */
  async die(): Promise<void> {
    this.#dead = true;
    this.#holds = [];
    for (const hold of this.#gates.splice(0)) hold.release();
    await Promise.allSettled(this.#inFlight);
    await Promise.all([...this.#openFiles].map((file) => file.abandon()));
    this.#openFiles.clear();
  }

  /**
   * Lets the process die at the operation with this number: it and all later ones do nothing. Call
   * {@link die} afterwards to give the handles back.
   *
   * @param tornBytes - If the operation is a write, this many of its bytes still reach the file.
   */
  dieAt(number: number, tornBytes = 0): void {
    this.#deathAt = number;
    this.#tornBytes = tornBytes;
  }

  /** As {@link dieAt}, at the next operation that matches. */
  dieAtNext(pattern: Pattern, tornBytes = 0): void {
    this.#deathPattern = pattern;
    this.#tornBytes = tornBytes;
  }

  async open(path: string, mode: OpenMode): Promise<OpenFile> {
    const operation = this.#note("open", path, { mode });
    return this.#run(operation, async () => {
      const file = new FaultyFile(this, await this.#base.open(path, mode));
      this.#openFiles.add(file);
      return file;
    });
  }

  openSync(path: string, mode: OpenMode): OpenFile {
    const operation = this.#note("open", path, { mode });
    return this.runSync(operation, () => {
      const file = new FaultyFile(this, this.#base.openSync(path, mode));
      this.#openFiles.add(file);
      return file;
    });
  }

  makeDirectory(path: string): Promise<void> {
    return this.#plain("makeDirectory", path, () => this.#base.makeDirectory(path));
  }

  readDirectory(path: string): Promise<DirectoryEntry[]> {
    return this.#plain("readDirectory", path, () => this.#base.readDirectory(path));
  }

  kindOf(path: string): Promise<EntryKind | undefined> {
    return this.#plain("kindOf", path, () => this.#base.kindOf(path));
  }

  rename(from: string, to: string): Promise<void> {
    return this.#plain("rename", to, () => this.#base.rename(from, to));
  }

  unlink(path: string): Promise<void> {
    return this.#plain("unlink", path, () => this.#base.unlink(path));
  }

  removeTree(path: string): Promise<void> {
    return this.#plain("removeTree", path, () => this.#base.removeTree(path));
  }

  syncDirectory(path: string): Promise<void> {
    return this.#plain("syncDirectory", path, async () => {
      if (this.passesSyncs) await this.#base.syncDirectory(path);
    });
  }

  bootId(): Promise<Uint8Array> {
    return this.#plain("bootId", "", async () => this.machine ?? (await this.#base.bootId()));
  }

  realPath(path: string): Promise<string> {
    return this.#plain("realPath", path, () => this.#base.realPath(path));
  }

  /** @internal */
  get passesSyncs(): boolean {
    return this.#base !== nodeFileSystem;
  }

  #plain<T>(kind: OperationKind, path: string, perform: () => Promise<T>): Promise<T> {
    return this.#run(this.#note(kind, path), perform);
  }

  /** @internal */
  note(kind: OperationKind, path: string, details: Partial<Operation> = {}): Operation {
    return this.#note(kind, path, details);
  }

  /** @internal */
  run<T>(
    operation: Operation,
    perform: () => Promise<T>,
    performPart?: (bytes: number) => Promise<T>,
  ): Promise<T> {
    return this.#run(operation, perform, performPart);
  }

  /** @internal */
  runSync<T>(operation: Operation, perform: () => T, performPart?: (bytes: number) => T): T {
    const fault = this.#faultFor(operation);
    if (fault === undefined) return perform();
    let result: T | undefined;
    if (fault.shortBytes !== undefined && performPart !== undefined) {
      result = performPart(Math.min(fault.shortBytes, operation.bytes ?? 0));
    }
    if (fault.errno !== undefined) throw this.#failure(operation, fault.errno);
    return result ?? perform();
  }

  /** @internal */
  closed(file: FaultyFile): void {
    this.#openFiles.delete(file);
  }

  #note(kind: OperationKind, path: string, details: Partial<Operation> = {}): Operation {
    const operation: Operation = { number: this.#next++, kind, path, ...details };
    this.operations.push(operation);
    return operation;
  }

  #run<T>(
    operation: Operation,
    perform: () => Promise<T>,
    performPart?: (bytes: number) => Promise<T>,
  ): Promise<T> {
    const run = this.#perform(operation, perform, performPart);
    this.#inFlight.add(run);
    const done = () => this.#inFlight.delete(run);
    run.then(done, done);
    return run;
  }

  async #perform<T>(
    operation: Operation,
    perform: () => Promise<T>,
    performPart?: (bytes: number) => Promise<T>,
  ): Promise<T> {
    const standing = this.#holds.findIndex(({ pattern }) => matches(pattern, operation));
    if (standing >= 0) {
      const [{ hold }] = this.#holds.splice(standing, 1) as [Standing];
      await hold.reach(operation);
    }
    const fault = this.#faultFor(operation);
    if (fault === undefined) {
      try {
        return await perform();
      } catch (error) {
        operation.failure = error;
        throw error;
      }
    }
    let result: T | undefined;
    if (fault.shortBytes !== undefined && performPart !== undefined) {
      result = await performPart(Math.min(fault.shortBytes, operation.bytes ?? 0));
    }
    if (fault.errno !== undefined) throw this.#failure(operation, fault.errno);
    return result ?? perform();
  }

  #faultFor(operation: Operation): Fault | undefined {
    const isDeath =
      operation.number >= this.#deathAt ||
      (this.#deathPattern !== undefined && matches(this.#deathPattern, operation));
    if (isDeath && !this.#dead) {
      this.#dead = true;
      return { errno: "EIO", shortBytes: this.#tornBytes };
    }
    if (this.#dead) return { errno: "EIO" };
    for (const rule of this.#rules) {
      if (rule.toFail === 0 || !matches(rule.pattern, operation)) continue;
      if (rule.toPass > 0) {
        rule.toPass--;
        continue;
      }
      rule.toFail--;
      rule.hits++;
      operation.fault = rule.fault;
      this.onFault?.(operation);
      return rule.fault;
    }
    return undefined;
  }

  #failure(operation: Operation, errno: string): unknown {
    const error = Object.assign(new Error(`${errno}: injected`), { code: errno });
    const failure = systemFailure(error, operation.kind, operation.path);
    operation.failure = failure;
    return failure;
  }
}

class FaultyFile implements OpenFile {
  readonly path: string;
  readonly #system: FaultyFileSystem;
  readonly #base: OpenFile;
  #isOpen = true;

  constructor(system: FaultyFileSystem, base: OpenFile) {
    this.#system = system;
    this.#base = base;
    this.path = base.path;
  }

  read(target: Uint8Array, position: number): Promise<number> {
    const operation = this.#operation("read", { bytes: target.length, position });
    return this.#system.run(operation, () => this.#base.read(target, position));
  }

  readSync(target: Uint8Array, position: number): number {
    const operation = this.#operation("read", { bytes: target.length, position });
    return this.#system.runSync(operation, () => this.#base.readSync(target, position));
  }

  write(bytes: Uint8Array, position: number): Promise<number> {
    const operation = this.#operation("write", writeOf(bytes, position));
    return this.#system.run(
      operation,
      () => this.#base.write(bytes, position),
      async (count) => (count === 0 ? 0 : this.#base.write(bytes.subarray(0, count), position)),
    );
  }

  writeSync(bytes: Uint8Array, position: number): number {
    const operation = this.#operation("write", writeOf(bytes, position));
    return this.#system.runSync(
      operation,
      () => this.#base.writeSync(bytes, position),
      (count) => (count === 0 ? 0 : this.#base.writeSync(bytes.subarray(0, count), position)),
    );
  }

  size(): Promise<number> {
    return this.#system.run(this.#operation("size"), () => this.#base.size());
  }

  sizeSync(): number {
    return this.#system.runSync(this.#operation("size"), () => this.#base.sizeSync());
  }

  async truncate(length: number): Promise<void> {
    const operation = this.#operation("truncate", { position: length });
    await this.#system.run(operation, () => this.#base.truncate(length));
  }

  async datasync(): Promise<void> {
    await this.#system.run(this.#operation("datasync"), async () => {
      if (this.#system.passesSyncs) await this.#base.datasync();
      // Even the fastest disk gives others a turn.
      else await setImmediate();
    });
  }

  tryLock(kind: "exclusive" | "shared"): boolean {
    return this.#system.runSync(this.#operation("lock"), () => this.#base.tryLock(kind));
  }

  unlock(): void {
    this.#system.runSync(this.#operation("unlock"), () => this.#base.unlock());
  }

  async close(): Promise<void> {
    const operation = this.#operation("close");
    this.#markClosed(operation);
    try {
      await this.#system.run(operation, async () => undefined);
    } finally {
      // A close that fails gives the descriptor back all the same.
      this.#system.closed(this);
      await this.#base.close();
    }
  }

  closeSync(): void {
    const operation = this.#operation("close");
    this.#markClosed(operation);
    try {
      this.#system.runSync(operation, () => undefined);
    } finally {
      this.#system.closed(this);
      this.#base.closeSync();
    }
  }

  /** Closes it as the end of its process does. */
  async abandon(): Promise<void> {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    await this.#base.close();
  }

  #markClosed(operation: Operation): void {
    if (!this.#isOpen) {
      this.#system.closedTwice.push(this.path);
      operation.failure = new Error("closed twice");
      throw operation.failure;
    }
    this.#isOpen = false;
  }

  #operation(kind: OperationKind, details: Partial<Operation> = {}): Operation {
    return this.#system.note(kind, this.path, details);
  }
}

function matches(pattern: Pattern, operation: Operation): boolean {
  const { kind, path, mode, number, where } = pattern;
  if (kind !== undefined) {
    const isKind =
      typeof kind === "string" ? kind === operation.kind : kind.includes(operation.kind);
    if (!isKind) return false;
  }
  if (path !== undefined && !path.test(operation.path)) return false;
  if (mode !== undefined && mode !== operation.mode) return false;
  if (where?.(operation) === false) return false;
  return number === undefined || operation.number >= number;
}

function writeOf(bytes: Uint8Array, position: number) {
  return { bytes: bytes.length, position, isZeros: bytes.every((byte) => byte === 0) };
}
