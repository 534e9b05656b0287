import { closeSync, openSync, readSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import type { CommitLog } from "../../src/index.js";
import { Random } from "../support/random.js";
import { closedLoop } from "./closed-loop.js";
import { filledLog } from "./filled-log.js";
import { fillLmdb, openLmdb } from "./lmdb.js";
import type { Records } from "./records.js";
import type { Measured, Place, Workload } from "./workload.js";

/** Records that a log of random reads holds: several times as many as its cache of blocks does. */
const STORED = 1_000_000;
/** So many fit into it. */
const FEW = 200_000;
/** How many are read. */
const READS = 300_000;
/** Records of the batches that fill it. */
const BATCH = 100;
/** Blocks that the bare read has to choose from, about as many bytes as the log. */
const BLOCK_BYTES = 8192;
const BLOCKS = 12_500;

interface Log {
  readonly stored: number;
  readonly segments: number;
  readonly batch: number;
}

const ONE: Log = { stored: STORED, segments: 1, batch: BATCH };
const SMALL: Log = { stored: FEW, segments: 1, batch: BATCH };
const THOUSAND: Log = { stored: STORED, segments: 1000, batch: BATCH };
/** One atomic batch is about 1 MiB. */
const LARGE_BATCHES: Log = { stored: STORED, segments: 1, batch: 10_000 };

/** Reads of one record each, at offsets of chance, from files that the OS has cached. */
export function readsSync(records: Records): Workload {
  const of = (log: Log) => (place: Place) => seglogSync(place, records, log);
  const lmdbOf = (stored: number) => (place: Place) => lmdb(place, records, stored);
  return {
    name: "read-sync",
    title: `Read a ${records.byteLength} B record at random, synchronously`,
    unit: "reads/s",
    targets: [
      { contender: "seglog, 200,000 records", over: "lmdb, 200,000 records", atLeast: 1 },
      { contender: "seglog, 1 segment", over: "pread + CRC of 8 KiB", atLeast: 0.8 },
      { contender: "seglog, 1,000 segments", over: "seglog, 1 segment", atLeast: 1 / 1.3 },
      { contender: "seglog, batches of 1 MiB", over: "seglog, 1 segment", atLeast: 0.5 },
    ],
    contenders: [
      { name: "seglog, 1 segment", kind: "seglog", run: of(ONE) },
      { name: "seglog, 200,000 records", kind: "seglog", run: of(SMALL) },
      { name: "seglog, 1,000 segments", kind: "seglog", run: of(THOUSAND) },
      { name: "seglog, batches of 1 MiB", kind: "seglog", run: of(LARGE_BATCHES) },
      { name: "pread + CRC of 8 KiB", kind: "limit", run: bare },
      { name: "lmdb", kind: "peer", peer: "lmdb", run: lmdbOf(STORED) },
      { name: "lmdb, 200,000 records", kind: "peer", peer: "lmdb", run: lmdbOf(FEW) },
    ],
  };
}

/** The same without blocking the event loop, by callers that each wait for their answer. */
export function reads(records: Records, callers: number): Workload {
  const of = (log: Log) => (place: Place) => seglog(place, records, log, callers);
  return {
    name: "read",
    title: `Read a ${records.byteLength} B record at random, ${callers} in flight`,
    unit: "reads/s",
    targets: [],
    contenders: [
      { name: "seglog, 1 segment", kind: "seglog", run: of(ONE) },
      { name: "seglog, 1,000 segments", kind: "seglog", run: of(THOUSAND) },
    ],
  };
}

async function openedLog(place: Place, records: Records, log: Log): Promise<[CommitLog, number]> {
  const stored = place.amount(log.stored, log.batch);
  const segmentBytes = Math.max(
    64 * 1024,
    Math.ceil((stored * (records.byteLength + 8)) / log.segments),
  );
  const options = log.segments === 1 ? {} : { segmentBytes };
  return [await filledLog(place, records, stored, log.batch, options), stored];
}

function offsets(stored: number, count: number): Float64Array {
  const random = new Random(stored);
  return Float64Array.from({ length: count }, () => random.below(stored));
}

async function seglogSync(place: Place, records: Records, log: Log): Promise<Measured> {
  const [opened, stored] = await openedLog(place, records, log);
  const wanted = offsets(stored, place.amount(READS));
  const rate = await place.rate(wanted.length, () => {
    for (const offset of wanted) records.check(offset, opened.readSync(offset).value);
  });
  await opened.close();
  return rate;
}

async function seglog(
  place: Place,
  records: Records,
  log: Log,
  callers: number,
): Promise<Measured> {
  const [opened, stored] = await openedLog(place, records, log);
  const wanted = offsets(stored, place.amount(READS / 5));
  const rate = await place.rate(wanted.length, () =>
    closedLoop(wanted.length, callers, async (index) => {
      const offset = wanted[index]!;
      records.check(offset, (await opened.read(offset)).value);
    }),
  );
  await opened.close();
  return rate;
}

/** What a read of one verified block costs at least. */
async function bare(place: Place): Promise<Measured> {
  const path = join(place.directory, "blocks");
  const blocks = place.amount(BLOCKS);
  const block = Buffer.alloc(BLOCK_BYTES, "block");
  writeFileSync(path, Buffer.concat(Array.from({ length: blocks }, () => block)));
  const sum = crc32(block);
  const wanted = offsets(blocks, place.amount(READS));
  const file = openSync(path, "r");
  const rate = await place.rate(wanted.length, () => {
    for (const at of wanted) {
      const target = Buffer.allocUnsafe(BLOCK_BYTES);
      readSync(file, target, 0, BLOCK_BYTES, at * BLOCK_BYTES);
      if (crc32(target) !== sum) throw new Error(`block ${at} is not what was stored there`);
    }
  });
  closeSync(file);
  return rate;
}

async function lmdb(place: Place, records: Records, count: number): Promise<Measured> {
  const database = openLmdb(join(place.directory, "lmdb"), false);
  const stored = place.amount(count, BATCH);
  fillLmdb(database, records, stored, BATCH);
  const wanted = offsets(stored, place.amount(READS));
  const rate = await place.rate(wanted.length, () => {
    for (const offset of wanted) records.check(offset, database.get(offset));
  });
  await database.close();
  return rate;
}
