import type { CommitLog } from "../../src/index.js";
import type { RecordSet } from "./record-set.js";

/** @throws Error unless a log holds so many records; a spread of them is read. */
export function checkLog(log: CommitLog, records: RecordSet, count: number): void {
  if (log.endOffset !== count) throw new Error(`${log.endOffset} records, not ${count}`);
  for (const offset of records.sample(count)) records.check(offset, log.readSync(offset).value);
}
