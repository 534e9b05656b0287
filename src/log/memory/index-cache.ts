import type { Segment } from "../../segment/segment.js";

/** How much memory indexes may take, over all logs of a store. */
const DEFAULT_LIMIT_BYTES = 32 * 1024 * 1024;

/**
 * Bounds the memory of indexes: those not used for longest are dropped, and loaded again when they
 * are needed. That of a segment which is written to is dropped by its log, when it is idle.
 */
export class IndexCache {
  readonly #limitBytes: number;
  /** In the order of last use, with the bytes counted for each. */
  readonly #segments = new Map<Segment, number>();
  #totalBytes = 0;

  constructor(limitBytes = DEFAULT_LIMIT_BYTES) {
    this.#limitBytes = limitBytes;
  }

  get totalBytes(): number {
    return this.#totalBytes;
  }

  /** Notes that a segment's index was used or has grown, and drops others if there are too many. */
  touch(segment: Segment): void {
    const byteLength = segment.index?.byteLength ?? 0;
    this.forget(segment);
    this.#segments.set(segment, byteLength);
    this.#totalBytes += byteLength;
    for (const [oldest, bytes] of this.#segments) {
      if (this.#totalBytes <= this.#limitBytes || oldest === segment) break;
      if (oldest.onIndexUnwanted === undefined) oldest.dropIndex();
      else oldest.onIndexUnwanted();
      this.#segments.delete(oldest);
      this.#totalBytes -= bytes;
    }
  }

  /** No longer counts a segment: it was deleted, or is dropped with its log. */
  forget(segment: Segment): void {
    const counted = this.#segments.get(segment);
    if (counted === undefined) return;
    this.#segments.delete(segment);
    this.#totalBytes -= counted;
  }
}
