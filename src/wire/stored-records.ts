import { create } from "@bufbuild/protobuf";
import type { LogRecord } from "../format/record.js";
import {
  type StoredPack,
  StoredPackSchema,
  type StoredRecord,
  StoredRecordSchema,
} from "./generated/seglog/v1/log_service_pb.js";
import { toSafeInteger } from "./integers.js";
import { MAX_BATCH_RECORDS, packValues, unpackValues } from "./pack.js";

/** Records of a response: either the one or the other, or neither. */
export interface StoredRecords {
  readonly records: StoredRecord[];
  readonly packs: StoredPack[];
}

/** Largest delta of an offset: a `u32`. */
const MAX_OFFSET_DELTA = 2 ** 32 - 1;
/**
 * A pack with one timestamp is much quicker to encode and decode than one with many, but a pack by
 * itself costs as much as some deltas. So a new timestamp begins a new pack if that leaves packs of
 * at least this many records on average.
 */
const RECORDS_WORTH_A_PACK = 8;

/**
 * Records as a response has them: in packs if that is accepted and no record has more than a value.
 *
 * @param records - In the order of their offsets, as a log gives them.
 */
export function toStoredRecords(
  records: readonly LogRecord[],
  acceptPacks: boolean,
): StoredRecords {
  if (acceptPacks && records.every(isPlain)) return { records: [], packs: toPacks(records) };
  return { records: records.map(toStoredRecord), packs: [] };
}

function isPlain({ key, headers }: LogRecord): boolean {
  return key === undefined && headers === undefined;
}

function toStoredRecord({ offset, timestamp, value, key, headers }: LogRecord): StoredRecord {
  return create(StoredRecordSchema, {
    offset: BigInt(offset),
    timestampMs: BigInt(timestamp),
    value,
    ...(key !== undefined && { key }),
    headers: (headers ?? []).map(([name, content]) => ({ name, value: content })),
  });
}

function toPacks(records: readonly LogRecord[]): StoredPack[] {
  let timestamps = 0;
  for (let index = 0; index < records.length; index++) {
    if (records[index]!.timestamp !== records[index - 1]?.timestamp) timestamps++;
  }
  const isSplitByTime = timestamps * RECORDS_WORTH_A_PACK <= records.length;
  const packs: StoredPack[] = [];
  let start = 0;
  for (let end = 1; end <= records.length; end++) {
    const first = records[start]!;
    const next = records[end];
    const belongs =
      next !== undefined &&
      end - start < MAX_BATCH_RECORDS &&
      next.offset - first.offset <= MAX_OFFSET_DELTA &&
      (!isSplitByTime || next.timestamp === first.timestamp);
    if (belongs) continue;
    packs.push(toPack(records.slice(start, end)));
    start = end;
  }
  return packs;
}

function toPack(records: readonly LogRecord[]): StoredPack {
  const { offset, timestamp } = records[0]!;
  const hasHoles = records.some((record, index) => record.offset !== offset + index);
  const hasTimestamps = records.some((record) => record.timestamp !== timestamp);
  return create(StoredPackSchema, {
    pack: packValues(records.map(({ value }) => value)),
    baseOffset: BigInt(offset),
    offsetDeltas: hasHoles ? records.map((record) => record.offset - offset) : [],
    baseTimestampMs: BigInt(timestamp),
    timestampDeltasMs: hasTimestamps
      ? records.map((record) => BigInt(record.timestamp - timestamp))
      : [],
  });
}

/**
 * The records of a response, with views of its bytes.
 *
 * @throws RangeError for what no server sends: both records and packs, offsets that do not rise,
 *   counts that contradict each other, numbers above 2^53 - 1, a pack that is compressed.
 */
export function fromStoredRecords({ records, packs }: StoredRecords): LogRecord[] {
  if (records.length > 0 && packs.length > 0) {
    throw new RangeError("A response has both records and packs");
  }
  const found: LogRecord[] = [];
  for (const pack of packs) addPack(pack, found);
  for (const record of records) found.push(fromStoredRecord(record));
  for (let index = 1; index < found.length; index++) {
    const { offset } = found[index]!;
    if (offset > found[index - 1]!.offset) continue;
    throw new RangeError(`Offset ${offset} of a response is not above the one before it`);
  }
  return found;
}

function fromStoredRecord(record: StoredRecord): LogRecord {
  const { key, headers } = record;
  return {
    offset: toSafeInteger(record.offset, "offset"),
    timestamp: toSafeInteger(record.timestampMs, "timestamp_ms"),
    value: plainView(record.value),
    ...(key !== undefined && { key: plainView(key) }),
    ...(headers.length > 0 && {
      headers: headers.map(({ name, value }) => [name, plainView(value)] as const),
    }),
  };
}

function addPack(stored: StoredPack, found: LogRecord[]): void {
  const { pack, offsetDeltas, timestampDeltasMs } = stored;
  if (pack === undefined) throw new RangeError("A pack of records is without values");
  const values = unpackValues(pack);
  assertCount(offsetDeltas, values.length, "offset_deltas");
  assertCount(timestampDeltasMs, values.length, "timestamp_deltas_ms");
  const baseOffset = toSafeInteger(stored.baseOffset, "base_offset");
  const baseTimestamp = toSafeInteger(stored.baseTimestampMs, "base_timestamp_ms");
  for (let index = 0; index < values.length; index++) {
    const offset = baseOffset + (offsetDeltas.length === 0 ? index : offsetDeltas[index]!);
    if (!Number.isSafeInteger(offset)) {
      throw new RangeError("An offset of a pack is above 2^53 - 1");
    }
    const timestamp =
      timestampDeltasMs.length === 0
        ? baseTimestamp
        : toSafeInteger(stored.baseTimestampMs + timestampDeltasMs[index]!, "timestamp");
    found.push({ offset, timestamp, value: values[index]! });
  }
}

function assertCount(deltas: readonly unknown[], count: number, what: string): void {
  if (deltas.length === 0 || deltas.length === count) return;
  throw new RangeError(`A pack of ${count} records has ${deltas.length} ${what}`);
}

/** Not a `Buffer`, whose `slice()` would copy nothing. */
function plainView({ buffer, byteOffset, length }: Uint8Array): Uint8Array {
  return new Uint8Array(buffer, byteOffset, length);
}
