import type { FileSystem } from "../files/file-system.js";
import { readStep, type Steps } from "../files/steps.js";
import { writeFully } from "../files/whole-file.js";
import { BLOCK_HEADER_BYTES, blockLength } from "../format/block-header.js";
import {
  decodeIndexFile,
  decodeIndexHeader,
  INDEX_HEADER_BYTES,
  type IndexFile,
  OFFSET_ENTRY_BYTES,
  OFFSET_INDEX_MAGIC,
  type SegmentSummary,
  TIME_ENTRY_BYTES,
  TIME_INDEX_MAGIC,
} from "../format/index-file.js";
import { findBlock, readRun, SCAN_CHUNK_BYTES } from "./block-source.js";
import { hasLastBlock } from "./last-block.js";
import { OffsetIndex } from "./offset-index.js";
import type { Segment } from "./segment.js";
import { SegmentIndex } from "./segment-index.js";
import { TimeIndex } from "./time-index.js";

/**
 * A segment's indexes: those in memory, else read from their files, else rebuilt from the data
 * where a file is missing, damaged, or not of exactly these bytes. Opening never fails for an index.
 */
export function* loadedIndex(segment: Segment): Steps<SegmentIndex> {
  const loaded = segment.index;
  if (loaded !== undefined) {
    // Another process writes this segment, and it has grown.
    const end = segment.endPosition ?? 0;
    if (loaded.coveredPosition < end) yield* extendIndex(segment, loaded, end);
    return loaded;
  }
  const saved = yield* readIndex(segment);
  const index = saved ?? (yield* rebuildIndex(segment));
  // Whoever was first may have added to its own meanwhile.
  if (segment.index !== undefined) return yield* loadedIndex(segment);
  segment.setIndex(index);
  if (saved === undefined) segment.onIndexRebuilt?.(segment, index);
  return index;
}

/** The indexes as their files have them, or `undefined` where those cannot be used. */
export function* readIndex(segment: Segment): Steps<SegmentIndex | undefined> {
  const offsets = yield* readIndexFile(segment, "offsetIndex");
  if (offsets === undefined) return undefined;
  const times = yield* readIndexFile(segment, "timeIndex");
  if (times === undefined) return undefined;
  if (!sameSummary(offsets.summary, times.summary)) return undefined;
  if (!(yield* fits(segment, offsets.summary))) return undefined;
  return new SegmentIndex(
    offsets.summary,
    OffsetIndex.decode(offsets.entries),
    TimeIndex.decode(times.entries),
  );
}

/** The sums over a segment, and how many entries its indexes have. */
export interface IndexSummary {
  readonly summary: SegmentSummary;
  readonly offsetEntries: number;
  readonly timeEntries: number;
}

/**
 * Only what the headers of the index files say, without their entries.
 *
 * @returns `undefined` where the files cannot be used.
 */
export function* readSummary(segment: Segment): Steps<IndexSummary | undefined> {
  const { index } = segment;
  if (index !== undefined) {
    const { summary, offsets, times } = index;
    return { summary, offsetEntries: offsets.count, timeEntries: times.count };
  }
  const offsets = yield* readIndexHeader(segment, "offsetIndex");
  const times = yield* readIndexHeader(segment, "timeIndex");
  if (offsets === undefined || times === undefined) return undefined;
  const { summary } = offsets;
  if (!sameSummary(summary, times.summary) || !(yield* fits(segment, summary))) return undefined;
  return { summary, offsetEntries: offsets.entryCount, timeEntries: times.entryCount };
}

function* readIndexHeader(
  segment: Segment,
  kind: "offsetIndex" | "timeIndex",
): Steps<{ readonly summary: SegmentSummary; readonly entryCount: number } | undefined> {
  const file = segment.indexFile(kind);
  try {
    const bytes = new Uint8Array(INDEX_HEADER_BYTES);
    const count = yield* readStep(file, bytes, 0);
    const magic = kind === "offsetIndex" ? OFFSET_INDEX_MAGIC : TIME_INDEX_MAGIC;
    const header = decodeIndexHeader(bytes.subarray(0, count), magic);
    return "kind" in header ? undefined : header;
  } catch {
    return undefined;
  } finally {
    file.discard();
  }
}

