import { statfsSync } from "node:fs";

/** Types of file systems that people run this on, by what `statfs` calls them on Linux. */
const NAMES: ReadonlyMap<number, string> = new Map([
  [0xef53, "ext4"],
  [0x58465342, "xfs"],
  [0x9123683e, "btrfs"],
  [0x01021994, "tmpfs"],
  [0x794c7630, "overlayfs"],
]);

/** The type of the file system that `directory`, which must exist, is on; a number if unknown. */
export function fileSystemType(directory: string): string {
  const { type } = statfsSync(directory);
  return NAMES.get(type) ?? `0x${type.toString(16)}`;
}
