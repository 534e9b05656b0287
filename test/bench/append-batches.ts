import { closeSync, openSync, writeSync } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { CommitLog, type OpenLogOptions } from "../../src/index.js";
import { BarePipeline, readBarePipeline } from "./bare-pipeline.js";
import { checkLog } from "./check-log.js";
import { inWindow } from "./in-window.js";
import { fillLevel, levelKey, openLevel } from "./level.js";
import { fillLmdb, openLmdb } from "./lmdb.js";
import { type AsyncLog, load, type Sqlite } from "./peers.js";
import type { RecordSet } from "./record-set.js";
import type { Records } from "./records.js";
import { openSqlite } from "./sqlite.js";
import type { Contender, ContenderKind, Measured, Place, Workload } from "./workload.js";

/** Records of a batch. */
export const BATCH = 1000;
/** What those append who would take minutes for all: a rate is what is asked for. */
const SLOW = 1 / 10;
const MIB = 1024 * 1024;

/**
 * Appends in batches that are acknowledged before they are on stable storage.
 *
 * @param count - More than a gigabyte: as long as the page cache takes memory that was just freed,
 *   everything is twice as fast as it stays.
 */
export function appendBatches(
  name: string,
  records: Records,
  count: number,
  targets: Workload["targets"],
): Workload {
  const { byteLength } = records;
  return {
    name,
    title: `Append ${byteLength} B in batches of ${BATCH}, not synced`,
    unit: "records/s",
    targets,
    contenders: [
      contender("seglog", "seglog", seglog),
      contender("limit", "bare pipeline", pipeline),
      contender("limit", "write, 1 MiB a call", raw),
      contender("limit", "writev, a batch a call", vectors),
      contender("limit", "length prefix + writeSync", prefixed),
      contender("peer", "lmdb", lmdb),
      contender("peer", "classic-level", level, SLOW),
      contender("peer", "async-append-only-log", asyncLog, SLOW),
      contender("peer", "better-sqlite3", (...run) => sqlite("better-sqlite3", ...run), SLOW),
      contender("peer", "node:sqlite", (...run) => sqlite("node:sqlite", ...run), SLOW),
    ],
  };

  function contender(
    kind: ContenderKind,
    who: string,
    append: (place: Place, records: Records, count: number) => Promise<Measured>,
    share = 1,
  ): Contender {
    const run = (place: Place) => append(place, records, place.amount(count * share, BATCH));
    return kind === "peer" ? { name: who, kind, peer: who, run } : { name: who, kind, run };
  }
}

function seglog(place: Place, records: Records, count: number): Promise<Measured> {
  return batchesIntoLog(place, join(place.directory, "log"), records, count);
}

/** Appends batches to a new log, and tells how quickly. */
export async function batchesIntoLog(
  place: Place,
  path: string,
  records: RecordSet,
  count: number,
  options: OpenLogOptions = {},
): Promise<Measured> {
  const log = await CommitLog.open(path, { durability: "os", ...options });
  const rate = await place.rate(count, () =>
    inWindow(records.batches(count, BATCH), (batch) => log.appendBatch(batch)),
  );
  checkLog(log, records, count);
  await log.close();
  return rate;
}

async function pipeline(place: Place, records: Records, count: number): Promise<Measured> {
  const path = join(place.directory, "pipeline");
  const bare = await BarePipeline.open(path, records.byteLength);
  const rate = await place.rate(count, async () => {
    for (const batch of records.batches(count, BATCH)) {
      if (!bare.add(batch)) await bare.drained();
    }
    await bare.flush();
  });
  await bare.close();
  let offset = 0;
  for (const value of readBarePipeline(path)) records.check(offset++, value);
  if (offset !== count) throw new Error(`${offset} records, not ${count}`);
  return rate;
}

/** The same bytes, with nothing made of them. */
async function raw(place: Place, records: Records, count: number): Promise<Measured> {
  const perChunk = Math.floor(MIB / records.byteLength);
  const chunk = Buffer.concat(Array.from({ length: perChunk }, (_, index) => records.at(index)));
  const path = join(place.directory, "raw");
  const file = await open(path, "w");
  const rate = await place.rate(count, async () => {
    let left = count * records.byteLength;
    while (left > 0) {
      const { bytesWritten } = await file.write(chunk, 0, Math.min(left, chunk.length));
      left -= bytesWritten;
    }
  });
  const { size } = await file.stat();
  await file.close();
  if (size !== count * records.byteLength) throw new Error(`${size} bytes were written`);
  return rate;
}

