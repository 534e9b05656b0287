import { SeglogError } from "../errors.js";
import { describe } from "../format/record-codec.js";
import { LOG_ID_BYTES } from "../format/segment-header.js";
import type { CommitLog } from "../log/commit-log.js";

/** Names a log and its epoch, in which offsets stay what they are; empty without a log. */
export function generationOf(log: CommitLog | undefined): Uint8Array {
  if (log === undefined) return new Uint8Array(0);
  const generation = Buffer.alloc(LOG_ID_BYTES + 8);
  generation.set(log.logId);
  generation.writeBigUInt64LE(BigInt(log.epoch), LOG_ID_BYTES);
  return generation;
}

/** Whether what was told in one generation still holds; nobody knows of an empty one. */
export function isCurrent(generation: Uint8Array, log: CommitLog | undefined): boolean {
  return generation.length === 0 || Buffer.compare(generation, generationOf(log)) === 0;
}

/** Offsets that a caller has may name other records than it thinks. */
export function takenBack(key: string): SeglogError {
  return new SeglogError(
    "LOG_TRUNCATED",
    `Records of ${describe(key)} were taken back while it was followed: offsets may name other ` +
      "records than before. Decide where to go on, and follow it again.",
  );
}
