import { CorruptionError } from "../../errors.js";
import type { Block } from "../../format/block.js";
import { BlockAttribute, type BlockHeader } from "../../format/block-header.js";
import type { SegmentSummary } from "../../format/index-file.js";
import { blockError } from "../../segment/block-source.js";
import { blockEnd, type WalkStep, walkBlocks } from "../../segment/block-walk.js";
import type { IndexCheck } from "../../segment/index-check.js";
import { SegmentIndex } from "../../segment/segment-index.js";
import type { Finding } from "../finding.js";
import type { SurveyedSegment } from "./log-survey.js";
import { continuity } from "./tail-scan.js";
import { startOfRoom } from "./torn-end.js";

/** Bytes in a segment that are not what they should be. */
export interface Flaw {
  readonly position: number;
  readonly endPosition: number;
  readonly reason: string;
  /** Offsets that it makes unreadable, as far as its surroundings tell. */
  readonly lost: readonly [from: number, to: number];
}

/** Where a segment's complete batches end, before its first flaw. */
export interface CompleteEnd {
  readonly endOffset: number;
  readonly endPosition: number;
  readonly lastBlockPosition: number;
  readonly lastChecksum: number;
}

/** What a full scan of one data file found. */
export interface SegmentCheck {
  readonly surveyed: SurveyedSegment;
  readonly flaws: readonly Flaw[];
  readonly complete: CompleteEnd;
  readonly endWithoutRoom: number;
  /** Whether a valid block follows {@link complete} that ends no batch before the first flaw. */
  readonly endsInsideBatch: boolean;
  /** One past the last offset of any valid block. */
  readonly reach: number;
  /** Checksum that the next segment must name, if damage does not hide it. */
  readonly chain: number | undefined;
  /** Gaps between offsets that damage does not explain: salvage leaves them. */
  readonly holes: readonly (readonly [from: number, to: number])[];
  /** In valid blocks. */
  readonly records: number;
  readonly summary: SegmentSummary | undefined;
}

/** Scans the blocks of one segment, in order. */
export class SegmentChecker {
  readonly #surveyed: SurveyedSegment;
  readonly #dataBeforeRoom: number | undefined;
  readonly #flaws: Flaw[] = [];
  readonly #holes: [number, number][] = [];
  #complete: CompleteEnd;
  #endWithoutRoom: number;
  #openBatch = false;
  #chain: number | undefined;
  #expectedOffset: number;
  #afterDamage: boolean;
  #records = 0;
  #sums: SegmentIndex | undefined;

