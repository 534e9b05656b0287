import { type Lmdb, type LmdbDatabase, load } from "./peers.js";
import type { RecordSet } from "./record-set.js";

/** A database of records by their offsets. */
export function openLmdb(path: string, isSynced: boolean): LmdbDatabase {
  return load<Lmdb>("lmdb").open({
    path,
    noSync: !isSynced,
    encoding: "binary",
    keyEncoding: "uint32",
  });
}

/** Puts records into an empty database, a transaction for each batch. */
export function fillLmdb(
  database: LmdbDatabase,
  records: RecordSet,
  count: number,
  batchLength: number,
): void {
  let next = 0;
  for (const batch of records.batches(count, batchLength)) {
    database.transactionSync(() => {
      for (const record of batch) database.putSync(next++, record, { append: true });
    });
  }
}
