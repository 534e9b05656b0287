import type { RecordInput } from "../format/record.js";
import type { ProducerSequence } from "../log/queue/append-options.js";
import {
  type AppendRequest,
  Durability,
  type Record,
} from "../wire/generated/seglog/v1/log_service_pb.js";
import { MAX_BATCH_RECORDS, packedBytes, unpackValues } from "../wire/pack.js";
import { decompressPack } from "../wire/pack-compression.js";
import { fromRecord } from "../wire/records.js";

/**
 * Checks what a request to append says of itself, before anything is made of it.
 *
 * @returns Bytes of its records, not compressed.
 * @throws RangeError for no records, records and a pack, too many of them, an unknown durability.
 */
export function checkAppendRequest(request: AppendRequest, maxBytes: number): number {
  const { records, pack, durability } = request;
  if (durability !== Durability.UNSPECIFIED && durability !== Durability.SYNCED) {
    throw new RangeError(`Durability ${durability} is not known here`);
  }
  if (pack !== undefined && records.length > 0) {
    throw new RangeError("A request to append has either records or a pack, not both");
  }
  const count = pack === undefined ? records.length : pack.lengths.length;
  if (count === 0) throw new RangeError("A request to append needs at least one record");
  if (count > MAX_BATCH_RECORDS) {
    throw new RangeError(
      `A batch has at most ${MAX_BATCH_RECORDS} records, not ${count}: split it`,
    );
  }
  const bytes = pack === undefined ? bytesOf(records) : packedBytes(pack);
  if (bytes <= maxBytes) return bytes;
  throw new RangeError(`A batch has at most ${maxBytes} bytes, not ${bytes}: split it`);
}

function bytesOf(records: readonly Record[]): number {
  let bytes = 0;
  for (const { value, key, headers } of records) {
    bytes += value.length + (key?.length ?? 0);
    for (const { name, value } of headers) bytes += name.length + value.length;
  }
  return bytes;
}

/**
 * The records of a request that {@link checkAppendRequest} has passed.
 *
 * @throws RangeError for a pack or a record that is wrong in itself.
 */
export function recordsOf({ records, pack }: AppendRequest, maxBytes: number): RecordInput[] {
  if (pack === undefined) return records.map(fromRecord);
  return unpackValues(decompressPack(pack, maxBytes));
}

/** The producer of a request, if it has one. */
export function producerOf({ producer }: AppendRequest): ProducerSequence | undefined {
  if (producer === undefined) return undefined;
  const { id, epoch, sequence } = producer;
  return { id, epoch, sequence };
}
