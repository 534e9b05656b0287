import { decodeJournalKey, type JournaledProducer } from "../../format/journal-key.js";
import type { LogRecord } from "../../format/record.js";

/** A record of a log that stands in the journal of its store. */
export interface JournaledRecord {
  /** As it is in its own log. */
  readonly record: LogRecord;
  /** Who appended it, and in which batch, if that was said. */
  readonly producer: JournaledProducer | undefined;
}

/**
 * The record of a log that a record of the journal is.
 *
 * @param log - See `journalName`.
 * @returns `undefined` if it is another one.
 */
export function ownRecord(
  { key: bytes, ...record }: LogRecord,
  log: string,
  offset: number,
): JournaledRecord | undefined {
  const key = decodeJournalKey(bytes);
  if (key === undefined || key.log !== log || key.offset !== offset || key.isMark) {
    return undefined;
  }
  const own = key.key === undefined ? { ...record, offset } : { ...record, offset, key: key.key };
  return { record: own, producer: key.producer };
}
