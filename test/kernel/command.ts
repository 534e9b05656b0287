import { spawnSync } from "node:child_process";

/** Longer than any of these commands takes, also on a busy machine. */
const TIMEOUT_MS = 60_000;

/**
 * Runs a program of the system and returns what it printed.
 *
 * @throws Error with what it said if it fails.
 */
export function command(name: string, ...args: readonly string[]): string {
  const { status, signal, stdout, stderr, error } = spawnSync(name, args, {
    encoding: "utf8",
    timeout: TIMEOUT_MS,
  });
  if (error !== undefined) throw new Error(`${name}: ${error.message}`);
  if (status === 0) return stdout.trim();
  throw new Error(`${name} ${args.join(" ")} ended with ${status ?? signal}: ${stderr.trim()}`);
}
