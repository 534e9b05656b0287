import { open } from "node:fs/promises";
import { join } from "node:path";
import { CommitLog } from "../../src/index.js";
import { BareGroupCommit } from "./bare-group-commit.js";
import { checkLog } from "./check-log.js";
import { closedLoop } from "./closed-loop.js";
import { openLmdb } from "./lmdb.js";
import type { Records } from "./records.js";
import { openSqlite } from "./sqlite.js";
import { SqliteGroupCommit } from "./sqlite-group-commit.js";
import type { Target } from "./target.js";
import type { Contender, Measured, Place, Workload } from "./workload.js";

/** What a workload of single appends is about. */
export interface Singles {
  readonly name: string;
  readonly records: Records;
  readonly count: number;
  /** Callers, each of which appends its next record when the last one is acknowledged. */
  readonly callers: number;
  readonly isSynced: boolean;
  readonly targets: readonly Target[];
}

/** Single appends by callers that wait for their answer. */
export function appendSingles(singles: Singles): Workload {
  const { name, records, callers, isSynced, targets } = singles;
  const callersText = callers === 1 ? "one at a time" : `${callers} in flight`;
  const syncedText = isSynced ? "synced" : "not synced";
  const contenders: Contender[] = [
    { name: "seglog", kind: "seglog", run: (place) => seglog(place, singles) },
    { name: "bare group commit", kind: "limit", run: (place) => bare(place, singles) },
    { name: "lmdb", kind: "peer", peer: "lmdb", run: (place) => lmdb(place, singles) },
  ];
  if (isSynced && callers === 1) {
    contenders.push({
      name: "write + fdatasync",
      kind: "limit",
      run: (place) => writeAndSync(place, singles),
    });
  }
  if (isSynced) {
    for (const module of ["better-sqlite3", "node:sqlite"] as const) {
      contenders.push({
        name: module,
        kind: "peer",
        peer: module,
        run: (place) => sqlite(module, place, singles),
      });
    }
  }
  return {
    name,
    title: `Append ${records.byteLength} B singly, ${callersText}, ${syncedText}`,
    unit: "records/s",
    isSynced,
    contenders,
    targets,
  };
}

async function seglog(place: Place, { records, count, callers, isSynced }: Singles) {
  const log = await CommitLog.open(join(place.directory, "log"), {
    durability: isSynced ? "always" : "os",
  });
  const n = place.amount(count);
  const rate = await place.rate(n, () =>
    closedLoop(n, callers, (index) => log.append(records.at(index))),
  );
  checkLog(log, records, n);
  await log.close();
  return rate;
}

async function bare(place: Place, { records, count, callers, isSynced }: Singles) {
  const path = join(place.directory, "bare");
  const log = await BareGroupCommit.open(path, isSynced);
  const n = place.amount(count);
  const rate = await place.rate(n, () =>
    closedLoop(n, callers, (index) => log.append(records.at(index))),
  );
  await log.close();
  records.checkFile(path, n, 0);
  return rate;
}

async function writeAndSync(place: Place, { records, count }: Singles): Promise<Measured> {
  const path = join(place.directory, "written");
  const file = await open(path, "w");
  const n = place.amount(count);
  const rate = await place.rate(n, async () => {
    for (let index = 0; index < n; index++) {
      await file.write(records.at(index), 0, records.byteLength, index * records.byteLength);
      await file.datasync();
    }
  });
  await file.close();
  records.checkFile(path, n, 0);
  return rate;
}

async function lmdb(place: Place, { records, count, callers, isSynced }: Singles) {
  const database = openLmdb(join(place.directory, "lmdb"), isSynced);
  const n = place.amount(count);
  const rate = await place.rate(n, () =>
    closedLoop(n, callers, (index) => database.put(index, records.at(index), { append: true })),
  );
  for (const offset of records.sample(n)) records.check(offset, database.get(offset));
  await database.close();
  return rate;
}

/** One caller alone has each append in a transaction of its own; more share transactions. */
async function sqlite(
  module: "better-sqlite3" | "node:sqlite",
  place: Place,
  { records, count, callers }: Singles,
): Promise<Measured> {
  const database = openSqlite(module, join(place.directory, "sqlite"), "FULL");
  const n = place.amount(count);
  const rate = await place.rate(n, appendAll);
  const select = database.prepare("SELECT value FROM records WHERE id = ?");
  for (const offset of records.sample(n)) {
    records.check(offset, select.get(offset)?.value as Uint8Array | undefined);
  }
  database.close();
  return rate;

  function appendAll(): unknown {
    if (callers > 1) {
      const group = new SqliteGroupCommit(database);
      return closedLoop(n, callers, (index) => group.append(records.at(index)));
    }
    const insert = database.prepare("INSERT INTO records (id, value) VALUES (?, ?)");
    for (let index = 0; index < n; index++) insert.run(index, records.at(index));
    return undefined;
  }
}
