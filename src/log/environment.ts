import type { FileSystem } from "../files/file-system.js";
import { HandlePool, MIN_OPEN_FILES } from "../files/handle-pool.js";
import { nodeFileSystem } from "../files/node-file-system.js";
import { openFileLimit } from "../files/open-file-limit.js";
import type { RoomLimits } from "./directory/room.js";
import { BlockCache } from "./memory/block-cache.js";
import { BufferPool } from "./memory/buffer-pool.js";
import { IndexCache } from "./memory/index-cache.js";

/** Open data files of one log, or of all logs of a store, unless an option says otherwise. */
const DEFAULT_MAX_OPEN_FILES = 16_384;
/** The part of what the process may open that they take at most. */
const SHARE_OF_LIMIT = 1 / 2;
/** How many they are where the system does not tell what the process may open. */
const CAREFUL_MAX_OPEN_FILES = 128;

/** To copy as much into the page cache takes less time than a hop to the thread pool and back. */
const SMALL_WRITE_BYTES = 128 * 1024;

/** Enough for the disk to be busy with for a while, and a small part of a segment. */
const SYNC_AHEAD_BYTES = 8 * 1024 * 1024;

/** A few syncs of a length cost less than to write as much again. */
const ROOM_FROM_BYTES = 64 * 1024;
/** Enough for hundreds of small groups. */
const ROOM_BYTES = 1024 * 1024;

/** From so many on, one sync for all costs less than one for each, with what must follow later. */
const JOURNAL_FROM = 8;

/** Long enough that each log has much in it, for each costs a write and a sync. */
const SETTLE_BYTES = 64 * 1024 * 1024;

/** What stands in a journal goes soon: files of this length are gone soon, too. */
const JOURNAL_SEGMENT_BYTES = 16 * 1024 * 1024;

/** What logs take from the world around them, shared by all logs of a store. */
export interface LogEnvironment extends RoomLimits {
  readonly fileSystem: FileSystem;
  readonly pool: HandlePool;
  readonly indexCache: IndexCache;
  readonly blockCache: BlockCache;
  readonly buffers: BufferPool;
  /** Writes to a log that are no longer than this do not leave the event loop. */
  readonly smallWriteBytes: number;
  /** How much a log that acknowledges before it syncs writes until it begins to sync. */
  readonly syncAheadBytes: number;
  /** From so many appends of a store on their way at once on, its logs share a journal. */
  readonly journalFrom: number;
  /** Length from which on what stands in a journal is moved to the logs' own segments. */
  readonly settleBytes: number;
  readonly journalSegmentBytes: number;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** Milliseconds since some moment; nobody can set this clock. */
  readonly monotonicNow: () => number;
}

/**
 * The real world, or the one of a test.
 *
 * @param monotonicNow - Default: the clock that `now` reads, if a test gives that.
 */
export function createEnvironment(
  fileSystem: FileSystem = nodeFileSystem,
  maxOpenFiles = defaultMaxOpenFiles(),
  now: () => number = Date.now,
  monotonicNow: () => number = now === Date.now ? () => performance.now() : now,
): LogEnvironment {
  return {
    fileSystem,
    pool: new HandlePool(fileSystem, maxOpenFiles),
    indexCache: new IndexCache(),
    blockCache: new BlockCache(),
    buffers: new BufferPool(),
    smallWriteBytes: SMALL_WRITE_BYTES,
    syncAheadBytes: SYNC_AHEAD_BYTES,
    roomFromBytes: ROOM_FROM_BYTES,
    roomBytes: ROOM_BYTES,
    journalFrom: JOURNAL_FROM,
    settleBytes: SETTLE_BYTES,
    journalSegmentBytes: JOURNAL_SEGMENT_BYTES,
    now,
    monotonicNow,
  };
}

function defaultMaxOpenFiles(): number {
  const limit = openFileLimit();
  if (limit === undefined) return CAREFUL_MAX_OPEN_FILES;
  const share = Math.floor(limit * SHARE_OF_LIMIT);
  return Math.max(MIN_OPEN_FILES, Math.min(share, DEFAULT_MAX_OPEN_FILES));
}
