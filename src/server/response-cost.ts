import type { LogRecord } from "../format/record.js";
import type { CallRoom } from "./response-room.js";

/**
 * What an object for a record takes beside the bytes of its value, key and headers: measured with
 * records of 10 bytes, rounded up.
 */
const RECORD_BYTES = 384;
/** Encoded, and with its length in front. */
const ENCODED_COPIES = 2;
/** A name of a key or a group in an answer, which has at most 255 bytes, in all its forms. */
const NAME_BYTES = 1024;

type Stored = Pick<LogRecord, "value" | "key" | "headers">;

/** What an answer takes that is made of so many names, or of other things no longer. */
export function bytesOfNames(count: number): number {
  return NAME_BYTES * count;
}

/**
 * Reads records for a response, not before there is room for them.
 *
 * How long they are is known when they have been read. If there is no room for so much, they are
 * dropped, and read once more when there is: what waits holds nothing.
 *
 * @param maxBytes - How many bytes of records are asked for; a single record may be longer.
 * @param read - May be called more than once.
 * @throws What reading fails with; the signal's reason.
 */
export async function readInRoom<Found extends { readonly records: readonly Stored[] }>(
  room: CallRoom,
  maxBytes: number,
  signal: AbortSignal,
  read: () => Promise<Found>,
): Promise<Found> {
  let bytes = Math.max(room.leastUnknown, (1 + ENCODED_COPIES) * maxBytes);
  for (;;) {
    await room.take(bytes, signal);
    let found: Found;
    try {
      found = await read();
    } catch (error) {
      room.settle(0);
      throw error;
    }
    bytes = bytesOf(found.records);
    if (room.settle(bytes)) return found;
  }
}

/** What a response with these records takes, and what the records keep in memory. */
function bytesOf(records: readonly Stored[]): number {
  let bytes = records.length * RECORD_BYTES;
  let last: ArrayBufferLike | undefined;
  for (const { value, key, headers } of records) {
    bytes += ENCODED_COPIES * (value.length + (key?.length ?? 0));
    // Neighbours lie in the same piece of memory, and all of it is kept for a part of it.
    if (value.buffer !== last) bytes += value.buffer.byteLength;
    last = value.buffer;
    for (const [name, content] of headers ?? []) {
      bytes += RECORD_BYTES + (1 + ENCODED_COPIES) * (name.length + content.length);
    }
  }
  return bytes;
}
