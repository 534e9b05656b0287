import { join } from "node:path/posix";
import { Readable, Writable } from "node:stream";
import { run } from "../../src/cli/run.js";
import { createEnvironment } from "../../src/log/environment.js";
import { assertUnchanged } from "./examine.js";
import { BoundedFileSystem, type Image, STORE } from "./image.js";
import { kindOf } from "./layout.js";
import { Violation } from "./look.js";

/** How a command answers to damage: exit codes. */
const SOUND = 0;
const DAMAGED = 1;
const FAILED = 2;

/** Command lines that only read; the first two judge, and their exit code is known. */
function commandsFor(path: string, key: string): (readonly string[])[] {
  return [
    ["verify", STORE],
    ["repair", "--dry-run", STORE],
    ["inspect", STORE],
    ["inspect", STORE, "--key", key, "--json"],
    ["cat", STORE, "--key", key, "--from", "4"],
    ["offsets", STORE],
    ...(["LOCK", "cut"].includes(kindOf(path))
      ? []
      : [["dump", join(STORE, path), "--records"] as const]),
    ["repair", STORE, "--salvage", "/saved"],
  ];
}

/** Runs one of the commands on a damaged store, `turn` says which, and judges how it ends. */
export async function examineCommand(
  { image, path }: { readonly image: Image; readonly path: string },
  key: string,
  isDamaged: boolean,
  turn: number,
): Promise<void> {
  const commands = commandsFor(path, key);
  const args = commands[turn % commands.length]!;
  const fileSystem = new BoundedFileSystem(image);
  const stdout = new Sink();
  const stderr = new Sink();
  const streams = { stdin: Readable.from([]), stdout, stderr };
  const code = await run(args, streams, createEnvironment(fileSystem));
  const told = `${args.join(" ")} ends with ${code}: ${stderr.text}${stdout.text}`;
  if (fileSystem.isExhausted) throw new Violation(`${args.join(" ")} hangs`);
  if (![SOUND, DAMAGED, FAILED].includes(code)) throw new Violation(told);
  if (!/^(seglog: [^\n]*\n)*$/.test(stderr.text)) throw new Violation(told);
  if (/INTERNAL|ERR_|TypeError|NOT_A_STORE/.test(stderr.text)) throw new Violation(told);
  const judges = args[0] === "verify" || args[1] === "--dry-run";
  if (judges && code !== (isDamaged ? DAMAGED : SOUND)) throw new Violation(told);
  if (args.includes("--salvage") && /NOT sound/.test(stdout.text)) throw new Violation(told);
  assertUnchanged(fileSystem, image, args.join(" "));
}

/** Keeps what is written to it. */
class Sink extends Writable {
  text = "";

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.text += chunk;
    done();
  }
}
