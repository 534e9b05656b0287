/** Width of a base offset in a file name: enough for any unsigned 64-bit integer. */
const OFFSET_DIGITS = 20;

/** The kinds of file that belong to a segment, by the suffix of their name. */
export const SegmentFileSuffix = {
  data: ".log",
  offsetIndex: ".index",
  timeIndex: ".timeindex",
} as const;
export type SegmentFileKind = keyof typeof SegmentFileSuffix;

/** File beside the segments that says what log this is; see `log-metadata.ts`. */
export const LOG_METADATA_FILE = "log.meta";
/** File in a store's directory that says what store this is. */
export const STORE_METADATA_FILE = "store.meta";
/** Directory of a store that holds one directory for each key. */
export const LOGS_DIRECTORY = "logs";
/** The log beside those of the keys that they share; see `journal-key.ts`. */
export const JOURNAL_DIRECTORY = ".journal";
/** A store's file of committed consumer offsets. */
export const CHECKPOINT_FILE = "committed-offsets";
/** The file whose advisory lock keeps a second writer out. */
export const LOCK_FILE = "LOCK";
/** Where a writer tells readers in other processes how far they may read. */
export const PUBLISHED_FILE = "published";
/** What a log knew of its producers at some end; see `producer-snapshot.ts`. */
export const PRODUCERS_FILE = "producers";
/** Ending of files that are being made; whoever opens for writing removes left-over ones. */
export const TEMPORARY_SUFFIX = ".tmp";
/** Part of the names of files that keep bytes which recovery cut off. */
export const CUT_MARK = ".cut-";

/** `00000000000000000042.log` for the data file of the segment with base offset 42. */
export function segmentFileName(baseOffset: number, kind: SegmentFileKind): string {
  return String(baseOffset).padStart(OFFSET_DIGITS, "0") + SegmentFileSuffix[kind];
}

/**
 * Takes a segment's file name apart.
 *
 * @returns `undefined` for every other name, so that foreign files are left alone.
 */
export function parseSegmentFileName(
  name: string,
): { readonly baseOffset: number; readonly kind: SegmentFileKind } | undefined {
  const digits = name.slice(0, OFFSET_DIGITS);
  if (!/^[0-9]{20}$/.test(digits)) return undefined;
  const baseOffset = Number(digits);
  if (!Number.isSafeInteger(baseOffset)) return undefined;
  const suffix = name.slice(OFFSET_DIGITS);
  for (const kind of ["data", "offsetIndex", "timeIndex"] as const) {
    if (SegmentFileSuffix[kind] === suffix) return { baseOffset, kind };
  }
  return undefined;
}
