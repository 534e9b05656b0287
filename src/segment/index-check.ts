import { isMissing } from "../files/file-errors.js";
import type { FileSystem } from "../files/file-system.js";
import { readFile } from "../files/whole-file.js";
import type { BlockHeader } from "../format/block-header.js";
import {
  decodeIndexFile,
  INDEX_HEADER_BYTES,
  type IndexFile,
  OFFSET_INDEX_MAGIC,
  type SegmentSummary,
  TIME_ENTRY_BYTES,
  TIME_INDEX_MAGIC,
} from "../format/index-file.js";
import { OffsetIndex } from "./offset-index.js";
import { TimeIndex } from "./time-index.js";

/**
 * What an index file is worth. `stale` and `damaged` ones are noticed by every reader, who builds
 * the index anew; a `false` one passes for good and leads readers astray.
 */
export interface IndexVerdict {
  readonly path: string;
  readonly state: "sound" | "missing" | "stale" | "damaged" | "false";
  /** Why, as a clause; empty for a sound one. */
  readonly reason: string;
}

/**
 * Compares both index files of a segment with its data, every entry of them. Give it the valid
 * blocks in the order of the file, then ask for the verdicts.
 */
export class IndexCheck {
  readonly #files: readonly CheckedFile[];

  private constructor(files: readonly CheckedFile[]) {
    this.#files = files;
  }

  /** @param dataBytes - Length of the data file, which bounds how many entries can be real. */
  static async read(
    fileSystem: FileSystem,
    paths: { readonly offsetIndex: string; readonly timeIndex: string },
    baseOffset: number,
    dataBytes: number,
  ): Promise<IndexCheck> {
    const most = INDEX_HEADER_BYTES + Math.ceil(dataBytes / 80 + 1) * TIME_ENTRY_BYTES;
    const load = async (path: string, magic: number): Promise<CheckedFile> => {
      try {
        const decoded = decodeIndexFile(await readFile(fileSystem, path, most), magic);
        return new CheckedFile(
          path,
          baseOffset,
          magic,
          "kind" in decoded ? decoded.reason : decoded,
        );
      } catch (error) {
        if (isMissing(error)) return new CheckedFile(path, baseOffset, magic, undefined);
        throw error;
      }
    };
    return new IndexCheck([
      await load(paths.offsetIndex, OFFSET_INDEX_MAGIC),
      await load(paths.timeIndex, TIME_INDEX_MAGIC),
    ]);
  }

  add(block: BlockHeader): void {
    for (const file of this.#files) file.add(block);
  }

  /** @param summary - The sums over the blocks that were added. */
  verdicts(summary: SegmentSummary): IndexVerdict[] {
    return this.#files.map((file) => file.verdict(summary));
  }
}

/** Follows the entries of one index file while the blocks go by. */
class CheckedFile {
  readonly #path: string;
  readonly #baseOffset: number;
  readonly #loaded: IndexFile | string | undefined;
  readonly #offsets: OffsetIndex | undefined;
  readonly #times: TimeIndex | undefined;
  #next = 0;
  #maxTimestamp = 0;
  #mistake: string | undefined;

  /** @param loaded - The file, why it is of no use, or `undefined` for a missing one. */
  constructor(
    path: string,
    baseOffset: number,
    magic: number,
    loaded: IndexFile | string | undefined,
  ) {
    this.#path = path;
    this.#baseOffset = baseOffset;
    this.#loaded = loaded;
    if (typeof loaded !== "object") return;
    if (magic === OFFSET_INDEX_MAGIC) this.#offsets = OffsetIndex.decode(loaded.entries);
    else this.#times = TimeIndex.decode(loaded.entries);
  }

  add(block: BlockHeader): void {
    const relativeOffset = block.baseOffset - this.#baseOffset;
    if (this.#offsets !== undefined) this.#followOffset(this.#offsets, relativeOffset, block);
    if (this.#times !== undefined) this.#followTime(this.#times, relativeOffset);
    this.#maxTimestamp = Math.max(this.#maxTimestamp, block.maxTimestamp);
  }

  #followOffset(index: OffsetIndex, relativeOffset: number, block: BlockHeader): void {
    if (this.#next >= index.count) return;
    const position = index.positionAt(this.#next);
    if (position > block.position) return;
    if (position < block.position) {
      this.#mistake ??= `entry ${this.#next} names position ${position}, where no block begins`;
    } else if (index.relativeOffsetAt(this.#next) !== relativeOffset) {
      this.#mistake ??=
        `entry ${this.#next} names offset ` +
        `${this.#baseOffset + index.relativeOffsetAt(this.#next)}, but the block there begins ` +
        `with ${block.baseOffset}`;
    }
    this.#next++;
  }

  #followTime(index: TimeIndex, relativeOffset: number): void {
    if (this.#next >= index.count) return;
    const named = index.relativeOffsetAt(this.#next);
    if (named > relativeOffset) return;
    if (named < relativeOffset) {
      this.#mistake ??=
        `entry ${this.#next} names offset ${this.#baseOffset + named}, ` +
        "with which no block begins";
    } else if (index.timestampAt(this.#next) !== this.#maxTimestamp) {
      this.#mistake ??=
        `entry ${this.#next} says that records before offset ${this.#baseOffset + named} are of ` +
        `${index.timestampAt(this.#next)} at the latest, which is ${this.#maxTimestamp}`;
    }
    this.#next++;
  }

  verdict(summary: SegmentSummary): IndexVerdict {
    const path = this.#path;
    const file = this.#loaded;
    if (file === undefined) return { path, state: "missing", reason: "it is missing" };
    if (typeof file === "string") return { path, state: "damaged", reason: file };
    const saved = file.summary;
    if (
      saved.segmentChecksum !== summary.segmentChecksum ||
      saved.endPosition !== summary.endPosition ||
      saved.lastChecksum !== summary.lastChecksum
    ) {
      return { path, state: "stale", reason: "it was made for other data than there is now" };
    }
    if (this.#mistake !== undefined) return { path, state: "false", reason: this.#mistake };
    if (this.#next < file.entryCount) {
      return { path, state: "false", reason: `entry ${this.#next} names no block of the data` };
    }
    const wrong = (Object.keys(summary) as (keyof SegmentSummary)[]).find(
      (field) => saved[field] !== summary[field],
    );
    if (wrong === undefined) return { path, state: "sound", reason: "" };
    const reason = `its header has ${wrong} ${saved[wrong]}, the data has ${summary[wrong]}`;
    return { path, state: "false", reason };
  }
}
