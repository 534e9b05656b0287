import { type Lmdb, type LmdbDatabase, load } from "./peers.js";
import type { RecordSet } from "./record-set.js";

/** A database of records by their offsets. */
export function openLmdb(path: string, isSynced: boolean): LmdbDatabase<number> {
  const options = { path, noSync: !isSynced, encoding: "binary", keyEncoding: "uint32" } as const;
  return load<Lmdb>("lmdb").open(options);
}

/** A database of records by keys of bytes. */
export function openLmdbByBytes(path: string, isSynced: boolean): LmdbDatabase<Buffer> {
  const options = { path, noSync: !isSynced, encoding: "binary", keyEncoding: "binary" } as const;
  return load<Lmdb>("lmdb").open(options);
}

/** Puts records into an empty database, a transaction for each batch. */
export function fillLmdb(
  database: LmdbDatabase<number>,
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
