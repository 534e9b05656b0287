import { open } from "node:fs/promises";
import { join } from "node:path";
import type { CommitLog } from "../../src/index.js";
import { BATCH } from "./append-batches.js";
import { filledLog } from "./filled-log.js";
import { fillLmdb, openLmdb } from "./lmdb.js";
import { type AsyncLog, load } from "./peers.js";
import { ReadCheck } from "./read-check.js";
import type { Records } from "./records.js";
import type { Measured, Place, Workload } from "./workload.js";

const MIB = 1024 * 1024;

/** Reads of everything in order, from a handle that was just opened; the OS has the file cached. */
export function scan(
  name: string,
  records: Records,
  count: number,
  targets: Workload["targets"],
): Workload {
  const { byteLength } = records;
  return {
    name,
    title: `Scan ${byteLength} B records`,
    unit: "records/s",
    targets,
    contenders: [
      {
        name: "seglog batches()",
        kind: "seglog",
        run: (place) => seglog(place, records, count, batches),
      },
      {
        name: "seglog records()",
        kind: "seglog",
        run: (place) => seglog(place, records, count, singly),
      },
      { name: "read, 1 MiB a call", kind: "limit", run: (place) => raw(place, records, count) },
      {
        name: "async-append-only-log",
        kind: "peer",
        peer: "async-append-only-log",
        run: (place) => asyncLog(place, records, count),
      },
      { name: "lmdb", kind: "peer", peer: "lmdb", run: (place) => lmdb(place, records, count) },
    ],
  };
}

/** @param read - Reads all of a log. */
async function seglog(
  place: Place,
  records: Records,
  full: number,
  read: (log: CommitLog, check: ReadCheck) => Promise<void>,
): Promise<Measured> {
  const count = place.amount(full, BATCH);
  const log = await filledLog(place, records, count, BATCH);
  const check = new ReadCheck(records, count);
  const rate = await place.rate(count, () => read(log, check));
  check.end();
  await log.close();
  return rate;
}

async function batches(log: CommitLog, check: ReadCheck): Promise<void> {
  for await (const batch of log.batches()) {
    for (const { value } of batch) check.see(value);
  }
}

async function singly(log: CommitLog, check: ReadCheck): Promise<void> {
  for await (const { value } of log.records()) check.see(value);
}

/** The same bytes, with nothing made of them. */
async function raw(place: Place, records: Records, full: number): Promise<Measured> {
  const count = place.amount(full, BATCH);
  const file = await open(join(place.directory, "raw"), "w+");
  for (const batch of records.batches(count, BATCH)) await file.write(Buffer.concat(batch));
  const buffer = Buffer.allocUnsafeSlow(MIB);
  let position = 0;
  const rate = await place.rate(count, async () => {
    for (;;) {
      const { bytesRead } = await file.read(buffer, 0, MIB, position);
      if (bytesRead === 0) return;
      position += bytesRead;
    }
  });
  await file.close();
  if (position !== count * records.byteLength) throw new Error(`${position} bytes were read`);
  return rate;
}

async function asyncLog(place: Place, records: Records, full: number): Promise<Measured> {
  const count = place.amount(full, BATCH);
  const path = join(place.directory, "async.log");
  const openLog = () => load<AsyncLog>("async-append-only-log")(path, { blockSize: 64 * 1024 });
  const writer = openLog();
  for (const batch of records.batches(count, BATCH)) {
    await new Promise((resolve) => writer.append(batch, resolve));
  }
  await new Promise<void>((resolve) => writer.onDrain(resolve));
  await new Promise((resolve) => writer.close(resolve));
  const log = openLog();
  const check = new ReadCheck(records, count);
  const rate = await place.rate(
    count,
    () =>
      new Promise<void>((resolve, reject) => {
        log.stream({ offsets: false }).pipe({
          paused: false,
          write: (value) => check.see(value),
          end: (error) => (error === undefined ? resolve() : reject(error)),
        });
      }),
  );
  check.end();
  await new Promise((resolve) => log.close(resolve));
  return rate;
}

async function lmdb(place: Place, records: Records, full: number): Promise<Measured> {
  const count = place.amount(full, BATCH);
  const path = join(place.directory, "lmdb");
  const writer = openLmdb(path, false);
  fillLmdb(writer, records, count, BATCH);
  await writer.close();
  const database = openLmdb(path, false);
  const check = new ReadCheck(records, count);
  const rate = await place.rate(count, () => {
    for (const { value } of database.getRange({})) check.see(value);
  });
  check.end();
  await database.close();
  return rate;
}
