const NEWLINE = 0x0a;

/** A line without its end, or why there is none to be had. */
export type InputLine = { readonly text: string } | { readonly fault: string };

/**
 * Cuts a stream of bytes into lines of UTF-8. What it keeps is bounded: of a line that is too long
 * nothing stays but its length, and it comes out as a fault when it ends.
 */
export class LineSplitter {
  readonly #maxLineBytes: number;
  readonly #decoder = new TextDecoder("utf-8", { fatal: true });
  /** The beginning of the line that has not ended yet; empty once it is too long. */
  #parts: Uint8Array[] = [];
  #lineBytes = 0;

  /** @param maxLineBytes - The longest line that is taken, its end not counted. */
  constructor(maxLineBytes: number) {
    this.#maxLineBytes = maxLineBytes;
  }

  /** Yields the lines that end in `chunk`, which must not be written to afterwards. */
  *split(chunk: Uint8Array): Generator<InputLine> {
    let start = 0;
    for (;;) {
      const end = chunk.indexOf(NEWLINE, start);
      if (end < 0) break;
      this.#add(chunk.subarray(start, end));
      yield this.#finish();
      start = end + 1;
    }
    this.#add(chunk.subarray(start));
  }

  /** The last line, if the stream ended without ending it. */
  end(): InputLine | undefined {
    return this.#lineBytes === 0 ? undefined : this.#finish();
  }

  #add(part: Uint8Array): void {
    this.#lineBytes += part.length;
    if (this.#lineBytes > this.#maxLineBytes) this.#parts = [];
    else if (part.length > 0) this.#parts.push(part);
  }

  #finish(): InputLine {
    const parts = this.#parts;
    const lineBytes = this.#lineBytes;
    this.#parts = [];
    this.#lineBytes = 0;
    if (lineBytes > this.#maxLineBytes) {
      return { fault: `a line of ${lineBytes} bytes, more than ${this.#maxLineBytes}` };
    }
    try {
      return { text: this.#decoder.decode(parts.length === 1 ? parts[0] : Buffer.concat(parts)) };
    } catch {
      return { fault: `a line of ${lineBytes} bytes that are not UTF-8` };
    }
  }
}
