import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { prepareFile } from "../../files/atomic-file.js";
import type { OpenFile } from "../../files/file-system.js";
import { writeFully } from "../../files/whole-file.js";
import {
  BLOCK_HEADER_BYTES,
  BlockAttribute,
  type BlockHeader,
  PRODUCER_HEADER_BYTES,
  writeBlockHeader,
} from "../../format/block-header.js";
import { segmentFileName } from "../../format/file-names.js";
import type { LogEnd } from "../../format/log-metadata.js";
import {
  decodeSegmentHeader,
  encodeSegmentHeader,
  LOG_ID_BYTES,
  SEGMENT_HEADER_BYTES,
  type SegmentHeader,
} from "../../format/segment-header.js";
import { viewOf } from "../../format/uint64.js";
import { saveIndex } from "../../segment/index-loading.js";
import { Segment } from "../../segment/segment.js";
import { SegmentIndex } from "../../segment/segment-index.js";
import { writeMetadata } from "../directory/log-files.js";
import type { LogEnvironment } from "../environment.js";
import { readProducers, writeProducers } from "../producers/producers-file.js";
import { makeDirectories } from "../recovery/log-creation.js";
import { closeSurvey, type LogSurvey, startOf } from "../recovery/log-survey.js";
import { tornTailPosition } from "../recovery/tail-check.js";
import type { JournaledRecord } from "../tail/journaled-record.js";
import { journaledBlocks } from "./salvage-journal.js";
import { knownEnd, type SalvageRange, type SavedBlock, savedBlocks } from "./salvage-source.js";

/** What {@link salvageLog} saved, or would save. */
export interface SalvageReport {
  readonly records: number;
  readonly startOffset: number;
  /** The old end where it is known, so that no offset is ever given out a second time. */
  readonly endOffset: number;
  /** Ranges of offsets without a record, first and one past the last. */
  readonly missing: readonly (readonly [from: number, to: number])[];
}

/** Where and how to save. */
export interface SalvageOptions {
  /** A new or empty directory; without it, nothing is written and only the report is made. */
  readonly target: string | undefined;
  /** The store that the new log belongs to, if it does. */
  readonly storeId?: Uint8Array | undefined;
  /**
   * What the journal of the store has of the log, in the order of the offsets; what the segments
   * have of it, too, is left out.
   */
  readonly journaled?: readonly JournaledRecord[];
  readonly indexIntervalBytes?: number;
  /** Told how many bytes of the old log were read since the last call. */
  readonly onBytes?: (count: number) => void;
}

/**
 * Copies everything readable of a damaged log into a new one. Records keep their offsets, so where
 * damage was there are holes; the new log has an id of its own and a later epoch. The old log is
 * only read.
 *
 * A batch that damage has cut is saved as far as it goes; one that a crash has torn is left out, as
 * recovery would.
 *
 * @throws SeglogError `NO_SPACE`, `UNSUPPORTED_FORMAT`; then the target holds no log.
 */
export async function salvageLog(
  environment: LogEnvironment,
  survey: LogSurvey,
  options: SalvageOptions,
): Promise<SalvageReport> {
  try {
    return await new Salvage(environment, survey, options).run();
  } finally {
    await closeSurvey(survey);
  }
}

class Salvage {
  readonly #environment: LogEnvironment;
  readonly #survey: LogSurvey;
  readonly #options: SalvageOptions;
  readonly #logId = new Uint8Array(randomBytes(LOG_ID_BYTES));
  readonly #epoch: number;
  readonly #missing: [number, number][] = [];
  #startOffset: number | undefined;
  #nextOffset: number;
  #records = 0;
  #hasProducers = false;
  /** Of the first segment of the new log. */
  #firstBaseOffset: number | undefined;
  #end: LogEnd | undefined;
  #lastHeaderChecksum = 0;

  constructor(environment: LogEnvironment, survey: LogSurvey, options: SalvageOptions) {
    this.#environment = environment;
    this.#survey = survey;
    this.#options = options;
    const epochs = survey.segments.map(({ header }) => header?.epoch ?? 0);
    this.#nextOffset = startOf(survey);
    this.#epoch = Math.max(survey.metadata?.epoch ?? 0, ...epochs) + 1;
  }

