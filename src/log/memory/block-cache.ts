import type { Block } from "../../format/block.js";
import type { Segment } from "../../segment/segment.js";

/** How much memory blocks may take, over all logs of a store. */
const DEFAULT_LIMIT_BYTES = 32 * 1024 * 1024;
/** Of the memory, what one block may take. */
const MAX_SHARE = 1 / 64;
/** What a block takes beside its bytes, about. */
const OVERHEAD_BYTES = 500;
/** Memory of these lengths and of the powers of two between, which fit most blocks, is used again. */
const LEAST_RECYCLED_BYTES = 1024;
const MOST_RECYCLED_BYTES = 8192;
/** More of each length than this is not kept for later. */
const MAX_RECYCLED = 64;

interface CachedBlock {
  readonly segment: Segment;
  readonly block: Block;
  readonly memory: ArrayBufferLike | undefined;
  readonly byteLength: number;
  /** Since it was last passed over when there was too much. */
  wasUsed: boolean;
}

/**
 * Blocks that were read one by one and verified, for reads that come back to them. When there is
 * too much, the oldest goes, but one that was used since gets another turn. Its memory serves the
 * next block: fresh memory costs more than reading into it. So nobody may keep a view of a block
 * from here.
 */
export class BlockCache {
  readonly #limitBytes: number;
  readonly #bySegment = new Map<Segment, Map<number, CachedBlock>>();
  /** All of them, looked at in turn for one that can go, with the places that are empty. */
  readonly #ring: (CachedBlock | undefined)[] = [];
  readonly #emptyPlaces: number[] = [];
  #hand = 0;
  /** By length. */
  readonly #recycled = new Map<number, ArrayBufferLike[]>();
  #totalBytes = 0;

  constructor(limitBytes = DEFAULT_LIMIT_BYTES) {
    this.#limitBytes = limitBytes;
  }

  get totalBytes(): number {
    return this.#totalBytes;
  }

  /** The block of a segment that begins at `position`, if it is here. */
  get(segment: Segment, position: number): Block | undefined {
    const cached = this.#bySegment.get(segment)?.get(position);
    if (cached === undefined) return undefined;
    cached.wasUsed = true;
    return cached.block;
  }

  /** Memory to read a block into that may be kept, with whatever was in it. */
  memoryFor(byteLength: number): Uint8Array {
    const length = memoryLengthOf(byteLength);
    const memory = this.#recycled.get(length)?.pop() ?? Buffer.allocUnsafeSlow(length).buffer;
    return new Uint8Array(memory, 0, byteLength);
  }

  /**
   * Keeps a block, all of whose memory it has for itself; unless it would drive many others out.
   *
   * @param memory - Of {@link memoryFor}, if the block lies there.
   */
  add(segment: Segment, block: Block, memory?: Uint8Array): void {
    const { position, bodyBytes } = block.header;
    const byteLength = (memory?.buffer.byteLength ?? bodyBytes) + OVERHEAD_BYTES;
    if (byteLength > this.#limitBytes * MAX_SHARE) return;
    if (this.#bySegment.get(segment)?.has(position)) return;
    while (this.#totalBytes + byteLength > this.#limitBytes) this.#removeOne();
    const cached = { segment, block, memory: memory?.buffer, byteLength, wasUsed: false };
    // Only now: making room may have taken the last one of this segment.
    const blocks = this.#bySegment.get(segment);
    if (blocks === undefined) this.#bySegment.set(segment, new Map([[position, cached]]));
    else blocks.set(position, cached);
    this.#ring[this.#emptyPlaces.pop() ?? this.#ring.length] = cached;
    this.#totalBytes += byteLength;
  }

  /** There must be one. */
  #removeOne(): void {
    for (;;) {
      const place = this.#hand;
      const cached = this.#ring[place];
      this.#hand = (place + 1) % this.#ring.length;
      if (cached === undefined) continue;
      if (cached.wasUsed) {
        cached.wasUsed = false;
        continue;
      }
      this.#ring[place] = undefined;
      this.#emptyPlaces.push(place);
      this.#forget(cached);
      return;
    }
  }

  #forget({ segment, block, memory, byteLength }: CachedBlock): void {
    const blocks = this.#bySegment.get(segment)!;
    blocks.delete(block.header.position);
    if (blocks.size === 0) this.#bySegment.delete(segment);
    this.#totalBytes -= byteLength;
    if (memory !== undefined && memory.byteLength <= MOST_RECYCLED_BYTES) this.#recycle(memory);
  }

  #recycle(memory: ArrayBufferLike): void {
    const alike = this.#recycled.get(memory.byteLength);
    if (alike === undefined) this.#recycled.set(memory.byteLength, [memory]);
    else if (alike.length < MAX_RECYCLED) alike.push(memory);
  }
}

/** How much memory to take for so many bytes: not much more, so that the cache holds what it can. */
function memoryLengthOf(byteLength: number): number {
  if (byteLength > MOST_RECYCLED_BYTES) return byteLength;
  if (byteLength <= LEAST_RECYCLED_BYTES) return LEAST_RECYCLED_BYTES;
  return 2 ** (32 - Math.clz32(byteLength - 1));
}
