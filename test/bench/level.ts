import { inWindow } from "./in-window.js";
import { type ClassicLevel, type LevelDatabase, load } from "./peers.js";
import type { RecordSet } from "./record-set.js";

/** A database of records by their offsets; `isCompressed` is LevelDB's default. */
export async function openLevel(path: string, isCompressed: boolean): Promise<LevelDatabase> {
  const { ClassicLevel } = load<ClassicLevel>("classic-level");
  const database = new ClassicLevel(path, {
    keyEncoding: "buffer",
    valueEncoding: "buffer",
    compression: isCompressed,
  });
  await database.open();
  return database;
}

/**
 * Puts records into an empty database, a batch at a time of several on their way, not synced. A
 * chained batch is ten times as quick as one that is given as an array.
 */
export function fillLevel(
  database: LevelDatabase,
  records: RecordSet,
  count: number,
  batchLength: number,
): Promise<void> {
  let next = 0;
  return inWindow(records.batches(count, batchLength), (batch) => {
    const chained = database.batch();
    for (const value of batch) chained.put(levelKey(next++), value);
    return chained.write({ sync: false });
  });
}

/** The key of the record with this offset: such that keys are in the order of offsets. */
export function levelKey(offset: number): Buffer {
  const key = Buffer.allocUnsafe(4);
  key.writeUInt32BE(offset);
  return key;
}
