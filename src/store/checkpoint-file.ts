import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { SeglogError } from "../errors.js";
import { prepareFile } from "../files/atomic-file.js";
import { isMissing } from "../files/file-errors.js";
import type { FileSystem } from "../files/file-system.js";
import { readFile, writeFully } from "../files/whole-file.js";
import {
  type CheckpointEntry,
  decodeCheckpointHeader,
  decodeFrame,
  ENDS_INSIDE,
  encodeCheckpointHeader,
  encodeFrame,
  frameChecksum,
} from "../format/checkpoint-frame.js";
import { CHECKPOINT_FILE, CUT_MARK } from "../format/file-names.js";
import { hasZeroSector } from "../log/recovery/lost-sectors.js";

/** More than this no checkpoint takes: it is rewritten long before. */
const MAX_CHECKPOINT_BYTES = 1024 * 1024 * 1024;
/** Entries of a snapshot that share a frame. */
const SNAPSHOT_FRAME_ENTRIES = 4096;

/** What a group has committed of a key. */
export interface CommittedOffset {
  /** The log of that key, see `CheckpointEntry`; of another one it says nothing. */
  readonly logId: string;
  /** The next offset to read. */
  readonly next: number;
}

/** Groups, and what they have committed of each key. Maps, since names come from outside. */
export type CommittedState = Map<string, Map<string, CommittedOffset>>;

/** A producer as it was opened. */
export interface OpenedProducer {
  /** The same each time, but that after 2^32 epochs there is another. */
  readonly id: bigint;
  /** Higher each time. */
  readonly epoch: number;
}

/** A producer as it was opened last, see `CheckpointEntry`. */
export interface NamedProducer extends OpenedProducer {
  readonly nextEpoch: number;
}

/** Nobody opens a producer so often that a damaged file could have lost as many epochs. */
const DOUBTFUL_EPOCHS = 2 ** 20;
/** Epochs of producers have 32 bits. */
export const MAX_EPOCH = 2 ** 32 - 1;

/** What was found in a checkpoint file. */
export interface LoadedCheckpoint {
  readonly state: CommittedState;
  /** By name. */
  readonly producers: Map<string, NamedProducer>;
  /** Length of the part that is valid; 0 without a usable header. */
  readonly validBytes: number;
  readonly fileBytes: number;
  /** Why the rest is not used; `undefined` if there is none. */
  readonly damage: string | undefined;
  /** Whether that is what a crash leaves of a frame: the file ends inside it, or sectors are zeros. */
  readonly isTorn: boolean;
}

/**
 * Reads the checkpoint as far as it is valid; a missing or damaged one never keeps a store from
 * opening, since with less of it a group only sees records again. Producers whose epochs may be
 * lost skip some; one whose name is lost gets another id when it is opened.
 *
 * @throws SeglogError `UNSUPPORTED_FORMAT` for one of a newer version.
 */
export async function loadCheckpoint(
  fileSystem: FileSystem,
  directory: string,
  storeId: Uint8Array,
): Promise<LoadedCheckpoint> {
  const path = join(directory, CHECKPOINT_FILE);
  let bytes: Uint8Array;
  try {
    bytes = await readFile(fileSystem, path, MAX_CHECKPOINT_BYTES);
  } catch (error) {
    if (!isMissing(error)) throw error;
    return nothing(0, undefined);
  }
  const fileBytes = bytes.length;
  const header = decodeCheckpointHeader(bytes);
  if ("kind" in header) {
    if (header.kind === "damaged") {
      return nothing(fileBytes, header.reason);
    }
    throw unsupported(path, header.reason);
  }
  if (Buffer.compare(header.storeId, storeId) !== 0) {
    return nothing(fileBytes, "the checkpoint is another store's");
  }
  const state: CommittedState = new Map();
  const producers = new Map<string, NamedProducer>();
  let position = header.headerLength;
  let previous = header.checksum;
  for (;;) {
    const frame = decodeFrame(bytes, position, previous);
    if (frame === undefined || typeof frame === "string") {
      const isTorn = frame === ENDS_INSIDE || hasZeroSector(bytes.subarray(position), position);
      if (frame !== undefined) skipDoubtfulEpochs(producers);
      return { state, producers, validBytes: position, fileBytes, damage: frame, isTorn };
    }
    if ("kind" in frame) throw unsupported(path, frame.reason);
    applyEntries(state, producers, frame.entries);
    position += frame.length;
    previous = frame.checksum;
  }
}

