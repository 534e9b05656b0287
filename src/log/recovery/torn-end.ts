import type { LogMetadata } from "../../format/log-metadata.js";
import type { PublishedEnd } from "../../format/published-end.js";
import type { Segment } from "../../segment/segment.js";
import { endOfData } from "../../segment/zeros.js";
import { SECTOR_BYTES } from "./lost-sectors.js";
import type { TailScan } from "./tail-scan.js";

/**
 * Before which position of the newest segment there was data: zeros there are what is left of it,
 * and only those behind it can be room. Nobody may be writing.
 *
 * @param published - What the last writer published of the log, if that is still there.
 * @returns `undefined` if there is no room: only a writer that synced each group makes some, and it
 *   takes it back when it closes the log.
 */
export function dataBeforeRoom(
  baseOffset: number,
  { synced, clean, epoch, end, truncation }: LogMetadata,
  published: PublishedEnd | undefined,
): number | undefined {
  if (!synced || clean) return undefined;
  const isPublished = published?.epoch === epoch && published.activeBaseOffset === baseOffset;
  const isRecorded = truncation === undefined && end.activeBaseOffset === baseOffset;
  return Math.max(isPublished ? published.endPosition : 0, isRecorded ? end.endPosition : 0);
}

/**
 * Where those bytes of the newest segment end that belong to no complete batch: at the end of the
 * file, or where room begins.
 *
 * @param knownData - See {@link dataBeforeRoom}.
 */
export async function tornEndOf(
  segment: Segment,
  { invalidPosition, fileBytes }: TailScan,
  knownData: number | undefined,
): Promise<number> {
  if (knownData === undefined) return fileBytes;
  const dataEnd = await endOfData(segment.file, invalidPosition, fileBytes);
  return startOfRoom(invalidPosition, Math.max(dataEnd, knownData), fileBytes);
}

/**
 * Where room begins: torn bytes are told from it by whole sectors, since the last one may have had
 * more of them.
 *
 * @param validEnd - Where the last valid block ends.
 * @param dataEnd - One past the last byte that is not zero, or that was not.
 */
export function startOfRoom(validEnd: number, dataEnd: number, fileBytes: number): number {
  if (dataEnd <= validEnd) return validEnd;
  return Math.min(Math.ceil(dataEnd / SECTOR_BYTES) * SECTOR_BYTES, fileBytes);
}
