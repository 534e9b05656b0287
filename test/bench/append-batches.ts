import { closeSync, openSync, writeSync } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { CommitLog } from "../../src/index.js";
import { BarePipeline, readBarePipeline } from "./bare-pipeline.js";
import { fillLmdb, openLmdb } from "./lmdb.js";
import { type AsyncLog, type ClassicLevel, load, type Sqlite } from "./peers.js";
import type { Records } from "./records.js";
import { openSqlite } from "./sqlite.js";
import { type Contender, type Measured, rateOf, type Workload } from "./workload.js";

/** Records of a batch. */
export const BATCH = 1000;
/** Batches that are on their way at a time, to those who take more than one. */
const IN_FLIGHT = 64;
const MIB = 1024 * 1024;

/** Appends in batches that are acknowledged before they are on stable storage. */
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
      contender("seglog", undefined, (directory, n) => seglog(directory, records, n)),
      contender("bare pipeline", undefined, (directory, n) => pipeline(directory, records, n)),
      contender("write, 1 MiB a call", undefined, (directory, n) => raw(directory, records, n)),
      contender("writev, a batch a call", undefined, (directory, n) =>
        vectors(directory, records, n),
      ),
      contender("length prefix + writeSync", undefined, (directory, n) =>
        prefixed(directory, records, n),
      ),
      contender("lmdb", "lmdb", (directory, n) => lmdb(directory, records, n)),
      contender("classic-level", "classic-level", (directory, n) => level(directory, records, n)),
      contender("async-append-only-log", "async-append-only-log", (directory, n) =>
        asyncLog(directory, records, n),
      ),
      contender("better-sqlite3", "better-sqlite3", (directory, n) =>
        sqlite("better-sqlite3", directory, records, n),
      ),
      contender("node:sqlite", "node:sqlite", (directory, n) =>
        sqlite("node:sqlite", directory, records, n),
      ),
    ],
  };

  function contender(
    who: string,
    peer: string | undefined,
    run: (directory: string, n: number) => Promise<Measured>,
  ): Contender {
    const measured = ({ directory, amount }: Parameters<Contender["run"]>[0]) =>
      run(directory, amount(count, BATCH));
    return peer === undefined ? { name: who, run: measured } : { name: who, peer, run: measured };
  }
}

/** Does something with each batch, with so many of them on their way at a time. */
async function inWindow(
  batches: Iterable<readonly Buffer[]>,
  append: (batch: readonly Buffer[]) => Promise<unknown>,
): Promise<void> {
  const inFlight: Promise<unknown>[] = [];
  for (const batch of batches) {
    if (inFlight.length === IN_FLIGHT) await inFlight.shift();
    inFlight.push(append(batch));
  }
  await Promise.all(inFlight);
}

async function seglog(directory: string, records: Records, count: number): Promise<Measured> {
  const log = await CommitLog.open(join(directory, "log"), { durability: "os" });
  const rate = await rateOf(count, () =>
    inWindow(records.batches(count, BATCH), (batch) => log.appendBatch(batch)),
  );
  if (log.endOffset !== count) throw new Error(`${log.endOffset} records, not ${count}`);
  for (const offset of records.sample(count)) records.check(offset, log.readSync(offset).value);
  await log.close();
  return rate;
}

async function pipeline(directory: string, records: Records, count: number): Promise<Measured> {
  const path = join(directory, "pipeline");
  const bare = await BarePipeline.open(path, records.byteLength);
  const rate = await rateOf(count, async () => {
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
async function raw(directory: string, records: Records, count: number): Promise<Measured> {
  const perChunk = Math.floor(MIB / records.byteLength);
  const chunk = Buffer.concat(Array.from({ length: perChunk }, (_, index) => records.at(index)));
  const path = join(directory, "raw");
  const file = await open(path, "w");
  const rate = await rateOf(count, async () => {
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

async function vectors(directory: string, records: Records, count: number): Promise<Measured> {
  const path = join(directory, "vectors");
  const file = await open(path, "w");
  const rate = await rateOf(count, async () => {
    for (const batch of records.batches(count, BATCH)) await file.writev([...batch]);
  });
  await file.close();
  records.checkFile(path, count, 0);
  return rate;
}

/** What one writes in an afternoon: a length before each record, one call for each batch. */
async function prefixed(directory: string, records: Records, count: number): Promise<Measured> {
  const path = join(directory, "prefixed");
  const file = openSync(path, "w");
  const buffer = Buffer.allocUnsafeSlow(BATCH * (4 + records.byteLength));
  const rate = await rateOf(count, () => {
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

async function lmdb(directory: string, records: Records, count: number): Promise<Measured> {
  const database = openLmdb(join(directory, "lmdb"), false);
  const rate = await rateOf(count, () => fillLmdb(database, records, count, BATCH));
  for (const offset of records.sample(count)) records.check(offset, database.get(offset));
  await database.close();
  return rate;
}

async function level(directory: string, records: Records, count: number): Promise<Measured> {
  const { ClassicLevel } = load<ClassicLevel>("classic-level");
  const database = new ClassicLevel(join(directory, "level"), {
    keyEncoding: "buffer",
    valueEncoding: "buffer",
    compression: false,
  });
  await database.open();
  const keyOf = (offset: number) => {
    const key = Buffer.allocUnsafe(4);
    key.writeUInt32BE(offset);
    return key;
  };
  let next = 0;
  const rate = await rateOf(count, () =>
    inWindow(records.batches(count, BATCH), (batch) =>
      database.batch(
        batch.map((value) => ({ type: "put", key: keyOf(next++), value })),
        { sync: false },
      ),
    ),
  );
  for (const offset of records.sample(count)) {
    records.check(offset, await database.get(keyOf(offset)));
  }
  await database.close();
  return rate;
}

async function asyncLog(directory: string, records: Records, count: number): Promise<Measured> {
  const path = join(directory, "async.log");
  const log = load<AsyncLog>("async-append-only-log")(path, { blockSize: 64 * 1024 });
  const rate = await rateOf(count, async () => {
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
  directory: string,
  records: Records,
  count: number,
): Promise<Measured> {
  const database: Sqlite = openSqlite(module, join(directory, "sqlite"), "OFF");
  const insert = database.prepare("INSERT INTO records (id, value) VALUES (?, ?)");
  let next = 0;
  const rate = await rateOf(count, () => {
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
