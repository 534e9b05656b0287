import { join } from "node:path";
import { CommitLog } from "../../src/index.js";
import { fillApart } from "./fill-apart.js";
import { inWindow } from "./in-window.js";
import { ReadCheck } from "./read-check.js";
import { Records } from "./records.js";
import { ResidentMemory } from "./resident-memory.js";
import type { Contender, Measured, Place, Workload } from "./workload.js";

const BATCH = 100;
const RECORD_BYTES = 1024;
/** So few that they take no memory to speak of. */
const DISTINCT = 1000;
/** 4 GiB of them. */
const COUNT = 4 * 1024 * 1024;
/** By then all that is kept is there; what comes later should take its place. */
const SETTLED = 1 / 4;

type Watch = (place: Place, records: Records) => Promise<ResidentMemory>;

/** What the process has resident while more passes through it than it could hold. */
export function memory(): Workload {
  const records = new Records(RECORD_BYTES, DISTINCT);
  const contender = (
    name: string,
    watch: Watch,
    figure: (memory: ResidentMemory) => Measured,
  ): Contender => ({
    name,
    kind: "seglog",
    run: async (place) => figure(await watch(place, records)),
  });
  return {
    name: "memory",
    title: `Resident memory with 4 GiB of ${RECORD_BYTES} B in batches of ${BATCH}`,
    unit: "MiB",
    targets: [
      { contender: "append, peak", atMost: 150 },
      { contender: "scan, peak", atMost: 150 },
    ],
    contenders: [
      contender("append, peak", append, ({ peakMib }) => peakMib),
      contender("append, growth after 1 GiB", append, ({ growthMib }) => growthMib),
      contender("scan, peak", scan, ({ peakMib }) => peakMib),
      contender("scan, growth after 1 GiB", scan, ({ growthMib }) => growthMib),
    ],
  };
}

async function append(place: Place, records: Records): Promise<ResidentMemory> {
  const log = await CommitLog.open(join(place.directory, "log"), { durability: "os" });
  const count = place.amount(COUNT, BATCH);
  const settled = Math.floor((count * SETTLED) / BATCH) * BATCH;
  const resident = new ResidentMemory();
  await place.elapsed(() =>
    resident.during(() =>
      inWindow(records.batches(count, BATCH), async (batch) => {
        const { baseOffset } = await log.appendBatch(batch);
        if (baseOffset === settled) resident.settle();
      }),
    ),
  );
  if (log.endOffset !== count) throw new Error(`${log.endOffset} records, not ${count}`);
  await log.close();
  return resident;
}

async function scan(place: Place, records: Records): Promise<ResidentMemory> {
  const count = place.amount(COUNT, BATCH);
  const path = join(place.directory, "log");
  await fillApart(path, records, count, BATCH);
  const log = await CommitLog.open(path, { readOnly: true });
  const check = new ReadCheck(records, count);
  const resident = new ResidentMemory();
  await place.elapsed(() =>
    resident.during(async () => {
      let isSettled = false;
      for await (const batch of log.batches()) {
        for (const { value } of batch) check.see(value);
        if (isSettled || batch.baseOffset < count * SETTLED) continue;
        isSettled = true;
        resident.settle();
      }
    }),
  );
  check.end();
  await log.close();
  return resident;
}