function* readIndexFile(
  segment: Segment,
  kind: "offsetIndex" | "timeIndex",
): Steps<IndexFile | undefined> {
  const magic = kind === "offsetIndex" ? OFFSET_INDEX_MAGIC : TIME_INDEX_MAGIC;
  const entryBytes = kind === "offsetIndex" ? OFFSET_ENTRY_BYTES : TIME_ENTRY_BYTES;
  const file = segment.indexFile(kind);
  try {
    const head = new Uint8Array(INDEX_HEADER_BYTES);
    const count = yield* readStep(file, head, 0);
    const header = decodeIndexHeader(head.subarray(0, count), magic);
    if ("kind" in header) return undefined;
    // A block is never shorter than its header, which bounds the entries that can be real.
    const end = yield* segment.end();
    if (header.entryCount > end / BLOCK_HEADER_BYTES) return undefined;
    // One byte more than there should be, to notice a file that is too long.
    const wanted = INDEX_HEADER_BYTES + header.entryCount * entryBytes + 1;
    const bytes = new Uint8Array(wanted);
    const length = yield* readStep(file, bytes, 0);
    const decoded = decodeIndexFile(bytes.subarray(0, length), magic);
    return "kind" in decoded ? undefined : decoded;
  } catch {
    // A hint that cannot be read is no hint. The data file tells what is really wrong, if anything.
    return undefined;
  } finally {
    file.discard();
  }
}

function sameSummary(one: SegmentSummary, other: SegmentSummary): boolean {
  return (
    one.segmentChecksum === other.segmentChecksum &&
    one.lastChecksum === other.lastChecksum &&
    one.endPosition === other.endPosition
  );
}

/** Whether sums are those of this very data: same length, and the same last block or header. */
function* fits(segment: Segment, summary: SegmentSummary): Steps<boolean> {
  if (summary.endPosition !== (yield* segment.end())) return false;
  if ((summary.blocks === 0) !== (summary.lastBlockPosition === 0)) return false;
  return yield* hasLastBlock(segment, summary);
}

/** Builds the indexes from the data. */
export function* rebuildIndex(segment: Segment): Steps<SegmentIndex> {
  const index = SegmentIndex.empty(yield* segment.header());
  yield* extendIndex(segment, index, yield* segment.end());
  return index;
}

/**
 * Adds what lies between the indexed part and `end`. Damage is stepped over: what lies around it
 * can still be found, and whoever reads the damaged block is told.
 */
function* extendIndex(segment: Segment, index: SegmentIndex, end: number): Steps<void> {
  const source = yield* segment.source();
  const buffer = new Uint8Array(Math.min(SCAN_CHUNK_BYTES, end - index.coveredPosition));
  while (index.coveredPosition < end) {
    const position = index.coveredPosition;
    const run = yield* readRun(source, position, end, SCAN_CHUNK_BYTES, buffer);
    // Another reader may do the same work; whoever comes second goes on behind the first.
    if (index.coveredPosition !== position) continue;
    for (const { header: block } of run.blocks) {
      index.add({ ...block, length: blockLength(block) }, segment.owner.indexIntervalBytes);
    }
    index.coveredPosition = run.nextPosition;
    if (run.invalid === undefined) continue;
    index.isPartial = true;
    const next = yield* findBlock(source, run.nextPosition + 1, end);
    if (index.coveredPosition === run.nextPosition) index.coveredPosition = next?.position ?? end;
  }
}

/**
 * Writes both index files. They are not synced: one that a crash tore is recognised and rebuilt. One
 * that leaves damage out is not written: who loads it would not know.
 */
export async function saveIndex(
  fileSystem: FileSystem,
  segment: Segment,
  index: SegmentIndex,
): Promise<void> {
  if (index.isPartial) return;
  const { offsetIndex, timeIndex } = index.encode();
  await saveFile(fileSystem, segment.indexPath("offsetIndex"), offsetIndex);
  await saveFile(fileSystem, segment.indexPath("timeIndex"), timeIndex);
}

async function saveFile(fileSystem: FileSystem, path: string, bytes: Uint8Array): Promise<void> {
  const file = await fileSystem.open(path, "create");
  try {
    await writeFully(file, bytes, 0);
  } finally {
    await file.close();
  }
}
