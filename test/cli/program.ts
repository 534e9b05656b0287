import { type ChildProcess, spawn } from "node:child_process";
import { Readable, Writable } from "node:stream";
import { fileURLToPath } from "node:url";
import { run } from "../../src/cli/run.js";

/** The built program. */
const PROGRAM = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));

/** How a run of the program ended, and what it wrote. */
export interface Run {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
  /** Standard output as it came. */
  readonly bytes: Buffer;
}

/** Runs a command line in `cwd` to its end, inside of this process. */
export async function seglog(
  cwd: string,
  args: readonly string[],
  input: string | Uint8Array = "",
): Promise<Run> {
  const stdout = new Sink();
  const stderr = new Sink();
  const before = process.cwd();
  process.chdir(cwd);
  try {
    const stdin = Readable.from([Buffer.from(input)]);
    const code = await run(args, { stdin, stdout, stderr });
    const out = normalize(stdout.bytes.toString());
    return { code, out, err: normalize(stderr.bytes.toString()), bytes: stdout.bytes };
  } finally {
    process.chdir(before);
  }
}

/** Keeps what is written to it. */
class Sink extends Writable {
  readonly #chunks: Buffer[] = [];

  get bytes(): Buffer {
    return Buffer.concat(this.#chunks);
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.#chunks.push(chunk);
    done();
  }
}

/** Starts the built program as a process of its own, with pipes. */
export function start(cwd: string, args: readonly string[]): ChildProcess {
  return spawn(process.execPath, [PROGRAM, ...args], { cwd, stdio: "pipe" });
}

/** Resolves with the exit code when the process and its pipes have ended. */
export function endOf(child: ChildProcess): Promise<number | null> {
  return new Promise((resolve) => child.once("close", (code) => resolve(code)));
}

/** Replaces what differs from run to run, in the width that it had. */
function normalize(text: string): string {
  return text
    .replace(/\b[0-9a-f]{32}\b/g, "<id>")
    .replace(/checksum [0-9a-f]{8}\b/g, "checksum <crc>")
    .replace(/\b20(?!20)\d\d-\d\d-\d\dT[\d:.]{12}Z/g, "<time>")
    .replace(/process \d+/g, "process <pid>");
}
