import type { Block } from "../format/block.js";
import type { Segment } from "../segment/segment.js";

/** Sets of two places; a power of two. */
const SETS = 4096;
/** How much memory blocks may take, over all logs of a store. */
const DEFAULT_LIMIT_BYTES = 32 * 1024 * 1024;

/** Of the memory, what one block may take. */
const MAX_SHARE = 1 / 64;

/**
 * Blocks that were read one by one and verified, for reads that come back to them. A block may be
 * in one of two places, of which a new one takes that of the longer unused.
 */
export class BlockCache {
  readonly #limitBytes: number;
  readonly #blocks: (Block | undefined)[] = new Array(SETS * 2).fill(undefined);
  readonly #segments: (Segment | undefined)[] = new Array(SETS * 2).fill(undefined);
  #totalBytes = 0;
  /** The place that is emptied next when there is too much. */
  #hand = 0;

  constructor(limitBytes = DEFAULT_LIMIT_BYTES) {
    this.#limitBytes = limitBytes;
  }

  get totalBytes(): number {
    return this.#totalBytes;
  }

  /** The block of a segment that begins at `position`, if it is here. */
  get(segment: Segment, position: number): Block | undefined {
    const first = placeOf(segment, position);
    if (this.#isAt(first, segment, position)) return this.#blocks[first];
    if (!this.#isAt(first + 1, segment, position)) return undefined;
    this.#swap(first);
    return this.#blocks[first];
  }

  /** Keeps a block, all of whose memory it has for itself; unless it would drive many others out. */
  add(segment: Segment, block: Block): void {
    if (block.header.bodyBytes > this.#limitBytes * MAX_SHARE) return;
    const first = placeOf(segment, block.header.position);
    this.#swap(first);
    this.#empty(first);
    this.#blocks[first] = block;
    this.#segments[first] = segment;
    this.#totalBytes += block.header.bodyBytes;
    while (this.#totalBytes > this.#limitBytes) {
      this.#empty(this.#hand);
      this.#hand = (this.#hand + 1) % this.#blocks.length;
    }
  }

  #isAt(place: number, segment: Segment, position: number): boolean {
    return this.#segments[place] === segment && this.#blocks[place]!.header.position === position;
  }

  /** Exchanges the two places of a set. */
  #swap(first: number): void {
    const block = this.#blocks[first];
    const segment = this.#segments[first];
    this.#blocks[first] = this.#blocks[first + 1];
    this.#segments[first] = this.#segments[first + 1];
    this.#blocks[first + 1] = block;
    this.#segments[first + 1] = segment;
  }

  #empty(place: number): void {
    this.#totalBytes -= this.#blocks[place]?.header.bodyBytes ?? 0;
    this.#blocks[place] = undefined;
    this.#segments[place] = undefined;
  }
}

/** First place of the set for a block: positions and base offsets rise evenly, so they are mixed. */
function placeOf(segment: Segment, position: number): number {
  const mixed = Math.imul(position, 0x9e3779b1) ^ Math.imul(segment.baseOffset, 0x85ebca6b);
  return (Math.imul(mixed ^ (mixed >>> 15), 0x2c1b3c6d) >>> 20) * 2;
}
