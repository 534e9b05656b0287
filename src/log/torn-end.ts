import type { LogMetadata } from "../format/log-metadata.js";
import type { PublishedEnd } from "../format/published-end.js";
import type { Segment } from "../segment/segment.js";
import { endOfData } from "../segment/zeros.js";
import type { LogSurvey } from "./log-survey.js";
import type { TailScan } from "./tail-scan.js";

/** What is torn is told apart from room by whole sectors: the last one may have had more bytes. */
const SECTOR_BYTES = 512;

/**
 * Whether zeros behind the end of the newest segment can be room: only a writer that synced each
 * group makes some, and what it published was durable.
 *
 * @param published - What the last writer published, if that is still there; nobody may be writing.
 */
export function canBeRoom(
  { synced, epoch }: LogMetadata,
  published: PublishedEnd | undefined,
  endOffset: number,
): boolean {
  return synced && !(published?.epoch === epoch && published.endOffset > endOffset);
}

/** The same for one who looks on: whether zeros behind an end offset of its newest segment can be. */
export function roomIn({
  metadata,
  lastPublished,
}: Pick<LogSurvey, "metadata" | "lastPublished">): (endOffset: number) => boolean {
  return (endOffset) => metadata !== undefined && canBeRoom(metadata, lastPublished, endOffset);
}

/**
 * Where those bytes of the newest segment end that belong to no complete batch: at the end of the
 * file, or where room begins.
 */
export async function tornEndOf(
  segment: Segment,
  { end, invalidPosition, fileBytes }: TailScan,
  metadata: LogMetadata,
  published: PublishedEnd | undefined,
): Promise<number> {
  if (!canBeRoom(metadata, published, end.endOffset)) return fileBytes;
  const dataEnd = await endOfData(segment.file, invalidPosition, fileBytes);
  return Math.min(tornEndBefore(invalidPosition, dataEnd), fileBytes);
}

/**
 * The same, where it is known which bytes are zeros.
 *
 * @param validEnd - Where the last valid block ends.
 * @param dataEnd - One past the last byte behind it that is not zero; `validEnd` if there is none.
 */
export function tornEndBefore(validEnd: number, dataEnd: number): number {
  if (dataEnd === validEnd) return validEnd;
  return Math.ceil(dataEnd / SECTOR_BYTES) * SECTOR_BYTES;
}
