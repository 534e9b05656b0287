import { crc32 } from "node:zlib";
import {
  changedContent,
  changedNames,
  type DirectoryState,
  type DiskImage,
  type FileState,
  MemoryDisk,
  type MemoryNode,
  resized,
} from "../support/memory-disk.js";
import type { Random } from "../support/random.js";

/**
 * What is lost: the memory of one process; also the pages that a failed sync has marked clean; or
 * all that was not on stable storage. Each includes what stands before it.
 */
export type Loss = "process" | "cleanPages" | "power";

/** A disk as a crash may leave it. */
export interface Aftermath {
  readonly disk: MemoryDisk;
  readonly loss: Loss;
  /** Whether the machine says that it has been started anew; a file system can be cut off alone. */
  readonly isNewBoot: boolean;
}

/** What a disk does; below 512 bytes it promises nothing at all. */
const SECTOR_BYTES = 512;

/** What remains of a file that was not synced. */
type FileFate = "dropped" | "kept" | "zeros" | "sectors" | "torn" | "garbage";
/** What remains of a directory's changes. */
type NamesFate = "dropped" | "kept" | "prefix" | "subset";

const ORDERLY_FATES: readonly FileFate[] = ["dropped", "kept", "zeros", "sectors"];
const FILE_FATES: readonly FileFate[] = [...ORDERLY_FATES, "torn", "garbage"];
const NAMES_FATES: readonly NamesFate[] = ["dropped", "kept", "prefix", "subset"];

/** The fates that every moment is tried with; more are mixed by chance. */
const PLAIN: readonly (readonly [FileFate, NamesFate] | "killed")[] = [
  "killed",
  ["dropped", "dropped"],
  ["kept", "kept"],
  ["dropped", "kept"],
  ["kept", "dropped"],
  ["kept", "subset"],
  ["zeros", "kept"],
  ["garbage", "kept"],
  ["sectors", "kept"],
  ["torn", "kept"],
];

/** How many disks are not made by chance alone; those with higher numbers are. */
export const PLAIN_AFTERMATHS = PLAIN.length;

/** The disk with this number that may be left, from 0 on; chance decides what the number leaves. */
export function aftermath(image: DiskImage, number: number, random: Random): Aftermath {
  const plain = PLAIN[number];
  if (plain === "killed" || (plain === undefined && random.below(6) === 0)) {
    const isEvicted = random.below(2) === 0;
    let loss: Loss = "process";
    const disk = MemoryDisk.from(image, (state) => {
      if (!isEvicted || state.kind !== "file") return state;
      const seen = onDisk(state);
      if (Buffer.compare(seen, state.seen) === 0) return state;
      loss = "cleanPages";
      return { ...state, seen };
    });
    return { disk, loss, isNewBoot: false };
  }
  const isNewBoot = plain !== undefined || random.below(3) > 0;
  // A file system that is cut off while its machine goes on leaves what it wrote, or holes.
  const fates = isNewBoot ? FILE_FATES : ORDERLY_FATES;
  const disk = MemoryDisk.from(image, (state) => {
    if (state.kind === "file") {
      const fate = plain?.[0] ?? random.pick(fates);
      const content = remainingContent(state, fate, random);
      return { ...state, durable: content, changes: [], seen: content };
    }
    const fate = plain?.[1] ?? random.pick(NAMES_FATES);
    const names = remainingNames(state, fate, random);
    return { ...state, durable: names, changes: [], seen: names };
  });
  return { disk, loss: "power", isNewBoot };
}

/** What a failed sync has stored all the same. */
export function partlyStored(state: FileState, random: Random): Uint8Array {
  return remainingContent(state, random.pick(FILE_FATES), random);
}

/** A number that tells disks apart by names and contents, as programs see them. */
export function fingerprint({ disk, loss, isNewBoot }: Aftermath): string {
  const parts: string[] = [loss, String(isNewBoot)];
  const visit = (node: MemoryNode, path: string) => {
    const { state } = node;
    if (state.kind === "file") {
      parts.push(`${path} ${crc32(state.seen)} ${crc32(state.durable)}`);
      return;
    }
    parts.push(`${path} ${state.changes.length}`);
    for (const [name, child] of state.seen) visit(child, `${path}/${name}`);
  };
  visit(disk.root, "");
  return parts.sort().join("\n");
}

/** What programs see of a file once the pages that count as clean are gone from memory. */
function onDisk({ changes, durable }: FileState): Uint8Array {
  return changes.reduce(changedContent, durable);
}

function remainingContent(state: FileState, fate: FileFate, random: Random): Uint8Array {
  const { durable, changes } = state;
  if (changes.length === 0) return durable;
  const latest = changes.reduce(changedContent, durable);
  switch (fate) {
    case "dropped":
      return durable;
    case "kept":
      return latest;
    case "zeros":
      return resized(durable, Math.max(durable.length, latest.length));
    case "garbage":
      return withGarbage(durable, latest.length, random);
    case "sectors":
      return mixedSectors(state, latest, random, 0);
    case "torn":
      return mixedSectors(state, latest, random, 4);
  }
}

function withGarbage(durable: Uint8Array, length: number, random: Random): Uint8Array {
  const result = resized(durable, Math.max(durable.length, length));
  for (let at = durable.length; at < result.length; at++) result[at] = random.below(256);
  return result;
}

/**
 * Each sector as it was at one moment or another since the last sync.
 *
 * @param torn - Of how many sectors in 16 one part is of another moment than the rest.
 */
function mixedSectors(
  state: FileState,
  latest: Uint8Array,
  random: Random,
  torn: number,
): Uint8Array {
  const { durable, changes } = state;
  const between = changes.slice(0, random.below(changes.length)).reduce(changedContent, durable);
  const versions = [durable, between, latest];
  const lengths = versions.map((version) => version.length);
  const shortest = Math.min(...lengths);
  const longest = Math.max(...lengths);
  const length = random.pick([...lengths, shortest + random.below(longest - shortest + 1)]);
  const result = new Uint8Array(length);
  for (let start = 0; start < length; start += SECTOR_BYTES) {
    const end = Math.min(start + SECTOR_BYTES, length);
    const tornAt = random.below(16) < torn ? start + random.below(end - start) : end;
    result.set(random.pick(versions).subarray(start, tornAt), start);
    if (tornAt < end) result.set(random.pick(versions).subarray(tornAt, end), tornAt);
  }
  return result;
}

function remainingNames(
  state: DirectoryState,
  fate: NamesFate,
  random: Random,
): ReadonlyMap<string, MemoryNode> {
  const { durable, changes } = state;
  if (changes.length === 0 || fate === "dropped") return durable;
  if (fate === "kept") return changes.reduce(changedNames, durable);
  if (fate === "prefix") {
    return changes.slice(0, random.below(changes.length + 1)).reduce(changedNames, durable);
  }
  let names = durable;
  for (const change of changes) {
    const chance = random.below(5);
    if (chance < 2) continue;
    // Of a rename, the new name may be there before the old one is gone; never neither of them.
    // Directories have one name at all times.
    const mayHaveBoth = change[0]?.[1]?.state.kind === "file";
    names = changedNames(names, chance === 2 && mayHaveBoth ? change.slice(0, 1) : change);
  }
  return names;
}
