import { randomBytes } from "node:crypto";
import { SeglogError } from "../errors.js";
import type { FileSystem } from "../files/file-system.js";
import type { CheckpointEntry } from "../format/checkpoint-frame.js";
import type { ResolvedLogOptions } from "../log/options.js";
import {
  applyEntries,
  type CommittedOffset,
  type CommittedState,
  encodeSnapshot,
  groupsOf,
  type LoadedCheckpoint,
  MAX_EPOCH,
  type NamedProducer,
  type OpenedProducer,
} from "./checkpoint-file.js";
import { CheckpointWriter } from "./checkpoint-writer.js";
import { Outlook } from "./outlook.js";

/** How the entries of one call are to be understood. */
export type CommitMode = "advance" | "set";

interface Request {
  /** The entries to write, given the offsets as they are by then; often all, or none. */
  readonly choose: (ahead: Outlook) => readonly CheckpointEntry[];
  /** Whether to sync before answering. */
  readonly sync: boolean;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/**
 * The committed offsets of all groups of a store, and the producers that were opened: in memory,
 * and in the checkpoint file. Calls that wait together share one write and one sync; what a call
 * costs does not depend on how many keys there are. A change is seen in memory when it is as safe
 * as it has to be.
 */
export class CommittedOffsets {
  readonly #directory: string;
  readonly #options: ResolvedLogOptions;
  readonly #state: CommittedState;
  readonly #producers: Map<string, NamedProducer>;
  readonly #checkpoint: CheckpointWriter;
  #requests: Request[] = [];
  #running: Promise<void> | undefined;
  #flushTimer: NodeJS.Timeout | undefined;
  #isClosed = false;
  /** Producers are opened one after the other: each gets the epoch behind the last one's. */
  #opening: Promise<unknown> = Promise.resolve();

  constructor(
    fileSystem: FileSystem,
    directory: string,
    storeId: Uint8Array,
    options: ResolvedLogOptions,
    loaded: LoadedCheckpoint,
  ) {
    this.#directory = directory;
    this.#options = options;
    this.#state = loaded.state;
    this.#producers = loaded.producers;
    const takeSnapshot = () => encodeSnapshot(storeId, this.#state, this.#producers);
    this.#checkpoint = new CheckpointWriter(fileSystem, directory, loaded, takeSnapshot);
  }

  /** The producers that were opened, by name. */
  get producers(): ReadonlyMap<string, NamedProducer> {
    return this.#producers;
  }

  /** Names of the groups that have committed anything. */
  groups(): string[] {
    return groupsOf(this.#state);
  }

  /** What `group` has committed of each key, also of logs that are no more. */
  of(group: string): ReadonlyMap<string, CommittedOffset> {
    return this.#state.get(group) ?? new Map();
  }

  /**
   * Records changes, all of one call or none.
   *
   * @param mode - `"advance"` leaves out what would move an offset back.
   * @throws SeglogError `NO_SPACE`, `LOG_POISONED`, `CLOSED`.
   */
  apply(
    entries: readonly CheckpointEntry[],
    mode: CommitMode,
    sync = this.#options.durability === "always",
  ): Promise<void> {
    return this.#request(
      (ahead) => (mode === "set" ? entries : entries.filter((entry) => ahead.isAdvance(entry))),
      sync,
    );
  }

  /**
   * Opens a producer anew: with its id if there was one of that name, in the next epoch. It is on
   * stable storage when this resolves.
   *
   * @throws As {@link apply}.
   */
  openProducer(name: string): Promise<OpenedProducer> {
    const opened = this.#opening.then(() => this.#openProducer(name));
    this.#opening = opened.catch(() => undefined);
    return opened;
  }

  async #openProducer(name: string): Promise<OpenedProducer> {
    const last = this.#producers.get(name);
    const { id, nextEpoch: epoch } =
      last === undefined || last.nextEpoch === MAX_EPOCH
        ? { id: randomBytes(8).readBigUInt64LE(), nextEpoch: 0 }
        : last;
    const nextEpoch = epoch + 1;
    await this.apply([{ kind: "producer opened", name, id, epoch, nextEpoch }], "set", true);
    return { id, epoch };
  }

