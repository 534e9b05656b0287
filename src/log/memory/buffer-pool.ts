const SMALLEST_BYTES = 4096;
/** How much memory the pool keeps for later; a longer buffer is made for one use. */
const MAX_KEPT_BYTES = 8 * 1024 * 1024;

/**
 * Buffers for groups that are being filled or written, reused because a fresh megabyte costs more
 * than filling it. Sizes are powers of two, so that a log that writes little takes little.
 */
export class BufferPool {
  readonly #free = new Map<number, Buffer[]>();
  #keptBytes = 0;

  /** A buffer of at least `byteLength`, with whatever was in it. */
  take(byteLength: number): Buffer {
    let size = SMALLEST_BYTES;
    while (size < byteLength) size *= 2;
    const kept = this.#free.get(size)?.pop();
    if (kept === undefined) return Buffer.allocUnsafeSlow(size);
    this.#keptBytes -= size;
    return kept;
  }

  /** Gives back a buffer that nobody looks at any more. */
  give(buffer: Buffer): void {
    const size = buffer.length;
    const isPoolSize = size >= SMALLEST_BYTES && (size & (size - 1)) === 0;
    if (!isPoolSize || size > MAX_KEPT_BYTES || !this.#makeRoom(size)) return;
    const list = this.#free.get(size);
    if (list === undefined) this.#free.set(size, [buffer]);
    else list.push(buffer);
    this.#keptBytes += size;
  }

  /** Lets go of buffers of other sizes, if need be: nobody may ask for those any more. */
  #makeRoom(size: number): boolean {
    for (const [other, list] of this.#free) {
      while (other !== size && list.length > 0 && this.#keptBytes + size > MAX_KEPT_BYTES) {
        list.pop();
        this.#keptBytes -= other;
      }
    }
    return this.#keptBytes + size <= MAX_KEPT_BYTES;
  }
}
