import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { DirectoryLock } from "../../files/directory-lock.js";
import type { OpenFile } from "../../files/file-system.js";
import { writeFully, writeFullySync } from "../../files/whole-file.js";
import { PUBLISHED_FILE, TEMPORARY_SUFFIX } from "../../format/file-names.js";
import {
  encodePublishedHeader,
  encodeSlot,
  type PublishedEnd,
  publishedSlotSeed,
  SLOT_BYTES,
  slotPosition,
} from "../../format/published-end.js";
import type { LogEnvironment } from "../environment.js";
import { readLastPublished } from "./published-reader.js";

/**
 * One writer's hold on a directory, be it a log's or a store's: the lock that keeps other writers
 * out, and the file that tells readers in other processes how far they may read.
 */
export class WriterSession {
  readonly #environment: LogEnvironment;
  readonly #directory: string;
  readonly #lock: DirectoryLock;
  readonly #published: OpenFile;
  readonly #slotSeed: number;
  /** By log id, in hexadecimal. */
  readonly #slots = new Map<string, PublishedSlots>();
  /** Of this start of the machine; recorded with the logs, to judge a crash by. */
  readonly bootId: Uint8Array;
  /**
   * Whether the last writer did not close properly: what it left may be in the page cache and
   * nowhere else.
   */
  readonly followsCrash: boolean;
  readonly #lastPublished: ReadonlyMap<string, PublishedEnd>;
  /** Ids of logs in {@link #lastPublished} that this session has not opened. */
  readonly #unopened: Set<string>;

  private constructor(
    environment: LogEnvironment,
    directory: string,
    lock: DirectoryLock,
    published: OpenFile,
    sessionId: Uint8Array,
    bootId: Uint8Array,
    followsCrash: boolean,
    lastPublished: ReadonlyMap<string, PublishedEnd>,
  ) {
    this.#environment = environment;
    this.#directory = directory;
    this.#lock = lock;
    this.#published = published;
    this.#slotSeed = publishedSlotSeed(sessionId);
    this.bootId = bootId;
    this.followsCrash = followsCrash;
    this.#lastPublished = lastPublished;
    this.#unopened = new Set(lastPublished.keys());
    for (const id of lastPublished.keys()) this.#addSlots(id);
  }

  /** @throws SeglogError `LOCKED` if another writer has the directory. */
  static async open(environment: LogEnvironment, directory: string): Promise<WriterSession> {
    const { fileSystem } = environment;
    const lock = await DirectoryLock.acquire(fileSystem, directory);
    try {
      const bootId = await fileSystem.bootId();
      const left = await readLastPublished(fileSystem, directory);
      const lastPublished = left ?? new Map<string, PublishedEnd>();
      const sessionId = new Uint8Array(randomBytes(16));
      const path = join(directory, PUBLISHED_FILE);
      const published = await fileSystem.open(path + TEMPORARY_SUFFIX, "create");
      try {
        // Locked before it gets its name: whoever sees it knows that its writer lives.
        published.tryLock("exclusive");
        const bytes = encodePublished(sessionId, lastPublished);
        await writeFully(published, bytes, 0);
        await fileSystem.rename(path + TEMPORARY_SUFFIX, path);
      } catch (error) {
        await published.close().catch(() => undefined);
        throw error;
      }
      return new WriterSession(
        environment,
        directory,
        lock,
        published,
        sessionId,
        bootId,
        left !== undefined,
        lastPublished,
      );
    } catch (error) {
      await lock.release().catch(() => undefined);
      throw error;
    }
  }

  /** What the session before this one published of a log, if that is still there. */
  lastPublished(logId: Uint8Array): PublishedEnd | undefined {
    return this.#lastPublished.get(Buffer.from(logId).toString("hex"));
  }

  /**
   * Gives a log that was opened its place in the file of published ends: the one that it had
   * before, if it is opened again, for readers look for the first.
   */
  register(logId: Uint8Array): PublishedSlots {
    const id = Buffer.from(logId).toString("hex");
    this.#unopened.delete(id);
    return this.#slots.get(id) ?? this.#addSlots(id);
  }

  #addSlots(id: string): PublishedSlots {
    const position = slotPosition(this.#slots.size);
    const slots = new PublishedSlots(this.#published, position, this.#slotSeed);
    this.#slots.set(id, slots);
    return slots;
  }

  /**
   * Lets others write. From here on, what is on disk speaks for itself; only the last words of a
   * writer that died stay, as long as one of its logs was not brought in order.
   *
   * @param isInOrder - Whether all that was written is on stable storage. If not, the next writer
   *   finds what a crash would leave.
   */
  async close(isInOrder: boolean): Promise<void> {
    if (isInOrder && this.#unopened.size === 0) {
      const path = join(this.#directory, PUBLISHED_FILE);
      await this.#environment.fileSystem.unlink(path).catch(() => undefined);
    }
    try {
      await this.#published.close();
    } finally {
      await this.#lock.release();
    }
  }
}

/**
 * The content of a new session's file. What the session before it published is kept, with sequence
 * 0, since it may be needed to judge what its writer left, once and again until that is in order.
 */
function encodePublished(
  sessionId: Uint8Array,
  lastPublished: ReadonlyMap<string, PublishedEnd>,
): Uint8Array {
  const bytes = new Uint8Array(slotPosition(lastPublished.size));
  bytes.set(encodePublishedHeader(sessionId, process.pid));
  const seed = publishedSlotSeed(sessionId);
  let log = 0;
  for (const end of lastPublished.values()) {
    const start = slotPosition(log++);
    encodeSlot(bytes.subarray(start, start + SLOT_BYTES), { ...end, sequence: 0 }, seed);
  }
  return bytes;
}

/** The two slots of one log, filled in turn so that a reader always finds a whole one. */
export class PublishedSlots {
  readonly #file: OpenFile;
  readonly #position: number;
  readonly #seed: number;
  readonly #slot = new Uint8Array(SLOT_BYTES);
  #sequence = 0;

  constructor(file: OpenFile, position: number, seed: number) {
    this.#file = file;
    this.#position = position;
    this.#seed = seed;
  }

  /**
   * Stores the end for readers in other processes. Eighty bytes into the page cache, never synced:
   * a synchronous write takes a microsecond, a hop to the thread pool many.
   */
  publish(end: Omit<PublishedEnd, "sequence">): void {
    this.#sequence++;
    encodeSlot(this.#slot, { ...end, sequence: this.#sequence }, this.#seed);
    const place = this.#position + (this.#sequence % 2) * SLOT_BYTES;
    writeFullySync(this.#file, this.#slot, place);
  }
}
