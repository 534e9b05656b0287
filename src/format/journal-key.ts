import { readUint64, viewOf } from "./uint64.js";

/*
 * The journal of a store, `logs/.journal`, is a log like any other. Each of its records is a record
 * of one of the store's logs: value, headers and timestamp are that record's own, and the key says
 * whose it is. All integers are little-endian.
 *
 *   position  bytes  field
 *   0         16     id of the log
 *   16        8      offset that the record has in that log
 *   24        1      flags: bit 0 the record has a key; bit 1 nothing but a mark, see below
 *   25        rest   the record's own key, with bit 0
 *
 * A mark says that what stands before it of this log no longer counts: all of it is in the log's
 * segments, or was there and is deleted.
 */

const LOG_ID_BYTES = 16;
const OFFSET_POSITION = 16;
const FLAGS_POSITION = 24;
/** Length of the key of a record that has none of its own. */
export const JOURNAL_KEY_BYTES = 25;
const FLAG_KEY = 1;
const FLAG_MARK = 2;

/** What the key of a journal's record says. */
export interface JournalKey {
  /** Of the log, as text: only for comparison. */
  readonly log: string;
  /** In that log. */
  readonly offset: number;
  readonly isMark: boolean;
  /** The record's own key. */
  readonly key: Uint8Array | undefined;
}

/** The text by which {@link JournalKey.log} names a log. */
export function journalName(logId: Uint8Array): string {
  return Buffer.from(logId.buffer, logId.byteOffset, LOG_ID_BYTES).toString("latin1");
}

/**
 * Encodes the key of a record of a log.
 *
 * @param log - See {@link journalName}.
 * @param reused - Filled and given back for a record without a key of its own; {@link
 *   JOURNAL_KEY_BYTES} long. Without it, the key has memory of its own.
 */
export function encodeJournalKey(
  log: string,
  offset: number,
  key: Uint8Array | undefined,
  reused?: Uint8Array,
): Uint8Array {
  const bytes =
    key === undefined && reused !== undefined
      ? reused.fill(0, OFFSET_POSITION)
      : new Uint8Array(JOURNAL_KEY_BYTES + (key?.length ?? 0));
  // Byte by byte: a call for so few costs more than all the rest.
  for (let at = 0; at < LOG_ID_BYTES; at++) bytes[at] = log.charCodeAt(at);
  for (let at = OFFSET_POSITION, rest = offset; rest > 0; at++) {
    bytes[at] = rest % 256;
    rest = Math.floor(rest / 256);
  }
  bytes[FLAGS_POSITION] = key === undefined ? 0 : FLAG_KEY;
  if (key !== undefined) bytes.set(key, JOURNAL_KEY_BYTES);
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
  const offset = readUint64(viewOf(bytes), OFFSET_POSITION);
  if (!Number.isSafeInteger(offset)) return undefined;
  const flags = bytes[FLAGS_POSITION]!;
  return {
    log: journalName(bytes),
    offset,
    isMark: (flags & FLAG_MARK) !== 0,
    key: (flags & FLAG_KEY) === 0 ? undefined : bytes.subarray(JOURNAL_KEY_BYTES),
  };
}
