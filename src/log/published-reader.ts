import { join } from "node:path";
import { isMissing } from "../files/file-errors.js";
import type { FileSystem, OpenFile } from "../files/file-system.js";
import { readFully } from "../files/whole-file.js";
import { PUBLISHED_FILE } from "../format/file-names.js";
import {
  decodePublishedHeader,
  decodeSlot,
  PUBLISHED_HEADER_BYTES,
  type PublishedEnd,
  SLOT_BYTES,
  slotPosition,
} from "../format/published-end.js";

/** A reader meets a half-written slot only by rare chance; several times in a row, hardly ever. */
const MAX_ATTEMPTS = 8;

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
    this.#path = join(directory, PUBLISHED_FILE);
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
    if ("kind" in header) return undefined;
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
      if (end !== undefined) return { session, end };
    }
    return { session, end: undefined };
  }

  async #findSlot(file: OpenFile, seed: number): Promise<number | undefined> {
    const size = await file.size();
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

/** The valid slot of a pair that was written last. */
function newer(pair: Uint8Array, seed: number): PublishedEnd | undefined {
  const one = decodeSlot(pair.subarray(0, SLOT_BYTES), seed);
  const other = decodeSlot(pair.subarray(SLOT_BYTES), seed);
  if (one === undefined || other === undefined) return one ?? other;
  return one.sequence > other.sequence ? one : other;
}
