import { readStep, runSteps } from "../../files/steps.js";
import { isInvalid, parseBlockHeader } from "../../format/block-header.js";
import { decodeSegmentHeader, encodeSegmentHeader } from "../../format/segment-header.js";
import { findBlock } from "../../segment/block-source.js";
import type { Segment } from "../../segment/segment.js";

/** Of the epochs that a segment may be of, this many are tried. */
const MAX_GUESSES = 64;

/**
 * Finds what the checksums of a segment's blocks start from when its header is damaged: they hold
 * for one epoch only, and the neighbours tell which ones are likely.
 *
 * @param epochs - Known epochs of the log, the likeliest first.
 * @returns `undefined` if no block of that log is found.
 */
export async function guessBlockSeed(
  segment: Segment,
  logId: Uint8Array | undefined,
  epochs: readonly number[],
  endPosition: number,
): Promise<number | undefined> {
  if (logId === undefined) return undefined;
  const newest = Math.max(...epochs);
  const likely = [...new Set(epochs)];
  for (let epoch = newest; epoch >= 0 && likely.length < MAX_GUESSES; epoch--) {
    if (!likely.includes(epoch)) likely.push(epoch);
  }
  const seeds = likely.map((epoch) => seedOf(logId, epoch, segment.baseOffset));
  // Mostly only the header is damaged, and the first block stands where it always does.
  const { bytes, position } = await readFirst(segment);
  for (const seed of seeds) {
    if (!isInvalid(parseBlockHeader(bytes, position, seed))) return seed;
  }
  for (const seed of seeds.slice(0, 4)) {
    const source = { file: segment.file, blockSeed: seed };
    if ((await runSteps(findBlock(source, position, endPosition))) !== undefined) return seed;
  }
  return undefined;
}

async function readFirst(segment: Segment): Promise<{ bytes: Uint8Array; position: number }> {
  const position = 80;
  const bytes = new Uint8Array(256);
  const count = await runSteps(readStep(segment.file, bytes, position));
  return { bytes: bytes.subarray(0, count), position };
}

function seedOf(logId: Uint8Array, epoch: number, baseOffset: number): number {
  const bytes = encodeSegmentHeader({
    logId,
    epoch,
    baseOffset,
    createdAt: 0,
    predecessor: undefined,
  });
  const header = decodeSegmentHeader(bytes);
  if ("kind" in header) throw new Error("a header that was just encoded does not decode");
  return header.blockSeed;
}
