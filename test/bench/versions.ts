import { readFileSync } from "node:fs";
import { join } from "node:path";
import { installedVersion } from "./peers.js";
import type { Workload } from "./workload.js";

/** The versions of seglog and of the peers of some workloads that are installed, by name. */
export function versionsOf(workloads: readonly Workload[]): Readonly<Record<string, string>> {
  const manifest = readFileSync(join(process.cwd(), "package.json"), "utf8");
  const { version } = JSON.parse(manifest) as { readonly version: string };
  const versions: Record<string, string> = { seglog: version };
  for (const { peer } of workloads.flatMap(({ contenders }) => contenders)) {
    const installed = peer === undefined ? undefined : installedVersion(peer);
    if (installed !== undefined) versions[peer!] = installed;
  }
  return versions;
}
