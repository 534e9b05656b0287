import { decodeLogMetadata, type LogMetadata } from "../../src/format/log-metadata.js";
import {
  baseOffsetOf,
  type DataLayout,
  dataFilesOf,
  keyOf,
  kindOf,
  layoutOf,
  type PlacedBlock,
} from "./layout.js";
import type { Moment } from "./sample.js";

/*
 * What must become of a log whose directory has one damaged file. Everywhere: what is read is what
 * was written; a failure has a code; a reader changes nothing; `verify` tells of all that changes
 * an answer, and names the file. "Lost" offsets give CORRUPTION with file and position, all others
 * the right record.
 *
 *   file                    bit turned, or cut short     read      write     lost
 *   log.meta                anywhere                     fails     fails     all
 *   store.meta              anywhere                     (a store does not open; its logs do)
 *   sealed .log             in its header                opens     opens     the segment
 *   sealed .log             in a block                   opens     opens     the block
 *   sealed .log             cut                          opens     opens     blocks behind the cut
 *   active .log             in its header                fails     fails     all
 *   active .log, clean      in a block but the last      opens     opens     the block
 *   active .log, clean      in the last block's header   opens     fails     its batch, to the end
 *   active .log, clean      in the last block's body     opens     opens     the block
 *   active .log, clean      cut                          opens     fails     batches that are cut
 *   active .log, killed     in a block but the last      opens     fails     its batch, to the end
 *   active .log, killed     in the last block            opens     opens     none: the log ends
 *                                                                            before its batch
 *   active .log, killed     cut                          opens     opens     none, likewise
 *   .index, .timeindex      anywhere                     opens     opens     none
 *   published, LOCK, .cut-  anywhere                     opens     opens     none
 *   producers               anywhere                     opens     opens     none
 *   committed-offsets       anywhere                     opens     opens     none: the state is one
 *                                                                            that groups once had
 *
 * A killed log's `log.meta` may prove that its end was durable: then it is CORRUPTION, as if there
 * were later blocks.
 */

/** What must become of a log; offsets are of the truth. */
export interface Outcome {
  readonly read: "opens" | "fails";
  readonly write: "opens" | "fails";
  /** First offset and one past the last that give CORRUPTION; empty if they are the same. */
  readonly lost: readonly [from: number, to: number];
  /** Where an opened log ends: before the end of the truth where a tail is cut, or damaged. */
  readonly endOffset: number;
  /** What `verify` has to say of the file, at least. */
  readonly verify: "damage" | "warning" | "nothing";
}

/** How a file is damaged: by a bit at a position, or by being cut to a length. */
export type Damage =
  | { readonly kind: "flip"; readonly position: number; readonly bit: number }
  | { readonly kind: "cut"; readonly length: number };

/** Where the first byte stands that is not what it was. */
export function placeOf(damage: Damage): number {
  return damage.kind === "flip" ? damage.position : damage.length;
}

/** What must become of the log that the file belongs to. */
export function outcomeOf(moment: Moment, path: string, damage: Damage): Outcome {
  const { endOffset } = moment.logs.get(keyOf(path)!)!;
  const fine: Outcome = {
    read: "opens",
    write: "opens",
    lost: [0, 0],
    endOffset,
    verify: "nothing",
  };
  switch (kindOf(path)) {
    case "data":
      return outcomeOfData(moment, path, damage, fine);
    case "log.meta":
      return { ...fine, read: "fails", write: "fails", verify: "damage" };
    case "offsetIndex":
    case "timeIndex":
      return { ...fine, verify: isSettled(moment, path) ? "warning" : "nothing" };
    default:
      return fine;
  }
}

/** The indexes of a segment that was being written to are of an earlier session, and ignored. */
function isSettled({ image }: Moment, path: string): boolean {
  const key = keyOf(path)!;
  if (metadataOf({ image }, key).clean) return true;
  return baseOffsetOf(path) !== baseOffsetOf(dataFilesOf(image, key).at(-1)!);
}

function outcomeOfData(moment: Moment, path: string, damage: Damage, fine: Outcome): Outcome {
  const key = keyOf(path)!;
  const files = dataFilesOf(moment.image, key);
  const layout = layoutOf(moment.image, path);
  const place = placeOf(damage);
  const isActive = path === files.at(-1);
  const found: Outcome = { ...fine, verify: "damage" };
  if (place < layout.header.headerLength) {
    if (isActive) return { ...found, read: "fails", write: "fails" };
    return { ...found, lost: inside(moment, key, layout.header.baseOffset, endOf(layout, fine)) };
  }
  const block = layout.blocks.find(({ endPosition }) => place < endPosition)!;
  if (!isActive) {
    const to = damage.kind === "flip" ? block.lastOffset + 1 : endOf(layout, fine);
    return { ...found, lost: inside(moment, key, block.baseOffset, to) };
  }
  const metadata = metadataOf(moment, key);
  const isLast = block === layout.blocks.at(-1);
  const isInHeader = place < block.position + block.headerLength;
  if (metadata.clean && damage.kind === "flip" && !(isLast && isInHeader)) {
    return { ...found, lost: inside(moment, key, block.baseOffset, block.lastOffset + 1) };
  }
  const endOffset = block.batchOffset;
  const ends: Outcome = { ...found, endOffset };
  if (isDamage(layout, block, damage, metadata)) {
    return { ...ends, write: "fails", lost: inside(moment, key, endOffset, fine.endOffset) };
  }
  // At the border of two batches nothing tells that there was more.
  const isSeamless = damage.kind === "cut" && isBorder(layout, damage.length);
  return { ...ends, verify: isSeamless ? "nothing" : "warning" };
}

/** Whether what is left proves that the log once reached further. */
function isDamage(
  layout: DataLayout,
  block: PlacedBlock,
  damage: Damage,
  metadata: LogMetadata,
): boolean {
  if (metadata.end.activeBaseOffset === layout.header.baseOffset) {
    if (block.batchOffset < metadata.end.endOffset) return true;
  }
  // Only the process died, so that any later block is proof enough.
  return damage.kind === "flip" && block !== layout.blocks.at(-1);
}

function isBorder({ blocks, header }: DataLayout, length: number): boolean {
  if (length === header.headerLength) return true;
  const next = blocks.find(({ position }) => position === length);
  return next !== undefined && next.batchOffset === next.baseOffset;
}

function endOf({ blocks }: DataLayout, fine: Outcome): number {
  const last = blocks.at(-1);
  return last === undefined ? fine.endOffset : last.lastOffset + 1;
}

/** The part of a range that can be read while all is sound. */
function inside(moment: Moment, key: string, from: number, to: number): [number, number] {
  const { startOffset } = moment.logs.get(key)!;
  return [Math.max(from, startOffset), Math.max(to, startOffset)];
}

function metadataOf({ image }: Pick<Moment, "image">, key: string): LogMetadata {
  const metadata = decodeLogMetadata(image.get(`logs/${key}/log.meta`)!);
  if ("kind" in metadata) throw new Error(metadata.reason);
  return metadata;
}
