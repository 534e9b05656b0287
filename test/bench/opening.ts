import {
  closeSync,
  copyFileSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readdirSync,
} from "node:fs";
import { join, parse } from "node:path";
import { CommitLog } from "../../src/index.js";
import { fillLmdb, openLmdb } from "./lmdb.js";
import type { Records } from "./records.js";
import { spreadOf } from "./result.js";
import type { Contender, Measured, Place, Workload } from "./workload.js";

/** One opening is too short to be measured by itself; the middle one counts. */
const OPENINGS = 9;

/** What a log holds that is opened, about; records are of 1 KiB. */
interface Size {
  readonly name: string;
  /** Records of a batch. */
  readonly batch: number;
  readonly batches: number;
  /** Whether each batch is a segment of its own, instead of what the default makes of them. */
  readonly isSegmented?: boolean;
}

const MIB: Size = { name: "1 MiB", batch: 1000, batches: 1 };
const GIB: Size = { name: "1 GiB", batch: 1000, batches: 1000 };
const SEGMENTS: Size = { ...GIB, name: "1 GiB in 1,000 segments", isSegmented: true };
const LARGE_SEGMENTS: Size = { ...SEGMENTS, name: "4 GiB in 1,000 segments", batch: 4000 };

/** Opening for writing what the last writer has closed, or left behind when it was killed. */
export function opening(records: Records): Workload {
  const closed = (size: Size): Contender => ({
    name: `closed, ${size.name}`,
    kind: "seglog",
    run: (place) => openClosed(place, records, size),
  });
  const killed = (size: Size): Contender => ({
    name: `killed, ${size.name}`,
    kind: "seglog",
    run: (place) => openKilled(place, records, size),
  });
  const clean = [MIB, GIB, SEGMENTS, LARGE_SEGMENTS].map(closed);
  return {
    name: "open",
    title: "Open for writing",
    unit: "ms",
    targets: clean.map(({ name }) => ({ contender: name, atMost: 20 })),
    contenders: [
      ...clean,
      ...[MIB, GIB, SEGMENTS].map(killed),
      {
        name: "lmdb, closed, 1 GiB",
        kind: "peer",
        peer: "lmdb",
        run: (place) => lmdb(place, records),
      },
    ],
  };
}

async function openClosed(place: Place, records: Records, size: Size): Promise<Measured> {
  const path = join(place.directory, "log");
  const writer = await filledWriter(path, place, records, size);
  const count = writer.endOffset;
  await writer.close();
  return medianOf(async () => {
    let log!: CommitLog;
    const elapsedMs = await place.elapsed(async () => {
      log = await CommitLog.open(path);
    });
    await closeChecked(log, records, count, "clean");
    return elapsedMs;
  });
}

/** Each opening is of a copy, made while the writer lives: SIGKILL leaves files as they are. */
async function openKilled(place: Place, records: Records, size: Size): Promise<Measured> {
  const path = join(place.directory, "log");
  const writer = await filledWriter(path, place, records, size);
  const elapsedMs = await medianOf(async (index) => {
    const left = join(place.directory, `left-${index}`);
    copyAlive(path, left);
    let log!: CommitLog;
    const each = await place.elapsed(async () => {
      log = await CommitLog.open(left);
    });
    await closeChecked(log, records, writer.endOffset, "unclean");
    return each;
  });
  await writer.close();
  return elapsedMs;
}

async function lmdb(place: Place, records: Records): Promise<Measured> {
  const path = join(place.directory, "lmdb");
  const count = place.amount(GIB.batches) * GIB.batch;
  const writer = openLmdb(path, false);
  fillLmdb(writer, records, count, GIB.batch);
  await writer.close();
  return medianOf(async () => {
    let database!: ReturnType<typeof openLmdb>;
    const elapsedMs = await place.elapsed(() => {
      database = openLmdb(path, false);
    });
    records.check(count - 1, database.get(count - 1));
    await database.close();
    return elapsedMs;
  });
}

async function filledWriter(
  path: string,
  place: Place,
  records: Records,
  { batch, batches, isSegmented = false }: Size,
): Promise<CommitLog> {
  // A batch that is longer than a segment should be gets one of its own.
  const segmentBytes = isSegmented ? batch * records.byteLength : undefined;
  const writer = await CommitLog.open(path, { durability: "os", segmentBytes });
  const count = place.amount(batches);
  for (const each of records.batches(count * batch, batch)) await writer.appendBatch(each);
  const { length } = writer.segments();
  if (isSegmented && length !== count) throw new Error(`${length} segments, not ${count}`);
  return writer;
}

/** Copies a log that is being written to; links what its writer will not change any more. */
function copyAlive(from: string, to: string): void {
  const names = readdirSync(from).toSorted();
  const last = names.findLast((name) => name.endsWith(".log"))!;
  mkdirSync(to);
  for (const name of names) {
    const isSealed = /^\d/.test(name) && parse(name).name !== parse(last).name;
    if (isSealed) linkSync(join(from, name), join(to, name));
    else if (name !== last) copyFileSync(join(from, name), join(to, name));
  }
  // These names were on stable storage long before the kill, so opening must not wait for that.
  const directory = openSync(to, "r");
  fsyncSync(directory);
  closeSync(directory);
  copyFileSync(join(from, last), join(to, last));
}

async function closeChecked(
  log: CommitLog,
  records: Records,
  count: number,
  kind: CommitLog["recovery"]["kind"],
): Promise<void> {
  if (log.recovery.kind !== kind) throw new Error(`opened as ${log.recovery.kind}, not ${kind}`);
  if (log.endOffset !== count) throw new Error(`${log.endOffset} records, not ${count}`);
  records.check(count - 1, log.readSync(count - 1).value);
  await log.close();
}

async function medianOf(measure: (index: number) => Promise<Measured>): Promise<Measured> {
  const all: Measured[] = [];
  for (let index = 0; index < OPENINGS; index++) all.push(await measure(index));
  return spreadOf(all).median;
}