  /** Takes over producers of another store; to be called before any is opened. */
  adoptProducers(producers: ReadonlyMap<string, NamedProducer>): Promise<void> {
    const entries = [...producers].map(
      ([name, producer]) => ({ kind: "producer opened", name, ...producer }) as const,
    );
    return this.apply(entries, "set", true);
  }

  /** Whether no offset of a log of `key` lies past `endOffset`. */
  areWithin(key: string, logId: string, endOffset: number): boolean {
    return new Outlook(this.#state).beyond(key, logId, endOffset).length === 0;
  }

  /**
   * Brings back offsets of `key` that lie past the end of its log: it lost unsynced records, or was
   * truncated. That goes for commits that are on their way, too, and it is durable whatever the
   * policy: a power cut must not bring back an offset that the log gives out again, nor one that
   * was taken back before by a seek which is not on stable storage yet.
   */
  async clamp(key: string, logId: string, endOffset: number): Promise<void> {
    const choose = (ahead: Outlook) => ahead.beyond(key, logId, endOffset);
    const isIdle = this.#running === undefined && this.#requests.length === 0;
    if (isIdle && !this.#checkpoint.isUnsynced && this.areWithin(key, logId, endOffset)) return;
    await this.#request(choose, true);
  }

  #request(choose: Request["choose"], sync: Request["sync"]): Promise<void> {
    if (this.#isClosed) {
      const message = `${this.#directory} is closed. Open it again.`;
      return Promise.reject(new SeglogError("CLOSED", message));
    }
    return new Promise((resolve, reject) => {
      this.#requests.push({ choose, sync, resolve, reject });
      this.#running ??= this.#drain();
    });
  }

  /**
   * Writes what was loaded to a new file; it is on stable storage when this resolves. To be called
   * before anything else, after a writer that did not close properly.
   */
  secure(): Promise<void> {
    return this.#checkpoint.rewrite();
  }

  /** Resolves when everything applied before this call is on stable storage. */
  flush(): Promise<void> {
    return this.apply([], "set", true);
  }

  /** Writes and syncs what was applied. Whoever comes later is refused. */
  async close(): Promise<void> {
    clearTimeout(this.#flushTimer);
    const flushed = this.flush();
    this.#isClosed = true;
    const failures: unknown[] = [];
    const note = (error: unknown) => failures.push(error);
    await flushed.catch(note);
    await this.#checkpoint.close().catch(note);
    if (failures.length > 0) throw failures[0];
  }

  async #drain(): Promise<void> {
    // Calls made in the same turn share the first write.
    await Promise.resolve();
    while (this.#requests.length > 0) {
      const requests = this.#requests;
      this.#requests = [];
      try {
        await this.#write(requests);
        for (const request of requests) request.resolve();
      } catch (error) {
        for (const request of requests) request.reject(error);
      }
    }
    this.#running = undefined;
  }

  async #write(requests: readonly Request[]): Promise<void> {
    const ahead = new Outlook(this.#state);
    const changes: (readonly CheckpointEntry[])[] = [];
    let mustSync = false;
    for (const { choose, sync } of requests) {
      const entries = choose(ahead);
      mustSync ||= sync;
      if (entries.length === 0) continue;
      ahead.apply(entries);
      changes.push(entries);
    }
    await this.#checkpoint.write(changes, mustSync);
    for (const entries of changes) applyEntries(this.#state, this.#producers, entries);
    const { isUnsynced, isOvergrown } = this.#checkpoint;
    if (isUnsynced && this.#options.durability === "interval") this.#scheduleFlush();
    if (isOvergrown) {
      await this.#checkpoint.rewrite().catch((error: SeglogError) => this.#options.onError(error));
    }
  }

  #scheduleFlush(): void {
    if (this.#isClosed) return;
    this.#flushTimer ??= setTimeout(() => {
      this.#flushTimer = undefined;
      this.flush().catch((error: SeglogError) => this.#options.onError(error));
    }, this.#options.flushIntervalMs).unref();
  }
}
