import assert from "node:assert/strict";
import { vi } from "vitest";
import { SeglogError, type SeglogErrorCode } from "../../src/errors.js";
import { createEnvironment, type LogEnvironment } from "../../src/log/environment.js";
import { OTHER_BOOT } from "../support/crash.js";
import { FaultyFileSystem, type Injection, type Operation } from "../support/faulty-file-system.js";
import { MemoryDisk, syncedOnly } from "../support/memory-disk.js";
import { MemoryFileSystem } from "../support/memory-file-system.js";
import { type CallKind, type Hit, isCausedBy, mustBeTold, objection } from "./contract.js";
import type { FaultKind } from "./faults.js";

/** Turns of the event loop after which what has not happened never will: nothing takes longer. */
const IDLE_TURNS = 40;
/** How many timers may pass while one call waits: a reader looks a hundred times. */
const PATIENCE = 110;
/** Few, so that handles are closed as idle and opened again. */
const MAX_OPEN_FILES = 16;

/** Whether a fault that lasts goes away by itself. */
export type HealsWhen = "never" | "space returns";

/** Calls that do not end at once where a log was given up. */
const MAY_SAY_MORE: readonly CallKind[] = ["read", "follow", "open", "read key", "committed"];

/** How a call ended. */
export type Outcome<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly code: SeglogErrorCode };

/**
 * A disk, its faults, and a witness of all that is asked of seglog on it: each failure is held
 * against the contract at once.
 */
export class World {
  readonly disk: MemoryDisk;
  readonly system: FaultyFileSystem;
  /** What `onError` was told. */
  readonly told: SeglogError[] = [];
  readonly #failures: unknown[] = [];
  readonly #hits: Hit[] = [];
  readonly #calls: CallKind[] = [];
  readonly #unhandled: unknown[] = [];
  #fault: FaultKind | undefined;
  #injection: Injection | undefined;
  readonly #openedAt = new Map<string, number>();
  #healsWhen: HealsWhen = "never";
  #spaceReturnedAt = Number.NaN;
  #now = 1_700_000_000_000;
  /** Where in the operations each directory's, or file's, owner gave up. */
  readonly #poisoned = new Map<string, number>();

