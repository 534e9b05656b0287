import { createReadStream } from "node:fs";
import type { Readable } from "node:stream";
import { SeglogError } from "../errors.js";
import { systemFailure } from "../files/file-errors.js";
import { UsageError } from "./failure.js";

const NEWLINE = 0x0a;

/** Opens a file with lines, which need not be part of any log. */
export function openInput(path: string): Readable {
  return createReadStream(path, { highWaterMark: 64 * 1024 });
}

/**
 * The lines of a stream, as they arrive: each list holds the lines that ended
 * in one piece of input. A line comes without its line feed; a last line needs none.
 *
 * @param name - What the stream is called in messages.
 * @param maxLineBytes - A longer line ends the input with `RECORD_TOO_LARGE`; so memory is bounded.
 */
export async function* readLines(
  stream: Readable,
  name: string,
  maxLineBytes: number,
): AsyncGenerator<Uint8Array[], void, void> {
  let parts: Uint8Array[] = [];
  let length = 0;
  /** Returns whether the line is still short enough. */
  const add = (part: Uint8Array): boolean => {
    length += part.length;
    if (length > maxLineBytes) return false;
    if (part.length > 0) parts.push(part);
    return true;
  };
  const take = () => {
    const line = parts.length === 1 ? parts[0]! : Buffer.concat(parts);
    parts = [];
    length = 0;
    return line;
  };
  try {
    for await (const chunk of stream as AsyncIterable<Uint8Array>) {
      const lines: Uint8Array[] = [];
      let start = 0;
      let fits = true;
      for (
        let end = chunk.indexOf(NEWLINE);
        fits && end >= 0;
        end = chunk.indexOf(NEWLINE, start)
      ) {
        fits = add(chunk.subarray(start, end));
        if (!fits) break;
        lines.push(take());
        start = end + 1;
      }
      fits &&= add(chunk.subarray(start));
      // Handed on first: lines before one that is too long are kept.
      if (lines.length > 0) yield lines;
      if (!fits) throw tooLong(maxLineBytes);
    }
  } catch (error) {
    if (error instanceof SeglogError) throw error;
    throw inputFailure(error, name);
  }
  if (length > 0) yield [take()];
}

/**
 * The whole of a file that should be short.
 *
 * @throws UsageError if it is longer than `maxBytes`, or there is none.
 */
export async function readSmallFile(path: string, maxBytes: number): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  let length = 0;
  try {
    for await (const piece of openInput(path) as AsyncIterable<Uint8Array>) {
      pieces.push(piece);
      length += piece.length;
      if (length > maxBytes) throw new UsageError(`${path} is longer than ${maxBytes} bytes.`);
    }
  } catch (error) {
    if (error instanceof UsageError) throw error;
    throw inputFailure(error, path);
  }
  return Buffer.concat(pieces);
}

function inputFailure(error: unknown, name: string): Error {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  if (code === "ENOENT") return new UsageError(`The file ${name} does not exist.`);
  if (code === "EISDIR") return new UsageError(`${name} is a directory, not a file.`);
  return systemFailure(error, "read", name);
}

function tooLong(maxLineBytes: number): SeglogError {
  return new SeglogError(
    "RECORD_TOO_LARGE",
    `A line is longer than ${maxLineBytes} bytes, the longest record. Lines before it were ` +
      "appended.",
  );
}
