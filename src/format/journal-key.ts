import type { BlockProducer } from "./block-header.js";
import { readUint64, viewOf } from "./uint64.js";

/*
 * The journal of a store, `logs/.journal`, is a log like any other. Each of its records is a record
 * of one of the store's logs: value, headers and timestamp are that record's own, and the key says
 * whose it is. All integers are little-endian.
 *
 *   position  bytes  field
 *   0         16     id of the log
 *   16        8      offset that the record has in that log
 *   24        1      flags: bit 0 the record has a key; bit 1 nothing but a mark, see below; bit 2
 *                    the record is of a batch of a producer; bit 3 that batch began before it
 *   25        8      with bit 2: id of the producer
 *   33        4      with bit 2: its epoch
 *   37        4      with bit 2: its sequence of this record
 *   25, 41    rest   the record's own key, with bit 0
 *
 * A block of the journal in which a key has bit 2 says so in its header (`keysNameProducers`), so
 * that nobody reads it who does not know of it. All records of a batch with bit 2 follow each other,
 * at most 64, with the same id and epoch, and each with the next sequence; a record with bit 3 for
 * which that does not hold begins a batch. Bit 3 without bit 2 says nothing.
 *
 * A mark says that what stands before it of this log no longer counts: all of it is in the log's
 * segments, or was there and is deleted.
 */

const LOG_ID_BYTES = 16;
const OFFSET_POSITION = 16;
const FLAGS_POSITION = 24;
const PRODUCER_POSITION = 25;
/** Length of the key of a record that has none of its own, and no producer. */
const JOURNAL_KEY_BYTES = 25;
const KEY_BYTES_WITH_PRODUCER = 41;
const FLAG_KEY = 1;
const FLAG_MARK = 2;
const FLAG_PRODUCER = 4;
const FLAG_GOES_ON = 8;

/** No batch of a producer in a journal has more records. */
export const MOST_BATCH_RECORDS = 64;

/** For keys that are copied before the next one is made. */
const sharedKey = new Uint8Array(JOURNAL_KEY_BYTES);
const sharedKeyWithProducer = new Uint8Array(KEY_BYTES_WITH_PRODUCER);
const sharedView = viewOf(sharedKeyWithProducer);

/** The batch of a producer that a record of a journal is of. */
export interface JournaledProducer extends BlockProducer {
  /** That of this record. */
  readonly sequence: number;
  /** Whether the record before it is of the same batch. */
  readonly goesOn: boolean;
}

/** What the key of a journal's record says. */
export interface JournalKey {
  /** Of the log, as text: only for comparison. */
  readonly log: string;
  /** In that log. */
  readonly offset: number;
  readonly isMark: boolean;
  readonly producer: JournaledProducer | undefined;
  /** The record's own key. */
  readonly key: Uint8Array | undefined;
}

/**
 * Whether a record goes on with the batch that the record before it in its log is of. One that says
 * so and cannot begins a batch.
 */
export function continuesBatch(
  before: BlockProducer | undefined,
  recordsBefore: number,
  record: JournaledProducer | undefined,
): boolean {
  if (before === undefined || record === undefined || !record.goesOn) return false;
  const isNext = record.sequence === before.sequence + recordsBefore;
  const isSame = record.id === before.id && record.epoch === before.epoch;
  return isSame && isNext && recordsBefore < MOST_BATCH_RECORDS;
}

/** The text by which {@link JournalKey.log} names a log. */
export function journalName(logId: Uint8Array): string {
  return Buffer.from(logId.buffer, logId.byteOffset, LOG_ID_BYTES).toString("latin1");
}

/**
 * Encodes the key of a record of a log.
 *
 * @param log - See {@link journalName}.
 * @param isShared - Whether the key of a record that has none of its own may have memory that the
 *   next call overwrites.
 */
export function encodeJournalKey(
  log: string,
  offset: number,
  key: Uint8Array | undefined,
  producer: JournaledProducer | undefined,
  isShared: boolean,
): Uint8Array {
  const start = producer === undefined ? JOURNAL_KEY_BYTES : KEY_BYTES_WITH_PRODUCER;
  const shared = producer === undefined ? sharedKey : sharedKeyWithProducer;
  const bytes =
    key === undefined && isShared
      ? shared.fill(0, OFFSET_POSITION, FLAGS_POSITION)
      : new Uint8Array(start + (key?.length ?? 0));
  // Byte by byte: a call for so few costs more than all the rest.
  for (let at = 0; at < LOG_ID_BYTES; at++) bytes[at] = log.charCodeAt(at);
  for (let at = OFFSET_POSITION, rest = offset; rest > 0; at++) {
    bytes[at] = rest % 256;
    rest = Math.floor(rest / 256);
  }
  let flags = key === undefined ? 0 : FLAG_KEY;
  if (producer !== undefined) {
    flags |= FLAG_PRODUCER | (producer.goesOn ? FLAG_GOES_ON : 0);
    const view = bytes === sharedKeyWithProducer ? sharedView : viewOf(bytes);
    view.setBigUint64(PRODUCER_POSITION, producer.id, true);
    view.setUint32(PRODUCER_POSITION + 8, producer.epoch, true);
    view.setUint32(PRODUCER_POSITION + 12, producer.sequence, true);
  }
  bytes[FLAGS_POSITION] = flags;
  if (key !== undefined) bytes.set(key, start);
  return bytes;
}

/** The key of a mark: what stands before it of this log no longer counts. */
export function encodeJournalMark(logId: Uint8Array): Uint8Array {
  const bytes = Buffer.alloc(JOURNAL_KEY_BYTES);
  bytes.set(logId, 0);
  bytes[FLAGS_POSITION] = FLAG_MARK;
  return bytes;
}

/** @returns `undefined` where this is no key of a journal's record. */
export function decodeJournalKey(bytes: Uint8Array | undefined): JournalKey | undefined {
  if (bytes === undefined || bytes.length < JOURNAL_KEY_BYTES) return undefined;
  const view = viewOf(bytes);
  const offset = readUint64(view, OFFSET_POSITION);
  if (!Number.isSafeInteger(offset)) return undefined;
  const flags = bytes[FLAGS_POSITION]!;
  const isOfProducer = (flags & FLAG_PRODUCER) !== 0;
  if (isOfProducer && bytes.length < KEY_BYTES_WITH_PRODUCER) return undefined;
  const start = isOfProducer ? KEY_BYTES_WITH_PRODUCER : JOURNAL_KEY_BYTES;
  return {
    log: journalName(bytes),
    offset,
    isMark: (flags & FLAG_MARK) !== 0,
    producer: isOfProducer
      ? {
          id: view.getBigUint64(PRODUCER_POSITION, true),
          epoch: view.getUint32(PRODUCER_POSITION + 8, true),
          sequence: view.getUint32(PRODUCER_POSITION + 12, true),
          goesOn: (flags & FLAG_GOES_ON) !== 0,
        }
      : undefined,
    key: (flags & FLAG_KEY) === 0 ? undefined : bytes.subarray(start),
  };
}