  async run(): Promise<SalvageReport> {
    const { target } = this.#options;
    if (target !== undefined) await makeDirectories(this.#environment.fileSystem, target);
    const survey = this.#survey;
    const bound = survey.pending?.offset;
    const startOffset = startOf(survey);
    const tornAt = await tornTailPosition(this.#environment, survey);
    for (const each of survey.segments) {
      const isTorn = tornAt !== undefined && each === survey.segments.at(-1);
      const surveyed = isTorn ? { ...each, endPosition: tornAt } : each;
      const range: SalvageRange = {
        startOffset: Math.max(startOffset, this.#end?.endOffset ?? 0),
        endOffset: bound ?? Number.POSITIVE_INFINITY,
      };
      const blocks = savedBlocks(surveyed, range, this.#options.onBytes ?? (() => undefined));
      const first = await blocks.next();
      if (first.done === true) continue;
      const baseOffset = Math.max(surveyed.segment.baseOffset, this.#end?.endOffset ?? 0);
      this.#startOffset ??= Math.max(startOffset, baseOffset);
      await this.#writeSegment(baseOffset, first.value, blocks);
    }
    await this.#saveJournaled(startOffset, bound);
    const before = this.#nextOffset;
    const endOffset = Math.max(before, bound ?? knownEnd(survey));
    if (endOffset > before) this.#missing.push([before, endOffset]);
    if (this.#end === undefined || endOffset > before) await this.#writeEmptySegment(endOffset);
    const report = {
      records: this.#records,
      startOffset: this.#startOffset ?? endOffset,
      endOffset,
      missing: this.#missing,
    };
    if (target !== undefined) {
      await this.#keepProducers(target, startOffset);
      await this.#writeMetadata(target, report.startOffset);
    }
    return report;
  }

  /** Takes over which batches producers had stored that were deleted since; blocks say the rest. */
  async #keepProducers(target: string, startOffset: number): Promise<void> {
    const { fileSystem } = this.#environment;
    const { directory, metadata } = this.#survey;
    const known = await readProducers(fileSystem, directory);
    if (
      metadata === undefined ||
      Buffer.compare(known?.logId ?? metadata.logId, metadata.logId) !== 0
    )
      return;
    const deleted = [...(known?.producers ?? [])].filter(([, { batches }]) => {
      const { baseOffset, recordCount } = batches.at(-1)!;
      return baseOffset + recordCount <= startOffset;
    });
    if (deleted.length === 0) return;
    this.#hasProducers = true;
    await writeProducers(fileSystem, target, {
      logId: this.#logId,
      activeBaseOffset: this.#firstBaseOffset!,
      endOffset: startOffset,
      endPosition: SEGMENT_HEADER_BYTES,
      lastBlockPosition: 0,
      lastChecksum: 0,
      producers: new Map(deleted),
    });
  }

  /** What stands in no segment gets one of its own, behind the others. */
  async #saveJournaled(startOffset: number, bound: number | undefined): Promise<void> {
    const from = Math.max(this.#nextOffset, startOffset);
    const to = bound ?? Number.POSITIVE_INFINITY;
    const { journaled = [] } = this.#options;
    const records = journaled.filter(({ record: { offset } }) => offset >= from && offset < to);
    const blocks = journaledBlocks(records);
    const first = await blocks.next();
    if (first.done === true) return;
    const { baseOffset } = first.value.header;
    this.#startOffset ??= baseOffset;
    await this.#writeSegment(baseOffset, first.value, blocks);
  }

  #header(baseOffset: number): { bytes: Uint8Array; header: SegmentHeader } {
    const before = this.#end;
    this.#firstBaseOffset ??= baseOffset;
    const bytes = encodeSegmentHeader({
      logId: this.#logId,
      epoch: this.#epoch,
      baseOffset,
      createdAt: this.#environment.now(),
      predecessor: before && {
        baseOffset: before.activeBaseOffset,
        checksum: before.lastChecksum,
        headerChecksum: this.#lastHeaderChecksum,
      },
    });
    return { bytes, header: decodeSegmentHeader(bytes) as SegmentHeader };
  }

  async #writeSegment(
    baseOffset: number,
    first: SavedBlock,
    rest: AsyncIterable<SavedBlock>,
  ): Promise<void> {
    const { bytes, header } = this.#header(baseOffset);
    const index = SegmentIndex.empty(header);
    await this.#makeFile(header, index, async (file) => {
      if (file !== undefined) await writeFully(file, bytes, 0);
      await this.#copyBlock(first, header, index, file);
      for await (const block of rest) await this.#copyBlock(block, header, index, file);
    });
  }

  async #writeEmptySegment(baseOffset: number): Promise<void> {
    const { bytes, header } = this.#header(baseOffset);
    await this.#makeFile(header, SegmentIndex.empty(header), async (file) => {
      if (file !== undefined) await writeFully(file, bytes, 0);
    });
  }

  /** Makes a data file, durably, with its indexes; without a target, only goes through it. */
  async #makeFile(
    header: SegmentHeader,
    index: SegmentIndex,
    fill: (file: OpenFile | undefined) => Promise<void>,
  ): Promise<void> {
    const { target, indexIntervalBytes = 4096 } = this.#options;
    if (target === undefined) {
      await fill(undefined);
    } else {
      const { fileSystem, pool } = this.#environment;
      const path = join(target, segmentFileName(header.baseOffset, "data"));
      const temporary = await prepareFile(fileSystem, path, fill);
      await fileSystem.rename(temporary, path);
      await fileSystem.syncDirectory(target);
      const owner = { directory: target, logId: this.#logId, indexIntervalBytes };
      await saveIndex(fileSystem, new Segment(pool, owner, header.baseOffset, "read"), index);
    }
    const { summary } = index;
    this.#lastHeaderChecksum = summary.segmentChecksum;
    this.#end = {
      activeBaseOffset: header.baseOffset,
      endOffset: summary.endOffset,
      maxTimestamp: Math.max(this.#end?.maxTimestamp ?? 0, summary.maxTimestamp),
      endPosition: summary.endPosition,
      lastBlockPosition: summary.lastBlockPosition,
      lastChecksum: summary.lastChecksum,
    };
  }

  /** Copies a block as it is, under a header that gives it its new place. */
  async #copyBlock(
    { header: old, stored, endsBatch }: SavedBlock,
    segment: SegmentHeader,
    index: SegmentIndex,
    file: OpenFile | undefined,
  ): Promise<void> {
    const { summary } = index;
    if (old.baseOffset > this.#nextOffset) this.#missing.push([this.#nextOffset, old.baseOffset]);
    this.#nextOffset = old.lastOffset + 1;
    const attributes = endsBatch ? old.attributes | BlockAttribute.lastOfBatch : old.attributes;
    const header: Omit<BlockHeader, "checksum" | "headerLength"> = {
      ...old,
      attributes,
      position: summary.endPosition,
      previousChecksum: summary.lastChecksum,
    };
    const isOfProducer = old.producer !== undefined;
    this.#hasProducers ||= isOfProducer;
    const headerLength = isOfProducer ? PRODUCER_HEADER_BYTES : BLOCK_HEADER_BYTES;
    const bytes = new Uint8Array(headerLength + stored.length);
    const checksum = writeBlockHeader(bytes, viewOf(bytes), 0, header, segment.blockSeed);
    bytes.set(stored, headerLength);
    if (file !== undefined) await writeFully(file, bytes, header.position);
    const { indexIntervalBytes = 4096 } = this.#options;
    index.add({ ...header, checksum, length: bytes.length }, indexIntervalBytes);
    this.#records += header.recordCount;
  }

  /** Comes last: its presence says that the log is there, whole. */
  async #writeMetadata(target: string, startOffset: number): Promise<void> {
    const { fileSystem } = this.#environment;
    await writeMetadata(fileSystem, target, {
      logId: this.#logId,
      epoch: this.#epoch,
      startOffset,
      truncation: undefined,
      bootId: await fileSystem.bootId(),
      storeId: this.#options.storeId,
      clean: true,
      synced: true,
      hasProducers: this.#hasProducers,
      end: this.#end!,
      revision: 0,
    });
  }
}
