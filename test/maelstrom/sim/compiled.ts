import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";

/** Where this package is. */
export const PACKAGE_ROOT = new URL("../../../", import.meta.url);

/** Compiles the simulator and the naive node, as its command does; types are checked elsewhere. */
export function compileSimulator(): void {
  const path = (file: string) => fileURLToPath(new URL(file, PACKAGE_ROOT));
  const args = [
    path("node_modules/typescript/bin/tsc"),
    "--noCheck",
    "-p",
    path("test/maelstrom/sim"),
  ];
  execFileSync(process.execPath, args, { stdio: "inherit" });
}
