import { join } from "node:path";
import { CommitLog, type OpenLogOptions } from "../../src/index.js";
import type { RecordSet } from "./record-set.js";
import type { Place } from "./workload.js";

/** A log that holds so many records, opened anew to be read. */
export async function filledLog(
  { directory }: Place,
  records: RecordSet,
  count: number,
  batchLength: number,
  options: OpenLogOptions = {},
): Promise<CommitLog> {
  const path = join(directory, "log");
  const writer = await CommitLog.open(path, { durability: "os", ...options });
  for (const batch of records.batches(count, batchLength)) await writer.appendBatch(batch);
  if (writer.endOffset !== count) throw new Error(`${writer.endOffset} records, not ${count}`);
  await writer.close();
  return CommitLog.open(path, { readOnly: true });
}
