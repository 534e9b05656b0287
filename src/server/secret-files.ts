import { open } from "node:fs/promises";
import { SeglogError } from "../errors.js";
import { systemFailure } from "../files/file-errors.js";

/** Certificates and tokens of a thousand clients fit in well. */
const MAX_BYTES = 1024 * 1024;
/** Others may do nothing with a secret, and the group may at most read it. */
const TOO_OPEN = 0o027;

/**
 * Reads a file that an operator wrote: certificates.
 *
 * @throws SeglogError `FILE_ACCESS`, `IO_ERROR`; RangeError for one that is longer than 1 MiB.
 */
export function readGivenFile(path: string): Promise<Buffer> {
  return read(path, false);
}

/**
 * As {@link readGivenFile}, of a secret: a private key, tokens.
 *
 * @throws SeglogError `UNSAFE_PATH` if others than its owner and its group can read it, or others
 *   than its owner can write to it.
 */
export function readSecretFile(path: string): Promise<Buffer> {
  // Windows has no such bits: what it shows there means nothing.
  return read(path, process.platform !== "win32");
}

async function read(path: string, isSecret: boolean): Promise<Buffer> {
  try {
    await using file = await open(path, "r");
    const { mode, size } = await file.stat();
    if (isSecret && (mode & TOO_OPEN) !== 0) throw tooOpen(path, mode);
    if (size > MAX_BYTES) throw new RangeError(`${path} is longer than ${MAX_BYTES} bytes`);
    return await file.readFile();
  } catch (error) {
    if (error instanceof SeglogError || error instanceof RangeError) throw error;
    throw systemFailure(error, "read", path);
  }
}

function tooOpen(path: string, mode: number): SeglogError {
  const permissions = (mode & 0o777).toString(8).padStart(3, "0");
  return new SeglogError(
    "UNSAFE_PATH",
    `${path} holds secrets, and its permissions (${permissions}) let others at them. ` +
      `Make it private: chmod 600 ${path}`,
  );
}
