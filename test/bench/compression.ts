import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import type { CompressionName } from "../../src/index.js";
import { BATCH, batchesIntoLevel, batchesIntoLog } from "./append-batches.js";
import { filledLog } from "./filled-log.js";
import { ReadCheck } from "./read-check.js";
import type { RecordSet } from "./record-set.js";
import type { Contender, Measured, Place, Workload } from "./workload.js";

const COUNT = 1_000_000;

/** Fills an empty directory, closes what it has filled, and tells how quickly it filled it. */
type Fill = (
  place: Place,
  directory: string,
  events: RecordSet,
  count: number,
) => Promise<Measured>;

const intoLog =
  (compression: CompressionName): Fill =>
  (...fill) =>
    batchesIntoLog(...fill, { compression });
const intoLevel: Fill = (...fill) => batchesIntoLevel(...fill, true);

/** Whoever stores events, in the order in which they are told. */
const STORES: readonly (Omit<Contender, "run"> & { readonly fill: Fill })[] = [
  { name: "seglog, none", kind: "seglog", fill: intoLog("none") },
  { name: "seglog, lz4", kind: "seglog", fill: intoLog("lz4") },
  { name: "classic-level, snappy", kind: "peer", peer: "classic-level", fill: intoLevel },
];

/** Appends of events in batches, with compression and without. */
export function compressedAppends(events: RecordSet): Workload {
  return {
    name: "lz4-append",
    title: `Append JSON events of 150 to 200 B in batches of ${BATCH}, not synced`,
    unit: "records/s",
    targets: [],
    contenders: STORES.map(({ fill, ...store }) => ({
      ...store,
      run: (place) => fill(place, join(place.directory, "store"), events, countIn(place)),
    })),
  };
}

/** What the same takes on disk. */
export function compressedSize(events: RecordSet): Workload {
  return {
    name: "lz4-size",
    title: `Size on disk of JSON events of 150 to 200 B in batches of ${BATCH}`,
    unit: "B/record",
    targets: [],
    contenders: STORES.map(({ fill, ...store }) => ({
      ...store,
      run: async (place) => {
        const directory = join(place.directory, "store");
        await fill(place, directory, events, countIn(place));
        return bytesIn(directory) / countIn(place);
      },
    })),
  };
}

/** Scans of the same, of files that the OS has cached. */
export function compressedScans(events: RecordSet): Workload {
  const contender = (compression: CompressionName): Contender => ({
    name: `seglog, ${compression}`,
    kind: "seglog",
    run: (place) => scan(place, events, compression),
  });
  return {
    name: "lz4-scan",
    title: "Scan JSON events of 150 to 200 B",
    unit: "records/s",
    targets: [],
    contenders: [contender("none"), contender("lz4")],
  };
}

function countIn(place: Place): number {
  return place.amount(COUNT, BATCH);
}

async function scan(
  place: Place,
  events: RecordSet,
  compression: CompressionName,
): Promise<Measured> {
  const count = countIn(place);
  const log = await filledLog(place, events, count, BATCH, { compression });
  const check = new ReadCheck(events, count);
  const rate = await place.rate(count, async () => {
    for await (const batch of log.batches()) {
      for (const { value } of batch) check.see(value);
    }
  });
  check.end();
  await log.close();
  return rate;
}

/** Bytes of all files of a directory, which has no others below it. */
function bytesIn(directory: string): number {
  return readdirSync(directory).reduce(
    (sum, name) => sum + statSync(join(directory, name)).size,
    0,
  );
}