  constructor(disk = new MemoryDisk()) {
    this.disk = disk;
    this.system = new FaultyFileSystem(new MemoryFileSystem(disk));
    this.system.onFault = (operation) => this.#suffer(operation);
    process.on("unhandledRejection", this.#onUnhandled);
    process.on("uncaughtException", this.#onUnhandled);
  }

  /** Puts what happens on record that should never happen. */
  readonly #onUnhandled = (error: unknown) => {
    this.#unhandled.push(error);
  };

  readonly onError = (error: SeglogError): void => {
    this.told.push(error);
  };

  /** A process of its own, as far as files are concerned. */
  process(): LogEnvironment {
    const environment = createEnvironment(this.system, MAX_OPEN_FILES, () => this.#now++);
    // The logs of a store share a journal from the first append on.
    const journal = { journalFrom: 0, settleBytes: 600, journalSegmentBytes: 1000 };
    return { ...environment, ...journal, roomFromBytes: 0, roomBytes: 6400 };
  }

  /** Lets time pass, for timers too. */
  async pass(ms: number): Promise<void> {
    this.#now += ms;
    vi.advanceTimersByTime(ms);
    await this.#quiet();
  }

  /** Makes the operation with this number fail, or the first one after it that can. */
  inject(fault: FaultKind, number: number, times: number, healsWhen: HealsWhen = "never"): void {
    this.#fault = fault;
    this.#healsWhen = healsWhen;
    const where = (operation: Operation) => fault.befalls(operation);
    this.#injection = this.system.fail({ number, where }, { ...fault.fault, times });
  }

  /** The disk works from now on. */
  heal(): void {
    this.#injection?.remove();
    this.#injection = undefined;
  }

  /** The moment in a life at which a disk that was full has room again, if it is to have. */
  spaceReturns(): void {
    this.#spaceReturnedAt = this.system.count;
    if (this.#healsWhen === "space returns") this.heal();
  }

  /** How many operations there were before {@link spaceReturns}. */
  get spaceReturnedAt(): number {
    return this.#spaceReturnedAt;
  }

  get isHurt(): boolean {
    return this.#injection !== undefined;
  }

  /** Whether the log in a directory, or a file, was given up. */
  isPoisoned(owner: string): boolean {
    return this.#poisoned.has(owner);
  }

  /** Whatever is there now does not know that it was given up. */
  closed(owner: string): void {
    for (const each of this.#poisoned.keys()) {
      if (each.startsWith(owner)) this.#poisoned.delete(each);
    }
  }

  /** It was opened anew. */
  reopened(owner: string): void {
    this.closed(owner);
    this.#openedAt.set(owner, this.#hits.length);
  }

  /** Calls seglog, and holds a failure against the contract. `owner` is what it may find given up. */
  async call<T>(kind: CallKind, owner: string, run: () => Promise<T>): Promise<Outcome<T>> {
    const before = this.#hits.length;
    const wasPoisoned = this.isPoisoned(owner);
    this.#calls.push(kind);
    try {
      return { ok: true, value: await this.#settled(run(), kind) };
    } catch (error) {
      const hits = {
        sinceOpen: this.#hits.slice(this.#openedAt.get(owner) ?? 0),
        sinceCall: this.#hits.slice(before),
      };
      const wrong =
        this.#fault === undefined
          ? `without any fault: ${(error as Error).stack}`
          : objection(kind, error, this.#fault, hits);
      if (wrong !== undefined) {
        throw new Error(`${kind} failed, but not as promised: ${wrong}`, { cause: error });
      }
      const { code } = error as SeglogError;
      this.#failures.push(error);
      if (code === "LOG_POISONED") this.#notePoison((error as Error).message);
      else if (wasPoisoned && !MAY_SAY_MORE.includes(kind)) {
        throw new Error(`${kind} of a log that was given up says ${code}`, { cause: error });
      }
      return { ok: false, code };
    } finally {
      this.#calls.splice(this.#calls.indexOf(kind), 1);
    }
  }

  /** What is left if power fails now and nothing reaches the disk but what was synced. */
  afterPowerCut(): World {
    const disk = MemoryDisk.from(this.disk.capture(), syncedOnly);
    const world = new World(disk);
    world.system.machine = OTHER_BOOT;
    return world;
  }

  /** Holds the whole life against what must be true of every one. */
  async end(): Promise<void> {
    await this.#quiet();
    this.release();
    assert.deepEqual(this.#unhandled, [], "rejections that nobody handled");
    assert.deepEqual(this.system.openPaths, [], "files left open");
    assert.deepEqual(this.system.closedTwice, [], "files closed twice");
    this.#checkSyncs();
    this.#checkTold();
  }

  /** No longer listens for what nobody handled. */
  release(): void {
    process.off("unhandledRejection", this.#onUnhandled);
    process.off("uncaughtException", this.#onUnhandled);
  }

  #suffer(operation: Operation): void {
    this.#hits.push({ operation, during: [...this.#calls] });
    if (operation.kind !== "datasync") return;
    // Linux: pages that could not be written are clean from now on. The next sync says all is well.
    const node = this.disk.find(operation.path);
    if (node !== undefined) node.state = { ...node.state, changes: [] };
  }

  /** The message begins with the directory, or the file, that takes no more. */
  #notePoison(message: string): void {
    const [owner] = message.split(" takes no more ") as [string];
    if (!this.#poisoned.has(owner)) this.#poisoned.set(owner, this.system.count);
  }

  /** Waits for a promise for as long as anything can still happen; no clock is asked. */
  async #settled<T>(promise: Promise<T>, what: string): Promise<T> {
    let isSettled = false;
    const settle = () => {
      isSettled = true;
    };
    promise.then(settle, settle);
    let seen = -1;
    let timers = PATIENCE;
    for (let idle = 0; !isSettled; idle++) {
      if (idle > IDLE_TURNS) {
        // Nothing but a timer can go on from here.
        if (timers-- === 0 || vi.getTimerCount() === 0) throw new Error(`${what} never settles`);
        vi.advanceTimersToNextTimer();
        idle = 0;
      }
      const { count, inFlight } = this.system;
      if (count !== seen || inFlight > 0) idle = 0;
      seen = count;
      await turn();
    }
    return promise;
  }

  /** Waits until nothing goes on any more. */
  async #quiet(): Promise<void> {
    let seen = -1;
    for (let idle = 0; idle < 4; idle++) {
      if (this.system.count !== seen || this.system.inFlight > 0) idle = 0;
      seen = this.system.count;
      await turn();
    }
  }

  /** A file whose sync failed is never synced again, unless all of its content is new. */
  #checkSyncs(): void {
    const failed = new Map<string, number>();
    for (const { kind, path, mode, number, failure } of this.system.operations) {
      if (kind === "rename" || mode === "create" || mode === "open-or-create") {
        for (const each of failed.keys()) if (each.startsWith(path)) failed.delete(each);
      }
      if (kind !== "datasync") continue;
      assert(!failed.has(path), `${path}: synced again, operation ${number}`);
      if (failure !== undefined) failed.set(path, number);
    }
    for (const [owner, since] of this.#poisoned) {
      const later = this.system.operations.filter(
        ({ kind, path, number }) =>
          kind === "datasync" && number >= since && path.startsWith(owner),
      );
      assert.deepEqual(later, [], `syncs of ${owner}, which was given up`);
    }
  }

  /** The fault that came first did not pass in silence. Later ones may be consequences. */
  #checkTold(): void {
    const [first] = this.#hits;
    if (first === undefined || !mustBeTold(first)) return;
    const everything = [...this.#failures, ...this.told];
    const wasTold = everything.some((error) => this.#hits.some((hit) => isCausedBy(error, hit)));
    const { kind, path, number } = first.operation;
    assert(wasTold, `nobody was told that ${kind} of ${path} (${number}) failed`);
    for (const error of this.told) assert(error instanceof SeglogError);
  }
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
