import { create } from "@bufbuild/protobuf";
import { Codec, type Pack, PackSchema } from "./generated/seglog/v1/log_service_pb.js";

/**
 * Most records of one batch or pack. An empty record takes one byte of a message, but an object in
 * memory: without a bound, a message of some megabytes would take up hundreds.
 */
export const MAX_BATCH_RECORDS = 65_536;

/** Puts values into one piece. It is a copy: nothing of them is kept. */
export function packValues(values: readonly Uint8Array[]): Pack {
  const lengths = new Array<number>(values.length);
  let byteLength = 0;
  for (let index = 0; index < values.length; index++) {
    const { length } = values[index]!;
    lengths[index] = length;
    byteLength += length;
  }
  const bytes = new Uint8Array(byteLength);
  let position = 0;
  let start = 0;
  while (start < values.length) {
    const end = endOfNeighbours(values, start);
    const first = values[start]!;
    const last = values[end - 1]!;
    const runBytes = last.byteOffset + last.length - first.byteOffset;
    bytes.set(new Uint8Array(first.buffer, first.byteOffset, runBytes), position);
    position += runBytes;
    start = end;
  }
  return create(PackSchema, { values: bytes, lengths });
}

/**
 * Where the values end that lie one behind the other in memory, as those of one block do. To copy
 * them together is several times faster than one by one.
 */
function endOfNeighbours(values: readonly Uint8Array[], start: number): number {
  const { buffer, byteOffset, length } = values[start]!;
  let position = byteOffset + length;
  let end = start + 1;
  while (end < values.length) {
    const value = values[end]!;
    if (value.byteOffset !== position || value.buffer !== buffer) break;
    position += value.length;
    end++;
  }
  return end;
}

/**
 * The values of a pack that is not compressed, as views of it.
 *
 * @throws RangeError if it is compressed, if the lengths and the values contradict each other, and
 *   for more than {@link MAX_BATCH_RECORDS} records.
 */
export function unpackValues(pack: Pack): Uint8Array[] {
  if (pack.codec !== Codec.UNSPECIFIED) {
    throw new RangeError(
      `A pack is compressed with codec ${pack.codec}, which is not expected here`,
    );
  }
  const { lengths } = pack;
  if (packedBytes(pack) !== pack.values.length) {
    throw new RangeError(
      `The lengths of a pack add up to ${packedBytes(pack)} bytes, but it has ${pack.values.length}`,
    );
  }
  // A `Buffer` would give views that are buffers, whose `slice()` copies nothing.
  const { buffer, byteOffset } = pack.values;
  const values = new Array<Uint8Array>(lengths.length);
  let position = byteOffset;
  for (let index = 0; index < lengths.length; index++) {
    const length = lengths[index]!;
    values[index] = new Uint8Array(buffer, position, length);
    position += length;
  }
  return values;
}

/**
 * What the values of a pack take when they are not compressed.
 *
 * @throws RangeError for more than {@link MAX_BATCH_RECORDS} records.
 */
export function packedBytes({ lengths }: Pack): number {
  if (lengths.length > MAX_BATCH_RECORDS) {
    throw new RangeError(
      `A pack holds at most ${MAX_BATCH_RECORDS} records, not ${lengths.length}: split it`,
    );
  }
  // So few 32-bit numbers never add up to more than a number holds exactly.
  let byteLength = 0;
  for (const length of lengths) byteLength += length;
  return byteLength;
}
