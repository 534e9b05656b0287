import { prepare } from "../../format/prepared-record.js";
import type { RecordInput } from "../../format/record.js";
import type { ResolvedLogOptions } from "../options.js";
import { assertLength, batchBound, noRecords } from "./append-limits.js";
import {
  type AppendOptions,
  assertAppendOptions,
  copyProducer,
  toArray,
} from "./append-options.js";

/**
 * Checks what is to be appended to a log that is yet to be made.
 *
 * @throws As `CommitLog.appendBatch`, of what no log with these options takes.
 */
export function assertAppendable(
  records: Iterable<RecordInput>,
  options: AppendOptions | undefined,
  limits: ResolvedLogOptions,
): void {
  if (options !== undefined) assertAppendOptions(options);
  const list = toArray(records);
  if (list.length === 0) throw noRecords();
  const producer = copyProducer(options?.producer, list.length);
  let recordBytes = 0;
  for (const record of list) {
    const { byteLength } = prepare(record);
    assertLength(byteLength, limits);
    recordBytes += byteLength;
  }
  batchBound(recordBytes, list.length, producer !== undefined, limits);
}
