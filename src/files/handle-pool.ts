import { isHandleShortage } from "./file-errors.js";
import type { FileSystem, OpenFile } from "./file-system.js";

/** Short-lived handles (metadata, indexes, new segments) that may be open beside the pooled ones. */
const TRANSIENT_HANDLES = 8;
/** Fewer than this could not serve even one log. */
export const MIN_OPEN_FILES = 16;
/** Where the process has fewer handles than the pool may take, it makes do with this part of them. */
const SHARE_OF_SHORTAGE = 3 / 4;

/**
 * Bounds how many data files are open at once. Files are opened when they are used and closed, the
 * longest idle first, when another needs the room.
 *
 * Whoever holds a file never waits for a second one, so that holders always make progress.
 */
export class HandlePool {
  readonly fileSystem: FileSystem;
  #limit: number;
  /** Places taken: by files that are open, being opened, or being closed. */
  #openCount = 0;
  #transient = 0;
  /** Open files that nobody uses, the longest idle first. */
  readonly #idle = new Set<PooledFile>();
  readonly #waitingForRoom: (() => void)[] = [];
  /** Idle files that are being synced or closed to make room. */
  #evictions = 0;
  /** Files that are being closed with nobody waiting for it. */
  readonly #discarded = new Set<Promise<void>>();
  readonly #waitingForTransient: (() => void)[] = [];

  /** @param maxOpenFiles - At least {@link MIN_OPEN_FILES}. */
  constructor(fileSystem: FileSystem, maxOpenFiles: number) {
    this.fileSystem = fileSystem;
    this.#limit = maxOpenFiles - TRANSIENT_HANDLES;
  }

  /** How many pooled files are open now, or about to be, or not quite closed. */
  get openCount(): number {
    return this.#openCount;
  }

  /**
   * Runs something that opens a handle or two and closes them again, waiting while too many others
   * do. Nobody may wait here while holding a pooled file.
   */
  async transient<T>(run: () => Promise<T>): Promise<T> {
    if (this.#transient === TRANSIENT_HANDLES) {
      await new Promise<void>((resolve) => this.#waitingForTransient.push(resolve));
    } else {
      this.#transient++;
    }
    try {
      return await run();
    } finally {
      const next = this.#waitingForTransient.shift();
      if (next === undefined) this.#transient--;
      else next();
    }
  }

  /** @internal Takes a place for one open file, in the order of the calls. */
  async reserve(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#waitingForRoom.push(resolve);
      this.#makeRoom();
    });
  }

  /** @internal As {@link reserve}, but rather goes over the limit by one than wait. */
  reserveSync(): void {
    if (this.#openCount >= this.#limit) this.#closeCleanIdle(1);
    this.#openCount++;
  }

  /** @internal Gives a place back, once its file is closed. */
  giveBack(): void {
    this.#openCount--;
    this.#makeRoom();
  }

  /** @internal */
  markIdle(file: PooledFile): void {
    this.#idle.add(file);
    this.#makeRoom();
  }

  /** @internal */
  markUsed(file: PooledFile): void {
    this.#idle.delete(file);
  }

  /**
   * @internal Makes do with fewer files, since the process got no handle for another one.
   *
   * @returns Whether one was closed, so that trying again may help.
   */
  async shrink(): Promise<boolean> {
    this.#lowerLimit();
    const before = this.#openCount;
    for (const file of [...this.#idle]) {
      if (this.#openCount <= this.#limit) break;
      await file.closeIdle().catch(() => undefined);
    }
    return this.#openCount < before;
  }

  /** @internal As {@link shrink}, without a turn of the event loop: of clean files alone. */
  shrinkSync(): boolean {
    this.#lowerLimit();
    return this.#closeCleanIdle(this.#openCount - this.#limit);
  }

  /**
   * Closes up to so many idle files that need no sync first, the longest idle first.
   *
   * @returns Whether it closed one.
   */
  #closeCleanIdle(most: number): boolean {
    let closed = 0;
    for (const file of this.#idle) {
      if (closed >= most) break;
      if (file.hasUnsyncedWrites) continue;
      file.closeIdleSync();
      closed++;
    }
    return closed > 0;
  }

  #lowerLimit(): void {
    const fewer = Math.floor(this.#openCount * SHARE_OF_SHORTAGE);
    this.#limit = Math.min(this.#limit, Math.max(fewer, MIN_OPEN_FILES - TRANSIENT_HANDLES));
  }

  /** @internal Takes note of a file that is being closed, where nobody cares how that goes. */
  discard(closing: Promise<void>): void {
    const ended = closing
      .catch(() => undefined)
      .finally(() => {
        this.#discarded.delete(ended);
      });
    this.#discarded.add(ended);
  }

  /** Resolves when every file that was discarded by now is closed. */
  async discardsDone(): Promise<void> {
    await Promise.all(this.#discarded);
  }

  /** Gives free places to those who wait, and closes an idle file for each that gets none. */
  #makeRoom(): void {
    while (this.#waitingForRoom.length > 0 && this.#openCount < this.#limit) {
      this.#openCount++;
      this.#waitingForRoom.shift()!();
    }
    while (this.#waitingForRoom.length > this.#evictions) {
      const victim = this.#chooseVictim();
      if (victim === undefined) return;
      this.#evictions++;
      // All that was written through it is synced, so a failure to close it tells nothing.
      const ended = () => {
        this.#evictions--;
        this.#makeRoom();
      };
      victim.closeIdle().then(ended, ended);
    }
  }

  /** Clean files first: closing one with unsynced writes costs a sync. */
  #chooseVictim(): PooledFile | undefined {
    let oldest: PooledFile | undefined;
    for (const file of this.#idle) {
      if (!file.hasUnsyncedWrites) return file;
      oldest ??= file;
    }
    return oldest;
  }
}

