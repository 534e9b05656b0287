import { dirname } from "node:path";
import { CorruptionError } from "../../errors.js";
import { isMissing } from "../../files/file-errors.js";
import type { FileSystem, OpenFile } from "../../files/file-system.js";
import { readFile, readFully } from "../../files/whole-file.js";
import { PUBLISHED_FILE } from "../../format/file-names.js";
import {
  decodePublishedHeader,
  decodeSlot,
  PUBLISHED_HEADER_BYTES,
  type PublishedEnd,
  SLOT_BYTES,
  slotPosition,
} from "../../format/published-end.js";

/** A reader meets a half-written slot only by rare chance; several times in a row, hardly ever. */
const MAX_ATTEMPTS = 8;
/** Room for more than 800,000 logs. */
const MAX_PUBLISHED_BYTES = 128 * 1024 * 1024;

/** What a living writer says of a log. */
export interface WriterState {
  /** Differs between any two sessions of writers. */
  readonly session: string;
  /** `undefined` if the writer did not open this log. */
  readonly end: PublishedEnd | undefined;
}

/**
 * Reads, from another process, how far a writer lets its readers go. It keeps no file open: a
 * store may have thousands of logs that are read.
 */
export class PublishedReader {
  readonly #fileSystem: FileSystem;
  readonly #path: string;
  readonly #logId: Uint8Array;
  /** Which slot is this log's, and in which session. */
  #known: { readonly session: string; readonly slot: number } | undefined;

  /** @param directory - The one that the writer locks: the log's own, or its store's. */
  constructor(fileSystem: FileSystem, directory: string, logId: Uint8Array) {
    this.#fileSystem = fileSystem;
    this.#path = `${directory}/${PUBLISHED_FILE}`;
    this.#logId = logId;
  }

  /** What the living writer says, or `undefined` if there is no writer. */
  async read(): Promise<WriterState | undefined> {
    const file = await this.#open();
    if (file === undefined) return undefined;
    try {
      // Its writer locks the file before it gets its name, and holds the lock while it lives.
      if (file.tryLock("shared")) return undefined;
      return await this.#readState(file);
    } finally {
      await file.close();
    }
  }

  /** What the last writer published, alive or not. */
  async last(): Promise<PublishedEnd | undefined> {
    const ends = await readLastPublished(this.#fileSystem, dirname(this.#path));
    return ends?.get(Buffer.from(this.#logId).toString("hex"));
  }

  async #open(): Promise<OpenFile | undefined> {
    try {
      return await this.#fileSystem.open(this.#path, "read");
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw error;
    }
  }

  async #readState(file: OpenFile): Promise<WriterState | undefined> {
    const bytes = new Uint8Array(PUBLISHED_HEADER_BYTES);
    const count = await readFully(file, bytes, 0);
    const header = decodePublishedHeader(bytes.subarray(0, count));
    if ("kind" in header) {
      throw new CorruptionError({ file: this.#path, position: 0, reason: header.reason });
    }
    const session = Buffer.from(header.sessionId).toString("hex");
    if (this.#known?.session !== session) {
      const slot = await this.#findSlot(file, header.slotSeed);
      if (slot === undefined) return { session, end: undefined };
      this.#known = { session, slot };
    }
    const pair = new Uint8Array(2 * SLOT_BYTES);
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
      await readFully(file, pair, slotPosition(this.#known.slot));
      const end = newer(pair, header.slotSeed);
      // Sequence 0 is what an earlier writer left; this one has not opened the log.
      if (end !== undefined) return { session, end: end.sequence === 0 ? undefined : end };
    }
    return { session, end: undefined };
  }

  async #findSlot(file: OpenFile, seed: number): Promise<number | undefined> {
    const size = Math.min(await file.size(), MAX_PUBLISHED_BYTES);
    const bytes = new Uint8Array(Math.max(size - PUBLISHED_HEADER_BYTES, 0));
    await readFully(file, bytes, PUBLISHED_HEADER_BYTES);
    for (let slot = 0; slot * 2 * SLOT_BYTES < bytes.length; slot++) {
      const start = slot * 2 * SLOT_BYTES;
      const end = newer(bytes.subarray(start, start + 2 * SLOT_BYTES), seed);
      if (end !== undefined && Buffer.compare(end.logId, this.#logId) === 0) return slot;
    }
    return undefined;
  }
}

/**
 * What the last writer of a directory published of each log, by log id in hexadecimal, alive or
 * not.
 *
 * @returns `undefined` if there is none: the last writer closed properly, or never was.
 */
export async function readLastPublished(
  fileSystem: FileSystem,
  directory: string,
): Promise<ReadonlyMap<string, PublishedEnd> | undefined> {
  let bytes: Uint8Array;
  try {
    const path = `${directory}/${PUBLISHED_FILE}`;
    bytes = await readFile(fileSystem, path, MAX_PUBLISHED_BYTES);
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
  const ends = new Map<string, PublishedEnd>();
  const header = decodePublishedHeader(bytes);
  if ("kind" in header) return ends;
  for (let slot = 0; slotPosition(slot) < bytes.length; slot++) {
    const pair = bytes.subarray(slotPosition(slot), slotPosition(slot + 1));
    const end = newer(pair, header.slotSeed);
    if (end !== undefined) ends.set(Buffer.from(end.logId).toString("hex"), end);
  }
  return ends;
}

/** The valid slot of a pair that was written last. */
function newer(pair: Uint8Array, seed: number): PublishedEnd | undefined {
  const one = decodeSlot(pair.subarray(0, SLOT_BYTES), seed);
  const other = decodeSlot(pair.subarray(SLOT_BYTES), seed);
  if (one === undefined || other === undefined) return one ?? other;
  return one.sequence > other.sequence ? one : other;
}
