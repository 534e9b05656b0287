import { runSteps } from "../../files/steps.js";
import {
  BlockAttribute,
  type BlockHeader,
  blockLength,
  type InvalidBlock,
} from "../../format/block-header.js";
import type { LogEnd } from "../../format/log-metadata.js";
import { blockError, findBlocks, readRun, SCAN_CHUNK_BYTES } from "../../segment/block-source.js";
import type { Segment } from "../../segment/segment.js";
import { SegmentIndex } from "../../segment/segment-index.js";
import { hasLostSector } from "./lost-sectors.js";

/** What is in a segment that was open for writing when its writer stopped. */
export interface TailScan {
  /** Where its complete batches end. */
  readonly end: LogEnd;
  /** Of the complete batches. */
  readonly index: SegmentIndex;
  /** Length of the file; what lies between the end and it belongs to no complete batch. */
  readonly fileBytes: number;
  /** Where the first byte stands that is not part of a valid block; `fileBytes` if there is none. */
  readonly invalidPosition: number;
  readonly reason: string | undefined;
  /**
   * A later block that proves the bytes at the end were once whole: it says that the log was
   * durable beyond them when it was written. Then they are damage, not a torn tail.
   */
  readonly proof: BlockHeader | undefined;
  /**
   * Whether a valid block stands behind the first invalid one, and what lies between them is not
   * what an unwritten part of a file looks like.
   */
  readonly hasLaterBlock: boolean;
}

/**
 * Reads a segment from its first block to the end of the file: checksums, chain, offsets, and
 * which batches are complete.
 *
 * @param endPosition - Read no further; default: the length of the file.
 * @throws SeglogError `UNSUPPORTED_FORMAT` if a block of a newer version is met.
 */
export async function scanTail(segment: Segment, endPosition?: number): Promise<TailScan> {
  const header = await runSteps(segment.header());
  const source = await runSteps(segment.source());
  const fileBytes = endPosition ?? (await runSteps(segment.end()));
  const buffer = new Uint8Array(Math.min(SCAN_CHUNK_BYTES, fileBytes));
  const index = SegmentIndex.empty(header);
  let end: LogEnd = {
    activeBaseOffset: header.baseOffset,
    endOffset: header.baseOffset,
    maxTimestamp: 0,
    endPosition: header.headerLength,
    lastBlockPosition: 0,
    lastChecksum: header.checksum,
  };
  let position = header.headerLength;
  let expectedOffset = header.baseOffset;
  let chain = header.checksum;
  let batch: BlockHeader[] = [];
  let invalid: InvalidBlock | undefined;
  while (position < fileBytes && invalid === undefined) {
    const run = await runSteps(readRun(source, position, fileBytes, SCAN_CHUNK_BYTES, buffer));
    position = run.nextPosition;
    invalid = run.invalid;
    for (const { header: block } of run.blocks) {
      const broken = continuity(block, chain, expectedOffset);
      if (broken !== undefined) {
        invalid = { kind: "damaged", reason: broken };
        position = block.position;
        break;
      }
      chain = block.checksum;
      expectedOffset = block.lastOffset + 1;
      batch.push(block);
      if ((block.attributes & BlockAttribute.lastOfBatch) === 0) continue;
      for (const each of batch) {
        index.add({ ...each, length: blockLength(each) }, segment.owner.indexIntervalBytes);
      }
      batch = [];
      const { summary } = index;
      end = { activeBaseOffset: header.baseOffset, ...summary };
    }
  }
  if (invalid?.kind === "unsupported") throw blockError(segment.path, position, invalid);
  let proof: BlockHeader | undefined;
  let laterPosition: number | undefined;
  if (invalid !== undefined) {
    const { endOffset } = end;
    const search = findBlocks(source, position + 1, fileBytes, (later) => {
      laterPosition ??= later.position;
      if (later.durableEndOffset > endOffset) proof = later;
      return proof === undefined;
    });
    await runSteps(search);
  }
  const hasLaterBlock =
    laterPosition !== undefined &&
    !(await runSteps(hasLostSector(segment.file, position, laterPosition)));
  return {
    end,
    index,
    fileBytes,
    invalidPosition: position,
    reason: invalid?.reason ?? (batch.length > 0 ? "the last batch is not complete" : undefined),
    proof,
    hasLaterBlock,
  };
}

/** Why a block cannot follow, or `undefined` if it can. */
export function continuity(
  block: BlockHeader,
  previousChecksum: number,
  expectedOffset: number,
): string | undefined {
  if (block.previousChecksum !== previousChecksum) {
    return "the block does not follow the one before it";
  }
  if (block.baseOffset < expectedOffset) return "the block's offsets go back";
  return undefined;
}
