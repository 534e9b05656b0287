import { CorruptionError, SeglogError } from "../../errors.js";
import { prepareFile } from "../../files/atomic-file.js";
import type { OpenFile } from "../../files/file-system.js";
import type { PooledFile } from "../../files/handle-pool.js";
import { runSteps } from "../../files/steps.js";
import { readFully, writeFully } from "../../files/whole-file.js";
import type { Block } from "../../format/block.js";
import { BlockAttribute } from "../../format/block-header.js";
import { GroupEncoder } from "../../format/group-encoder.js";
import { needsStructure, prepareRecord } from "../../format/record-codec.js";
import {
  type BlockSource,
  blockError,
  readRun,
  SCAN_CHUNK_BYTES,
} from "../../segment/block-source.js";
import type { Segment } from "../../segment/segment.js";
import type { LogEnvironment } from "../environment.js";
import type { ResolvedLogOptions } from "../options.js";

/** Copies bytes `[from, to)` of a data file into `target`, to position 0 and on. */
export async function copyBytes(
  source: PooledFile,
  from: number,
  to: number,
  target: OpenFile,
): Promise<void> {
  const buffer = new Uint8Array(Math.min(SCAN_CHUNK_BYTES, to - from));
  const file = await source.acquire();
  try {
    for (let position = from; position < to; ) {
      const wanted = buffer.subarray(0, Math.min(buffer.length, to - position));
      const count = await readFully(file, wanted, position);
      if (count === 0) {
        throw new CorruptionError({
          file: source.path,
          position,
          reason: "the file became shorter while it was copied",
        });
      }
      await writeFully(target, wanted.subarray(0, count), position - from);
      position += count;
    }
  } finally {
    source.release();
  }
}

/**
 * Cuts a segment so that it ends before `offset`, which lies behind its base offset and before its
 * end. Its blocks are copied as they are; the one that holds the last record kept is encoded anew
 * if the cut goes through it or through its batch. The result is on stable storage under a
 * temporary name, which the caller renames.
 *
 * @param endPosition - Where its complete batches end, which `offset` does not lie behind.
 * @returns The temporary path.
 */
export async function prepareCutSegment(
  environment: LogEnvironment,
  options: Pick<ResolvedLogOptions, "blockBytes" | "compression">,
  segment: Segment,
  offset: number,
  endPosition: number,
): Promise<string> {
  const source = await runSteps(segment.source());
  const last = await findLastKept(segment, source, offset, endPosition);
  if (last === undefined) {
    const headerLength = await runSteps(segment.firstPosition());
    return prepareFile(environment.fileSystem, segment.path, (file) =>
      copyBytes(segment.file, 0, headerLength, file),
    );
  }
  const { header } = last;
  const isWhole =
    header.lastOffset < offset && (header.attributes & BlockAttribute.lastOfBatch) !== 0;
  return prepareFile(environment.fileSystem, segment.path, async (file) => {
    const copyTo = isWhole
      ? header.position + header.headerLength + header.storedBytes
      : header.position;
    await copyBytes(segment.file, 0, copyTo, file);
    if (isWhole) return;
    const bytes = encodeStart(last, offset, source.blockSeed, options);
    await writeFully(file, bytes, header.position);
  });
}

/**
 * Throws unless {@link prepareCutSegment} can cut a segment there, as far as its data goes.
 *
 * @throws SeglogError `UNSUPPORTED_FORMAT`, CorruptionError.
 */
export async function assertCuttable(
  segment: Segment,
  offset: number,
  endPosition: number,
): Promise<void> {
  const source = await runSteps(segment.source());
  const last = await findLastKept(segment, source, offset, endPosition);
  if (last !== undefined && last.header.lastOffset >= offset) assertDense(last, offset);
}

/** Encoding a block with holes anew would number its records without them. */
function assertDense({ header }: Block, offset: number): void {
  if ((header.attributes & BlockAttribute.offsetDeltas) === 0) return;
  throw new SeglogError(
    "UNSUPPORTED_FORMAT",
    `Cannot cut at offset ${offset}: its block has holes between offsets. ` +
      `Truncate to ${header.baseOffset} or ${header.lastOffset + 1}.`,
  );
}

/**
 * The block that holds the greatest offset below `offset`; `undefined` if there is none, as where
 * a salvage left a hole at the beginning.
 */
async function findLastKept(
  segment: Segment,
  source: BlockSource,
  offset: number,
  end: number,
): Promise<Block | undefined> {
  let position = await runSteps(segment.firstPosition());
  let last: Block | undefined;
  while (position < end) {
    const run = await runSteps(readRun(source, position, end, SCAN_CHUNK_BYTES));
    for (const block of run.blocks) {
      if (block.header.baseOffset >= offset) return last;
      last = block;
    }
    if (run.invalid !== undefined) {
      throw blockError(segment.path, run.nextPosition, run.invalid, last?.header.lastOffset);
    }
    position = run.nextPosition;
  }
  return last;
}

/** Encodes the records of a block that lie before `offset`, as the end of a batch. */
function encodeStart(
  block: Block,
  offset: number,
  blockSeed: number,
  options: Pick<ResolvedLogOptions, "blockBytes" | "compression">,
): Uint8Array {
  const { header } = block;
  assertDense(block, offset);
  const bound = header.bodyBytes + 4096;
  const encoder = new GroupEncoder(
    Buffer.allocUnsafeSlow(bound),
    Math.max(options.blockBytes, bound),
    options.compression,
  );
  if (header.producer !== undefined) encoder.beginProducersBatch(header.producer);
  const count = block.lowerBound(offset);
  for (let index = 0; index < count; index++) {
    const record = block.recordAt(index);
    const parts = prepareRecord(record);
    if (needsStructure(parts)) encoder.addStructured(parts, record.timestamp);
    else encoder.addValue(record.value, record.value.length, record.timestamp);
  }
  encoder.endBatch();
  let { position } = header;
  let { baseOffset, previousChecksum } = header;
  for (const encoded of encoder.blocks) {
    const place = {
      position,
      previousChecksum,
      baseOffset,
      durableEndOffset: header.durableEndOffset,
    };
    previousChecksum = encoder.stamp(encoded, place, blockSeed);
    position += encoded.length;
    baseOffset += encoded.recordCount;
  }
  return encoder.bytes.subarray(0, position - header.position);
}