/**
 * A file that is opened when it is used. Users pin it with {@link acquire} and give it back with
 * {@link release}; while it is pinned it stays open.
 */
export class PooledFile {
  readonly path: string;
  readonly #pool: HandlePool;
  readonly #mode: "read" | "update";
  #file: OpenFile | undefined;
  #opening: Promise<void> | undefined;
  #closing: Promise<void> = Promise.resolve();
  #pins = 0;
  #closed = false;
  /** A writer sets it before a write and clears it before a sync that succeeds. */
  hasUnsyncedWrites = false;
  /**
   * Syncs the file or else poisons its log; never fails. Closing a file with unsynced writes would
   * lose the error that a later sync would have told.
   */
  syncBeforeClose: (() => Promise<void>) | undefined;

  constructor(pool: HandlePool, path: string, mode: "read" | "update") {
    this.#pool = pool;
    this.path = path;
    this.#mode = mode;
  }

  /** Pins the file, opening it if it is closed. Every call needs a {@link release}. */
  async acquire(): Promise<OpenFile> {
    // It may be closed again, by its owner or as idle, between the opening and here.
    while (this.#file === undefined) {
      this.#opening ??= this.#open().finally(() => {
        this.#opening = undefined;
      });
      await this.#opening;
    }
    this.#pin();
    return this.#file;
  }

  /** The file if it is open, not pinned: for use before the next turn of the event loop. */
  get openFile(): OpenFile | undefined {
    return this.#file;
  }

  /** As {@link acquire}, of a file that is open; `undefined` if it is not. */
  acquireOpen(): OpenFile | undefined {
    if (this.#file !== undefined) this.#pin();
    return this.#file;
  }

  /** As {@link acquire}, blocking the event loop while the file is opened. */
  acquireSync(): OpenFile {
    while (this.#file === undefined) {
      this.#pool.reserveSync();
      try {
        this.#file = this.#pool.fileSystem.openSync(this.path, this.#mode);
      } catch (error) {
        this.#pool.giveBack();
        if (!isHandleShortage(error) || !this.#pool.shrinkSync()) throw error;
      }
    }
    this.#pin();
    return this.#file;
  }

  release(): void {
    this.#pins--;
    if (this.#pins > 0 || this.#file === undefined) return;
    if (this.#closed) this.discard();
    else this.#pool.markIdle(this);
  }

  /** Closes the file for good, at once or when its last user releases it; syncs nothing. */
  async close(): Promise<void> {
    this.#closed = true;
    if (this.#opening !== undefined) await this.#opening.catch(() => undefined);
    if (this.#pins === 0) await this.#closeNow();
  }

  /**
   * Closes a file that was only read, where nobody cares how that goes: at once if nobody uses it,
   * for one who reads synchronously gives the event loop no turn in which it could be done.
   */
  discard(): void {
    if (this.#file === undefined || this.#pins > 0) {
      this.#pool.discard(this.close());
      return;
    }
    this.#closed = true;
    try {
      this.closeIdleSync();
    } catch {
      // Nothing was written through it.
    }
  }

  /**
   * @internal Called by the pool, which needs the room. The file stays open if somebody used it or
   * wrote to it meanwhile.
   */
  async closeIdle(): Promise<void> {
    if (this.hasUnsyncedWrites) {
      this.#pin();
      // Cleared before the sync: a write that starts during it sets it again.
      this.hasUnsyncedWrites = false;
      await this.syncBeforeClose?.();
      this.#pins--;
      if (this.#pins === 0 && this.hasUnsyncedWrites && !this.#closed) {
        this.#pool.markIdle(this);
        return;
      }
    }
    if (this.#pins === 0) await this.#closeNow();
  }

  /** @internal */
  closeIdleSync(): void {
    const file = this.#file;
    this.#file = undefined;
    this.#pool.markUsed(this);
    try {
      file?.closeSync();
    } finally {
      this.#pool.giveBack();
    }
  }

  #pin(): void {
    if (this.#pins === 0) this.#pool.markUsed(this);
    this.#pins++;
  }

  /**
   * Opens the file, unless a synchronous reader does so meanwhile, or another one had to be closed
   * first: then it is tried again.
   */
  async #open(): Promise<void> {
    await this.#pool.reserve();
    try {
      if (this.#file === undefined) {
        const file = await this.#pool.fileSystem.open(this.path, this.#mode);
        if (this.#file === undefined) {
          this.#file = file;
          return;
        }
        await file.close().catch(() => undefined);
      }
    } catch (error) {
      this.#pool.giveBack();
      if (isHandleShortage(error) && (await this.#pool.shrink())) return;
      throw error;
    }
    this.#pool.giveBack();
  }

  /** Closes the file, or waits until somebody else has closed it. */
  #closeNow(): Promise<void> {
    const file = this.#file;
    if (file === undefined) return this.#closing;
    this.#file = undefined;
    this.#pool.markUsed(this);
    this.#closing = file.close().finally(() => this.#pool.giveBack());
    return this.#closing;
  }
}
