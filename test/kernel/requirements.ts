import { accessSync, constants } from "node:fs";
import { join } from "node:path";

/** Programs, and the Debian packages that they are in. */
const PROGRAMS: readonly (readonly [program: string, debianPackage: string])[] = [
  ["strace", "strace"],
  ["xfs_io", "xfsprogs"],
  ["mkfs.xfs", "xfsprogs"],
  ["mkfs.ext4", "e2fsprogs"],
  ["eatmydata", "eatmydata"],
  ["prlimit", "util-linux"],
  ["fallocate", "util-linux"],
  ["losetup", "mount"],
  ["mount", "mount"],
  ["umount", "mount"],
  ["truncate", "coreutils"],
  ["df", "coreutils"],
];

/** What this machine lacks, a line each, with what to do; nothing is installed from here. */
export function missingRequirements(): string[] {
  const lines: string[] = [];
  if (process.platform !== "linux") lines.push("This needs Linux.");
  if (process.getuid?.() !== 0)
    lines.push("This needs root: it mounts file systems and cuts them.");
  const missing = PROGRAMS.filter(([program]) => !isOnPath(program));
  if (missing.length > 0) {
    const packages = [...new Set(missing.map(([, debianPackage]) => debianPackage))];
    lines.push(`Missing programs: ${missing.map(([program]) => program).join(", ")}.`);
    lines.push(`On Debian: apt-get install ${packages.join(" ")}`);
  }
  return lines;
}

function isOnPath(program: string): boolean {
  return (process.env.PATH ?? "").split(":").some((directory) => {
    try {
      accessSync(join(directory, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
