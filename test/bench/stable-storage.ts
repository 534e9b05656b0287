import type { Workload } from "./workload.js";

/**
 * Sees to it that what waits for stable storage has one to wait for.
 *
 * @param fileSystem - The type of the file system that `directory` is on.
 * @throws Error if some workloads wait for it and a file system in memory has none.
 */
export function assertStableStorage(
  workloads: readonly Workload[],
  fileSystem: string,
  directory: string,
): void {
  const synced = workloads.filter(({ isSynced }) => isSynced === true);
  if (fileSystem !== "tmpfs" || synced.length === 0) return;
  const names = synced.map(({ name }) => name).join(", ");
  throw new Error(
    `${directory} is on tmpfs, in memory: a sync costs nothing there, so ${names} would measure ` +
      "nothing. Name a directory on a disk with --directory, or other workloads with --only.",
  );
}
