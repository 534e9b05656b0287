import { execFileSync } from "node:child_process";
import { chmodSync, existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));

/**
 * Vitest's global setup: the tests of the command line and of the Maelstrom adapter start the
 * programs in dist/, so those must be made from the sources as they are now.
 *
 * Types are left to `npm run typecheck`: one bad type elsewhere should not keep a test from
 * running. dist/ is not emptied first, because another test run may be starting programs from it.
 */
export default function buildDist(): void {
  const compiler = join(root, "node_modules/typescript/bin/tsc");
  execFileSync(process.execPath, [compiler, "--noCheck"], { cwd: root, stdio: "inherit" });
  const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
    bin: Record<string, string>;
  };
  const programs = Object.values(manifest.bin).map((path) => join(root, path));
  // tsc keeps the mode of a file that is there and gives a new one none to execute it.
  for (const program of programs.filter(existsSync)) chmodSync(program, 0o755);
}
