/*
 * Room: zeros behind the data of an active segment, into which a log that syncs each group writes.
 * A sync of bytes within a file's length has nothing to store but them; one that makes the file
 * longer has the length to store as well, in the file system's own journal, and takes about twice
 * as long. Zeros at the end of a segment are no part of the log, and a sealed segment has none.
 */

/** Groups longer than this part of the room get none: the length is the smaller part of their sync. */
const LEAST_GROUPS = 16;
/** Room is made in this proportion to what is there, so that small logs stay small. */
const SHARE_OF_DATA = 1 / 4;

/** How much room logs get. */
export interface RoomLimits {
  /** Logs whose newest segment is shorter have none. */
  readonly roomFromBytes: number;
  /** The most that is made at a time. */
  readonly roomBytes: number;
}

/**
 * How much room to make behind a group.
 *
 * @param start - Where in the segment the group begins.
 * @param end - Where it ends, which is behind the room that there is.
 */
export function roomBehind(
  start: number,
  end: number,
  segmentBytes: number,
  { roomFromBytes, roomBytes }: RoomLimits,
): number {
  if (end < roomFromBytes || (end - start) * LEAST_GROUPS > roomBytes) return 0;
  const byteLength = Math.min(roomBytes, Math.ceil(end * SHARE_OF_DATA));
  return Math.max(Math.min(byteLength, segmentBytes - end), 0);
}
