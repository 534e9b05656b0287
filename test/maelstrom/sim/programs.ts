import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { NodeProgram } from "./cluster.js";

/** What can be run: the engines of the node of this package, and the design to compare them with. */
export const ENGINES = ["segments", "kv", "naive"] as const;

export type Engine = (typeof ENGINES)[number];

/** Which program, and how. */
export interface ProgramChoice {
  readonly engine: Engine;
  /** Whether nodes forward requests to the owner of a key. The naive design never does. */
  readonly router: boolean;
}

/**
 * Calls `use` with the compiled program; data directories of its nodes go away afterwards.
 *
 * @param packageRoot - Where `dist/` and `.build/` are.
 */
export async function withProgram<T>(
  packageRoot: URL,
  { engine, router }: ProgramChoice,
  use: (program: NodeProgram) => Promise<T>,
): Promise<T> {
  if (engine === "naive") return await use(naiveProgram(packageRoot));
  const path = fileURLToPath(new URL("dist/maelstrom/main.js", packageRoot));
  if (engine === "kv") {
    return await use({ path, args: ["--engine=kv", ...(router ? [] : ["--no-router"])] });
  }
  const directory = mkdtempSync(join(tmpdir(), "seglog-maelstrom-"));
  try {
    return await use({ path, args: ["--data-dir", directory] });
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** The naive design, with a planted bug if one is named. */
export function naiveProgram(packageRoot: URL, bug?: string): NodeProgram {
  const path = fileURLToPath(new URL(".build/test/maelstrom/nodes/naive.js", packageRoot));
  return { path, args: bug === undefined ? [] : ["--bug", bug] };
}

/** The program's name as a report shows it. */
export function describeProgram({ engine, router }: ProgramChoice): string {
  return `${engine}${engine === "naive" || router ? "" : " without router"}`;
}
