import { readStep, runSteps } from "../files/steps.js";
import type { Block } from "../format/block.js";
import {
  type BlockHeader,
  blockLength,
  type InvalidBlock,
  isInvalid,
  parseBlockHeader,
} from "../format/block-header.js";
import { type BlockSource, findBlock, readRun, SCAN_CHUNK_BYTES } from "./block-source.js";
import { endOfData } from "./zeros.js";

/**
 * Whether a stretch at the end of a file is room: zeros that nothing stood in.
 *
 * @param dataBeforeRoom - See `dataBeforeRoom`; `undefined` if the segment has no room.
 */
export function isRoom(
  { position, dataEnd }: DamagedStretch,
  dataBeforeRoom: number | undefined,
): boolean {
  return dataBeforeRoom !== undefined && Math.max(dataEnd, dataBeforeRoom) <= position;
}

/** Bytes of a data file that are not a block that can be read. */
export interface DamagedStretch {
  readonly position: number;
  /** Where the next valid block begins, or where the walk ends. */
  readonly endPosition: number;
  /** The same without zeros at the end of what is walked over. */
  readonly dataEnd: number;
  readonly invalid: InvalidBlock;
  /** Of the block that begins the stretch, where the damage spared it. */
  readonly header: BlockHeader | undefined;
}

/** What one step of a walk found: some blocks, then perhaps damage. */
export interface WalkStep {
  readonly blocks: readonly Block[];
  readonly damaged: DamagedStretch | undefined;
  /** How far the walk has come. */
  readonly nextPosition: number;
}

/**
 * Walks over the blocks in `[from, end)` of a data file and steps over damage to the next block
 * that is valid. The blocks of a step are views of a buffer that the next step overwrites.
 */
export async function* walkBlocks(
  source: BlockSource,
  from: number,
  end: number,
): AsyncGenerator<WalkStep, void, void> {
  const buffer = new Uint8Array(Math.max(Math.min(SCAN_CHUNK_BYTES, end - from), 0));
  let position = from;
  while (position < end) {
    const run = await runSteps(readRun(source, position, end, SCAN_CHUNK_BYTES, buffer));
    position = run.nextPosition;
    let damaged: DamagedStretch | undefined;
    if (run.invalid !== undefined) {
      const next = await runSteps(findBlock(source, position + 1, end));
      const header = await sparedHeader(source, position, end);
      const endPosition = next?.position ?? end;
      const dataEnd = next?.position ?? (await endOfData(source.file, position, end));
      damaged = { position, endPosition, dataEnd, invalid: run.invalid, header };
      position = endPosition;
    }
    yield { blocks: run.blocks, damaged, nextPosition: position };
  }
}

/** The header of the block at `position`, if only its body is damaged or cut. */
async function sparedHeader(
  source: BlockSource,
  position: number,
  end: number,
): Promise<BlockHeader | undefined> {
  const bytes = new Uint8Array(Math.min(256, end - position));
  const count = await runSteps(readStep(source.file, bytes, position));
  const header = parseBlockHeader(bytes.subarray(0, count), position, source.blockSeed);
  return isInvalid(header) ? undefined : header;
}

/** One past the last byte of a block in its file. */
export function blockEnd(header: BlockHeader): number {
  return header.position + blockLength(header);
}