async function vectors(place: Place, records: Records, count: number): Promise<Measured> {
  const path = join(place.directory, "vectors");
  const file = await open(path, "w");
  const rate = await place.rate(count, async () => {
    for (const batch of records.batches(count, BATCH)) await file.writev([...batch]);
  });
  await file.close();
  records.checkFile(path, count, 0);
  return rate;
}

/** What one writes in an afternoon: a length before each record, one call for each batch. */
async function prefixed(place: Place, records: Records, count: number): Promise<Measured> {
  const path = join(place.directory, "prefixed");
  const file = openSync(path, "w");
  const buffer = Buffer.allocUnsafeSlow(BATCH * (4 + records.byteLength));
  const rate = await place.rate(count, () => {
    for (const batch of records.batches(count, BATCH)) {
      let at = 0;
      for (const record of batch) {
        buffer.writeUInt32LE(record.length, at);
        buffer.set(record, at + 4);
        at += 4 + record.length;
      }
      writeSync(file, buffer, 0, at);
    }
  });
  closeSync(file);
  records.checkFile(path, count, 4);
  return rate;
}

async function lmdb(place: Place, records: Records, count: number): Promise<Measured> {
  const database = openLmdb(join(place.directory, "lmdb"), false);
  const rate = await place.rate(count, () => fillLmdb(database, records, count, BATCH));
  for (const offset of records.sample(count)) records.check(offset, database.get(offset));
  await database.close();
  return rate;
}

function level(place: Place, records: Records, count: number): Promise<Measured> {
  return batchesIntoLevel(place, join(place.directory, "level"), records, count, false);
}

/** As {@link batchesIntoLog}, of a LevelDB. */
export async function batchesIntoLevel(
  place: Place,
  path: string,
  records: RecordSet,
  count: number,
  isCompressed: boolean,
): Promise<Measured> {
  const database = await openLevel(path, isCompressed);
  const rate = await place.rate(count, () => fillLevel(database, records, count, BATCH));
  for (const offset of records.sample(count)) {
    records.check(offset, await database.get(levelKey(offset)));
  }
  await database.close();
  return rate;
}

async function asyncLog(place: Place, records: Records, count: number): Promise<Measured> {
  const path = join(place.directory, "async.log");
  const log = load<AsyncLog>("async-append-only-log")(path, { blockSize: 64 * 1024 });
  const rate = await place.rate(count, async () => {
    await inWindow(
      records.batches(count, BATCH),
      (batch) =>
        new Promise<void>((resolve, reject) => {
          log.append(batch, (error) => (error === null ? resolve() : reject(error)));
        }),
    );
    await new Promise<void>((resolve) => log.onDrain(resolve));
  });
  let offset = 0;
  await new Promise<void>((resolve, reject) => {
    log.stream({ offsets: false }).pipe({
      paused: false,
      write: (value) => records.check(offset++, value),
      end: (error) => (error === undefined ? resolve() : reject(error)),
    });
  });
  if (offset !== count) throw new Error(`${offset} records, not ${count}`);
  await new Promise((resolve) => log.close(resolve));
  return rate;
}

async function sqlite(
  module: "better-sqlite3" | "node:sqlite",
  place: Place,
  records: Records,
  count: number,
): Promise<Measured> {
  const database: Sqlite = openSqlite(module, join(place.directory, "sqlite"), "OFF");
  const insert = database.prepare("INSERT INTO records (id, value) VALUES (?, ?)");
  let next = 0;
  const rate = await place.rate(count, () => {
    for (const batch of records.batches(count, BATCH)) {
      database.exec("BEGIN");
      for (const record of batch) insert.run(next++, record);
      database.exec("COMMIT");
    }
  });
  const select = database.prepare("SELECT value FROM records WHERE id = ?");
  for (const offset of records.sample(count)) {
    records.check(offset, select.get(offset)?.value as Uint8Array | undefined);
  }
  database.close();
  return rate;
}
