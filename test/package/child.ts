import { spawnSync } from "node:child_process";

/** Of the build that users get. */
export const DIST = new URL("../../dist/", import.meta.url).href;

/**
 * Runs an ES module in a process of its own and gives what it printed last, as JSON.
 *
 * @param limits - Arguments of the shell's `ulimit`, such as "-n 256".
 */
export function runModule(code: string, args: readonly string[], limits?: string): unknown {
  const node = [process.execPath, "--input-type=module", "-e", code, "--", ...args];
  const [command, ...rest] =
    limits === undefined ? node : ["bash", "-c", `ulimit ${limits} && exec "$@"`, "bash", ...node];
  const { status, stdout, stderr } = spawnSync(command!, rest, {
    encoding: "utf8",
    maxBuffer: 64 * 1024 * 1024,
  });
  if (status !== 0) throw new Error(`exit ${status}: ${stderr}${stdout}`);
  return JSON.parse(stdout.trim().split("\n").at(-1)!);
}
