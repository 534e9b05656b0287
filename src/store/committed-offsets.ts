import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { SeglogError } from "../errors.js";
import { replaceFile } from "../files/atomic-file.js";
import { isHandleShortage } from "../files/file-errors.js";
import type { FileSystem, OpenFile } from "../files/file-system.js";
import { writeFully } from "../files/whole-file.js";
import { type CheckpointEntry, encodeFrame, frameChecksum } from "../format/checkpoint-frame.js";
import { CHECKPOINT_FILE } from "../format/file-names.js";
import type { ResolvedLogOptions } from "../log/options.js";
import {
  applyEntries,
  type CommittedOffset,
  type CommittedState,
  encodeSnapshot,
  groupsOf,
  keepDamagedCheckpoint,
  type LoadedCheckpoint,
  MAX_EPOCH,
  type NamedProducer,
  type OpenedProducer,
} from "./checkpoint-file.js";
import { Outlook } from "./outlook.js";

/** A checkpoint shorter than this is not worth rewriting. */
const MIN_REWRITE_BYTES = 64 * 1024;
/** The file is rewritten when it is this many times as long as its last snapshot. */
const REWRITE_FACTOR = 4;

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
 * The committed offsets of all groups of a store, in memory and in the checkpoint file. Calls that
 * wait together share one write and one sync; what a call costs does not depend on how many keys
 * there are.
 *
 * The first change of a session writes a snapshot to a new file: what an earlier process left
 * behind may be torn, or be in the page cache and nowhere else.
 */
export class CommittedOffsets {
  readonly #fileSystem: FileSystem;
  readonly #directory: string;
  readonly #storeId: Uint8Array;
  readonly #options: ResolvedLogOptions;
  readonly #state: CommittedState;
  readonly #producers: Map<string, NamedProducer>;
  #loaded: LoadedCheckpoint | undefined;
  #file: OpenFile | undefined;
  #endPosition = 0;
  #snapshotBytes = 0;
  #checksum = 0;
  #unsynced = false;
  /** Whether a snapshot has taken the file's name and that is not known to be durable. */
  #isNameUnsynced = false;
  #requests: Request[] = [];
  #running: Promise<void> | undefined;
  #poison: SeglogError | undefined;
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
    this.#fileSystem = fileSystem;
    this.#directory = directory;
    this.#storeId = storeId;
    this.#options = options;
    this.#loaded = loaded;
    this.#state = loaded.state;
    this.#producers = loaded.producers;
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
    if (isIdle && !this.#unsynced && this.areWithin(key, logId, endOffset)) return;
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
  async secure(): Promise<void> {
    await this.#rewrite();
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
    await this.#file?.close().catch(note);
    this.#file = undefined;
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
    if (this.#poison !== undefined) throw this.#poison;
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
    if (changes.length > 0 || (mustSync && this.#isNameUnsynced)) {
      const file = this.#file ?? (await this.#rewrite());
      if (changes.length > 0) await this.#append(file, changes);
    }
    if (this.#unsynced && mustSync) await this.#sync();
    for (const entries of changes) applyEntries(this.#state, this.#producers, entries);
    if (this.#unsynced && this.#options.durability === "interval") this.#scheduleFlush();
    if (this.#endPosition > Math.max(MIN_REWRITE_BYTES, REWRITE_FACTOR * this.#snapshotBytes)) {
      await this.#rewrite().catch((error: SeglogError) => this.#options.onError(error));
    }
  }

  /** Writes a frame for each list of entries, or leaves the file as it was. */
  async #append(file: OpenFile, changes: readonly (readonly CheckpointEntry[])[]): Promise<void> {
    let checksum = this.#checksum;
    const frames = changes.map((entries) => {
      const frame = encodeFrame(entries, checksum);
      checksum = frameChecksum(frame);
      return frame;
    });
    const bytes = frames.length === 1 ? frames[0]! : Buffer.concat(frames);
    try {
      this.#unsynced = true;
      await writeFully(file, bytes, this.#endPosition);
    } catch (error) {
      if (!(error instanceof SeglogError) || error.code !== "NO_SPACE") throw this.#fail(error);
      try {
        await file.truncate(this.#endPosition);
      } catch (second) {
        throw this.#fail(second);
      }
      throw error;
    }
    this.#checksum = checksum;
    this.#endPosition += bytes.length;
  }

  async #sync(): Promise<void> {
    try {
      this.#unsynced = false;
      await this.#file?.datasync();
    } catch (error) {
      throw this.#fail(error);
    }
  }

  /** Replaces the file by a snapshot of the state and goes on behind it. */
  async #rewrite(): Promise<OpenFile> {
    const fileSystem = this.#fileSystem;
    if (this.#loaded?.damage !== undefined) {
      await keepDamagedCheckpoint(fileSystem, this.#directory, this.#loaded);
    }
    // Set from the moment that the old file has no name any more: nothing written to it counts.
    let replaced: { readonly file: OpenFile | undefined } | undefined;
    let isDurable = false;
    try {
      const path = join(this.#directory, CHECKPOINT_FILE);
      const onRenamed = () => {
        replaced = { file: this.#file };
        this.#file = undefined;
        // Kept aside by now; another attempt would keep the snapshot in its place.
        this.#loaded = undefined;
        this.#isNameUnsynced = true;
      };
      const { bytes, checksum } = encodeSnapshot(this.#storeId, this.#state, this.#producers);
      await replaceFile(fileSystem, path, bytes, onRenamed);
      isDurable = true;
      this.#isNameUnsynced = false;
      this.#endPosition = bytes.length;
      this.#snapshotBytes = bytes.length;
      this.#checksum = checksum;
      this.#unsynced = false;
      // Without a handle the next change makes another snapshot.
      this.#file = await fileSystem.open(path, "update");
      return this.#file;
    } catch (error) {
      // Without a handle no sync of the directory was tried, so the next one can be believed.
      const isRetryable =
        isHandleShortage(error) ||
        ((replaced === undefined || isDurable) &&
          error instanceof SeglogError &&
          error.code === "NO_SPACE");
      throw isRetryable ? error : this.#fail(error);
    } finally {
      // All that it held is in the snapshot.
      await replaced?.file?.close().catch(() => undefined);
    }
  }

  #scheduleFlush(): void {
    if (this.#isClosed) return;
    this.#flushTimer ??= setTimeout(() => {
      this.#flushTimer = undefined;
      this.flush().catch((error: SeglogError) => this.#options.onError(error));
    }, this.#options.flushIntervalMs).unref();
  }

  #fail(cause: unknown): SeglogError {
    this.#poison ??= new SeglogError(
      "LOG_POISONED",
      `${join(this.#directory, CHECKPOINT_FILE)} takes no more commits: ` +
        `${(cause as Error).message} Close the store and open it again.`,
      { cause },
    );
    return this.#poison;
  }
}
