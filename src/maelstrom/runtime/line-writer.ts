import { once } from "node:events";
import type { Writable } from "node:stream";

/**
 * Writes lines to a stream that may be slow, and may break when its reader goes away. Lines of the
 * same moment, such as the answers to all sends of one group, leave in one write.
 */
export class LineWriter {
  readonly #output: Writable;
  readonly #broken = new AbortController();
  /** Lines that are not written yet, and how long they are together. */
  #lines: string[] = [];
  #length = 0;

  constructor(output: Writable) {
    this.#output = output;
    output.on("error", () => this.#broken.abort());
  }

  /** Aborted once the stream takes nothing any more. */
  get broken(): AbortSignal {
    return this.#broken.signal;
  }

  /** Writes a line, given without its end; drops it if the stream is broken. */
  write(line: string): void {
    this.#lines.push(line);
    this.#length += line.length;
    // From here on the stream must know, so that it can say when it is enough.
    if (this.#length >= this.#output.writableHighWaterMark) this.#flush();
    else if (this.#lines.length === 1) process.nextTick(() => this.#flush());
  }

  /** Resolves when the stream wants more, or never will. Never rejects. */
  async room(): Promise<void> {
    const signal = this.broken;
    if (signal.aborted || !this.#output.writableNeedDrain) return;
    await once(this.#output, "drain", { signal }).catch(() => {});
  }

  #flush(): void {
    const lines = this.#lines;
    this.#lines = [];
    this.#length = 0;
    if (lines.length > 0 && !this.broken.aborted) this.#output.write(`${lines.join("\n")}\n`);
  }
}
