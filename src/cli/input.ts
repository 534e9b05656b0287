import { createReadStream } from "node:fs";
import { SeglogError } from "../errors.js";
import { systemFailure } from "../files/file-errors.js";
import { UsageError } from "./failure.js";

const NEWLINE = 0x0a;

/**
 * The lines of a file, or of standard input, as they arrive: each list holds the lines that ended
 * in one piece of input. A line comes without its line feed; a last line needs none.
 *
 * @param path - `undefined` or `-` for standard input.
 * @param maxLineBytes - A longer line ends the input with `RECORD_TOO_LARGE`; so memory is bounded.
 */
export async function* readLines(
  path: string | undefined,
  maxLineBytes: number,
): AsyncGenerator<Uint8Array[], void, void> {
  const isStandard = path === undefined || path === "-";
  const stream = isStandard ? process.stdin : createReadStream(path, { highWaterMark: 256 * 1024 });
  let parts: Uint8Array[] = [];
  let length = 0;
  const add = (part: Uint8Array) => {
    length += part.length;
    if (length > maxLineBytes) throw tooLong(maxLineBytes);
    if (part.length > 0) parts.push(part);
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
      for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, start)) {
        add(chunk.subarray(start, end));
        lines.push(take());
        start = end + 1;
      }
      // Handed on before the rest is judged: lines before one that is too long are kept.
      if (lines.length > 0) yield lines;
      add(chunk.subarray(start));
    }
  } catch (error) {
    if (error instanceof SeglogError) throw error;
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    if (code === "ENOENT") throw new UsageError(`The file ${path} does not exist.`);
    if (code === "EISDIR") throw new UsageError(`${path} is a directory, not a file with lines.`);
    throw systemFailure(error, "read", isStandard ? "standard input" : path);
  }
  if (length > 0) yield [take()];
}

function tooLong(maxLineBytes: number): SeglogError {
  return new SeglogError(
    "RECORD_TOO_LARGE",
    `A line is longer than ${maxLineBytes} bytes, the longest record. Lines before it were ` +
      "appended.",
  );
}
