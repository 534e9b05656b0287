import { isMissing } from "../../files/file-errors.js";
import type { FileSystem } from "../../files/file-system.js";
import type { Segment } from "../../segment/segment.js";

/**
 * Removes a segment's files, its data last: without data an index is a stray that the next open
 * removes, but data without its index would only be read more slowly.
 */
export async function removeSegment(fileSystem: FileSystem, segment: Segment): Promise<void> {
  segment.file.discard();
  for (const path of [
    segment.indexPath("timeIndex"),
    segment.indexPath("offsetIndex"),
    segment.path,
  ]) {
    try {
      await fileSystem.unlink(path);
    } catch (error) {
      if (!isMissing(error)) throw error;
    }
  }
}
