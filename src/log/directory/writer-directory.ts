import { join } from "node:path";
import type { FileSystem } from "../../files/file-system.js";
import { STORE_METADATA_FILE } from "../../format/file-names.js";
import type { LogMetadata } from "../../format/log-metadata.js";

/**
 * The directory that a log's writer locks, and publishes ends in: the log's own, or its store's.
 * Join no name to it, which would take `..` away: a log may be reached through a symbolic link
 * outside of the store, behind which only the system knows what lies above.
 */
export async function writerDirectory(
  fileSystem: FileSystem,
  directory: string,
  { storeId }: LogMetadata,
): Promise<string> {
  if (storeId === undefined) return directory;
  const above = join(directory, "..", "..");
  const kind = await fileSystem.kindOf(join(above, STORE_METADATA_FILE));
  return kind === undefined ? `${directory}/../..` : above;
}
