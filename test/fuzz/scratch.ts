import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A directory for one file of tests, which removes it when it is done. */
export function scratchDirectory(): { readonly path: string; remove(): void } {
  const path = mkdtempSync(join(tmpdir(), "seglog-fuzz-"));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}
