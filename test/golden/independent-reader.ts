import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

const PROGRAM = fileURLToPath(new URL("read_log.py", import.meta.url));

/** The independent reader needs Python and its module for file locks. */
export const hasPython = spawnSync("python3", ["-c", "import fcntl"]).status === 0;

/** What a reader says that was written in another language from docs/file-format.md. */
// biome-ignore lint/suspicious/noExplicitAny: what a program prints.
export function readIndependently(kind: "log" | "store", directory: string): any {
  const run = spawnSync("python3", [PROGRAM, kind, directory], { encoding: "utf8" });
  if (run.status !== 0) throw new Error(run.stderr);
  return JSON.parse(run.stdout);
}
