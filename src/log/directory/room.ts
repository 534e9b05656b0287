/*
 * Room: zeros behind the data of an active segment, into which a log that syncs each group writes.
 * A sync of bytes within a file's length has nothing to store but them; one that makes the file
 * longer has the length to store as well, in the file system's own journal, and takes about twice
 * as long. Zeros at the end of a segment are no part of the log, and a sealed segment has none.
 */

/** Room for fewer groups of a length is not made: to write their zeros costs more than it saves. */
const LEAST_GROUPS = 16;

/** How much room logs get. */
export interface RoomLimits {
  /** Segments that are shorter have none. */
  readonly roomFromBytes: number;
  /** The most that is made at a time. */
  readonly roomBytes: number;
}

/**
 * How much room to make behind a group: first for a few like it, then twice as much each time, so
 * that a log that takes a few records and is closed writes few zeros.
 *
 * @param start - Where in the segment the group begins.
 * @param end - Where it ends, which is behind the room that there is.
 * @param before - How much was made the last time.
 */
export function roomBehind(
  start: number,
  end: number,
  before: number,
  segmentBytes: number,
  { roomFromBytes, roomBytes }: RoomLimits,
): number {
  if (end < roomFromBytes) return 0;
  const least = (end - start) * LEAST_GROUPS;
  const byteLength = Math.min(Math.max(before * 2, least), roomBytes, segmentBytes - end);
  return byteLength < least ? 0 : byteLength;
}

let zeros = new Uint8Array(0);

/** Zeros, as many as asked for; nobody may write to them. */
export function zerosOf(byteLength: number): Uint8Array {
  if (zeros.length < byteLength) zeros = new Uint8Array(byteLength);
  return zeros.subarray(0, byteLength);
}