/** What is not read any more may have said of later epochs, and no epoch is given twice. */
function skipDoubtfulEpochs(producers: Map<string, NamedProducer>): void {
  for (const [name, producer] of producers) {
    const nextEpoch = Math.min(producer.nextEpoch + DOUBTFUL_EPOCHS, MAX_EPOCH);
    producers.set(name, { ...producer, nextEpoch });
  }
}

function nothing(fileBytes: number, damage: string | undefined): LoadedCheckpoint {
  const state: CommittedState = new Map();
  return { state, producers: new Map(), validBytes: 0, fileBytes, damage, isTorn: false };
}

function unsupported(path: string, reason: string): SeglogError {
  return new SeglogError(
    "UNSUPPORTED_FORMAT",
    `${path}: ${reason} is of a newer seglog. Open the store with that version.`,
  );
}

/** Names of the groups that have committed anything. */
export function groupsOf(state: CommittedState): string[] {
  return [...state].filter(([, offsets]) => offsets.size > 0).map(([group]) => group);
}

/** Brings `state` and `producers` up to date with `entries`. */
export function applyEntries(
  state: CommittedState,
  producers: Map<string, NamedProducer>,
  entries: readonly CheckpointEntry[],
): void {
  for (const entry of entries) {
    if (entry.kind === "committed") {
      const { key, logId, next } = entry;
      const group = state.get(entry.group);
      if (group === undefined) state.set(entry.group, new Map([[key, { logId, next }]]));
      else group.set(key, { logId, next });
    } else if (entry.kind === "key deleted") {
      for (const group of state.values()) group.delete(entry.key);
    } else {
      const { name, id, epoch, nextEpoch } = entry;
      producers.set(name, { id, epoch, nextEpoch });
    }
  }
}

/** A whole checkpoint file. */
export interface Snapshot {
  readonly bytes: Uint8Array;
  /** What the next frame's checksum starts from. */
  readonly checksum: number;
}

/** Encodes a checkpoint that holds just `state` and `producers`. */
export function encodeSnapshot(
  storeId: Uint8Array,
  state: CommittedState,
  producers: ReadonlyMap<string, NamedProducer>,
): Snapshot {
  const header = encodeCheckpointHeader(storeId, randomBytes(16));
  const pieces = [header];
  let checksum = frameChecksum(header);
  let entries: CheckpointEntry[] = [];
  const close = () => {
    const frame = encodeFrame(entries, checksum);
    checksum = frameChecksum(frame);
    pieces.push(frame);
    entries = [];
  };
  const add = (entry: CheckpointEntry) => {
    entries.push(entry);
    if (entries.length === SNAPSHOT_FRAME_ENTRIES) close();
  };
  for (const [group, offsets] of state) {
    for (const [key, { logId, next }] of offsets)
      add({ kind: "committed", group, key, logId, next });
  }
  for (const [name, producer] of producers) add({ kind: "producer opened", name, ...producer });
  if (entries.length > 0) close();
  return { bytes: Buffer.concat(pieces), checksum };
}

/** Keeps a copy of a checkpoint that is not valid to its end, before it is replaced. */
export async function keepDamagedCheckpoint(
  fileSystem: FileSystem,
  directory: string,
  loaded: LoadedCheckpoint,
): Promise<string> {
  const source = join(directory, CHECKPOINT_FILE);
  const copy = `${source}${CUT_MARK}${loaded.validBytes}-${loaded.fileBytes}`;
  const bytes = await readFile(fileSystem, source, MAX_CHECKPOINT_BYTES);
  const temporary = await prepareFile(fileSystem, copy, (file) => writeFully(file, bytes, 0));
  await fileSystem.rename(temporary, copy);
  return copy;
}
