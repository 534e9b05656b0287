import type { Writable } from "node:stream";
import { systemFailure } from "../files/file-errors.js";

/** Text is handed to the stream in pieces of about this length. */
const PIECE_BYTES = 64 * 1024;

function failureOf(error: NodeJS.ErrnoException): Error {
  if (error.code === "EPIPE") return new BrokenPipe();
  return systemFailure(error, "write to", "standard output");
}

/** The reader of our output went away, as `head` does. No failure: there is nothing left to do. */
export class BrokenPipe extends Error {}

/**
 * Standard output, for a reader that may be slow or go away. Writing is buffered and waits when
 * the reader does not keep up, so that memory stays bounded.
 */
export class Output {
  readonly #stream: Writable;
  #pieces: (string | Uint8Array)[] = [];
  #bytes = 0;
  #failure: Error | undefined;

  constructor(stream: Writable) {
    this.#stream = stream;
    stream.on("error", (error: NodeJS.ErrnoException) => {
      this.#failure = failureOf(error);
    });
  }

  /** Adds text or bytes as they are; `await` it where there may be many. */
  write(piece: string | Uint8Array): Promise<void> | undefined {
    this.#pieces.push(piece);
    this.#bytes += piece.length;
    return this.#bytes < PIECE_BYTES ? undefined : this.flush();
  }

  /** Adds a line, given without its end. */
  line(text = ""): Promise<void> | undefined {
    return this.write(`${text}\n`);
  }

  /**
   * Hands over everything added so far and waits until the reader has taken it.
   *
   * @throws BrokenPipe when there is no reader any more.
   */
  async flush(): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#pieces.length === 0) return;
    const pieces = this.#pieces;
    this.#pieces = [];
    this.#bytes = 0;
    const bytes = pieces.every((piece) => typeof piece === "string")
      ? pieces.join("")
      : Buffer.concat(pieces.map((piece) => Buffer.from(piece as Uint8Array)));
    await new Promise<void>((resolve, reject) => {
      this.#stream.write(bytes, (error) => {
        if (error === null || error === undefined) resolve();
        else reject(failureOf(error));
      });
    });
  }
}