  /** @param dataBeforeRoom - See `dataBeforeRoom`; `undefined` for all but the newest segment. */
  constructor(surveyed: SurveyedSegment, dataBeforeRoom: number | undefined) {
    const { segment, header, firstPosition } = surveyed;
    this.#surveyed = surveyed;
    this.#dataBeforeRoom = dataBeforeRoom;
    this.#endWithoutRoom = surveyed.endPosition;
    this.#chain = header?.checksum;
    this.#expectedOffset = segment.baseOffset;
    this.#afterDamage = header === undefined;
    this.#sums = header && SegmentIndex.empty(header);
    this.#complete = {
      endOffset: segment.baseOffset,
      endPosition: firstPosition,
      lastBlockPosition: 0,
      lastChecksum: header?.checksum ?? 0,
    };
  }

  /**
   * @param onBytes - Told how far the scan has come since the last call.
   * @throws SeglogError `UNSUPPORTED_FORMAT` for a block of a newer version.
   */
  async run(
    indexes: IndexCheck | undefined,
    onBytes: (count: number) => void,
  ): Promise<SegmentCheck> {
    const { source, firstPosition, endPosition } = this.#surveyed;
    if (source !== undefined) {
      let position = firstPosition;
      for await (const step of walkBlocks(source, firstPosition, endPosition)) {
        for (const block of step.blocks) {
          this.#take(block);
          indexes?.add(block.header);
        }
        this.#takeDamage(step);
        onBytes(step.nextPosition - position);
        position = step.nextPosition;
      }
    }
    return {
      surveyed: this.#surveyed,
      flaws: this.#flaws,
      complete: this.#complete,
      endWithoutRoom: this.#endWithoutRoom,
      endsInsideBatch: this.#openBatch,
      reach: this.#expectedOffset,
      chain: this.#chain,
      holes: this.#holes,
      records: this.#records,
      summary: this.#sums?.summary,
    };
  }

  #take(block: Block): void {
    const { header } = block;
    const broken =
      this.#chain === undefined
        ? orderOf(header, this.#expectedOffset)
        : continuity(header, this.#chain, this.#expectedOffset);
    if (broken !== undefined) this.#addFlaw(header.position, blockEnd(header), broken, header);
    else if (header.baseOffset > this.#expectedOffset) this.#noteGap(header.baseOffset);
    const wrong = checkRecords(block);
    if (wrong !== undefined) this.#addFlaw(header.position, blockEnd(header), wrong, header);
    this.#chain = header.checksum;
    this.#expectedOffset = Math.max(this.#expectedOffset, header.lastOffset + 1);
    this.#records += header.recordCount;
    this.#afterDamage = false;
    this.#sums?.add({ ...header, length: blockEnd(header) - header.position }, Number.MAX_VALUE);
    if (this.#flaws.length > 0) return;
    this.#openBatch = (header.attributes & BlockAttribute.lastOfBatch) === 0;
    if (this.#openBatch) return;
    this.#complete = {
      endOffset: header.lastOffset + 1,
      endPosition: blockEnd(header),
      lastBlockPosition: header.position,
      lastChecksum: header.checksum,
    };
  }

  #takeDamage({ damaged }: WalkStep): void {
    if (damaged === undefined) return;
    const { position, endPosition, invalid, header } = damaged;
    if (invalid.kind === "unsupported") {
      throw blockError(this.#surveyed.segment.path, position, invalid);
    }
    const isAtEnd = damaged.endPosition === this.#surveyed.endPosition;
    if (isAtEnd && this.#dataBeforeRoom !== undefined) {
      const dataEnd = Math.max(damaged.dataEnd, this.#dataBeforeRoom);
      this.#endWithoutRoom = startOfRoom(position, dataEnd, endPosition);
      if (this.#endWithoutRoom === position) return;
    }
    this.#addFlaw(position, endPosition, invalid.reason, header);
    // A header that holds says what the next block must be linked to, though its body is lost.
    const isOneBlock = header !== undefined && blockEnd(header) === endPosition;
    this.#chain = isOneBlock ? header.checksum : undefined;
    this.#afterDamage = true;
    if (header !== undefined) {
      this.#expectedOffset = Math.max(this.#expectedOffset, header.lastOffset + 1);
    }
  }

  #addFlaw(
    position: number,
    endPosition: number,
    reason: string,
    header: BlockHeader | undefined,
  ): void {
    const from = header?.baseOffset ?? this.#expectedOffset;
    const to = header === undefined ? from : header.lastOffset + 1;
    this.#flaws.push({ position, endPosition, reason, lost: [from, to] });
  }

  /** Offsets between two blocks: lost with the damage before them, or a hole. */
  #noteGap(baseOffset: number): void {
    const last = this.#flaws.at(-1);
    if (this.#afterDamage && last !== undefined) {
      this.#flaws[this.#flaws.length - 1] = { ...last, lost: [last.lost[0], baseOffset] };
    } else if (!this.#afterDamage) {
      this.#holes.push([this.#expectedOffset, baseOffset]);
    }
  }
}

function orderOf(header: BlockHeader, expectedOffset: number): string | undefined {
  return header.baseOffset < expectedOffset ? "the block's offsets go back" : undefined;
}

/** Takes every record of a block apart; returns what is wrong with them. */
export function checkRecords(block: Block): string | undefined {
  const { recordCount, lastOffset, baseOffset } = block.header;
  let before = baseOffset - 1;
  try {
    for (let index = 0; index < recordCount; index++) {
      const { offset } = block.recordAt(index);
      if (offset <= before) return "the offsets of its records do not rise";
      before = offset;
    }
  } catch (error) {
    if (error instanceof CorruptionError) return error.reason;
    throw error;
  }
  return before === lastOffset ? undefined : "its records do not reach its last offset";
}

/** A flaw as a finding. */
export function flawFinding(path: string, flaw: Flaw): Finding {
  const { position, endPosition, reason, lost } = flaw;
  const bytes = endPosition - position;
  const message = `${reason} (${bytes} bytes up to the next valid block)`;
  return {
    level: "damage",
    file: path,
    position,
    message: bytes > 0 ? message : reason,
    lost: lost[1] > lost[0] ? lost : undefined,
    remedy: "salvage",
  };
}
