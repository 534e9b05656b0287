import { readFileSync } from "node:fs";

/**
 * How many files this process may have open at a time, where the system tells (Linux).
 * Source: proc_pid_limits(5).
 */
export function openFileLimit(): number | undefined {
  try {
    const limits = readFileSync("/proc/self/limits", "latin1");
    const soft = /^Max open files\s+(\d+)/m.exec(limits)?.[1];
    return soft === undefined ? undefined : Number(soft);
  } catch {
    return undefined;
  }
}
